#include "options.h"
#include <errno.h>
#include <stdlib.h>

bool options_count(const char *subcommand, const char *option, const char *text, int64_t minimum, int64_t *out)
{
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    *out = n;
    if (!errno && !*end && end != text && n >= minimum && n <= OPTIONS_COUNT_MAX)
        return true;
    fprintf(stderr, "oiduna: %s: %s %s: must be a whole number from %lld to %d\n", subcommand, option, text,
            (long long)minimum, OPTIONS_COUNT_MAX);
    return false;
}

bool options_override(struct config *config, const char *assignment)
{
    struct config_error error;
    if (!config_override(config, assignment, &error))
        return true;
    fprintf(stderr, "oiduna: %s\n", error.text);
    return false;
}
