#include "words.h"

#include <stdio.h>
#include <string.h>

static bool words_is_space(char c)
{
    return c == ' ' || c == '\t';
}

static void words_skip(struct span *line, size_t n)
{
    line->text += n;
    line->len -= n;
}

int words_next(struct span *line, char out[ID_BYTES_MAX + 1], const char **why)
{
    while (line->len && words_is_space(*line->text))
        words_skip(line, 1);
    if (!line->len)
        return 0;
    bool quoted = *line->text == '"';
    if (quoted)
        words_skip(line, 1);
    size_t n = 0;
    while (n < line->len && (quoted ? line->text[n] != '"' : !words_is_space(line->text[n])))
        n++;
    if (n > ID_BYTES_MAX) {
        *why = "word too long (limit 255 bytes)";
        return -1;
    }
    if (quoted && n == line->len) {
        *why = "missing closing quote";
        return -1;
    }
    memcpy(out, line->text, n);
    out[n] = '\0';
    words_skip(line, n + quoted);
    return 1;
}

bool words_quote(const char *word, char *out, size_t size)
{
    bool plain = *word && *word != '"' && !strpbrk(word, " \t");
    if (!plain && strchr(word, '"'))
        return false;
    int n = snprintf(out, size, plain ? "%s" : "\"%s\"", word);
    return n >= 0 && (size_t)n < size;
}
