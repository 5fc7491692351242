#include "complaint.h"
#include <stdio.h>

void complain_of(const char *file, const struct ir_error *error)
{
    if (error->line)
        fprintf(stderr, "oiduna: %s:%d:%d: %s\n", file, error->line, error->column, error->text);
    else if (error->path[0])
        fprintf(stderr, "oiduna: %s: %s: %s\n", file, error->path, error->text);
    else
        fprintf(stderr, "oiduna: %s: %s\n", file, error->text);
}
