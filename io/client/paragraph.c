#include "paragraph.h"

#include <assert.h>
#include <string.h>

void paragraph_print(FILE *out, int column, int columns, const char *s)
{
    assert(column < columns);
    const int room = columns - column;
    while ((int)strlen(s) > room) {
        int len = room;
        while (len > 0 && s[len] != ' ')
            len--;
        if (len == 0) /* a word longer than a line stays whole */
            len = (int)strcspn(s, " ");
        if (!s[len])
            break;
        fprintf(out, "%.*s\n%*s", len, s, column, "");
        s += len + 1;
    }
    fprintf(out, "%s\n", s);
}
