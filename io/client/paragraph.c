#include "paragraph.h"

#include <string.h>

void paragraph_print(FILE *out, int column, const char *s)
{
    const int room = PARAGRAPH_COLUMNS - column;
    for (int len; (len = (int)strlen(s)) > room;) {
        while (len > room || s[len] != ' ')
            len--;
        fprintf(out, "%.*s\n%*s", len, s, column, "");
        s += len + 1;
    }
    fprintf(out, "%s\n", s);
}
