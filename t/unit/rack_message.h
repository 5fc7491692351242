/* rack_message: messages to the rack, for tests and the bench. */
#ifndef T_RACK_MESSAGE_H
#define T_RACK_MESSAGE_H
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

struct osc {
    uint8_t bytes[1024];
    uint32_t len;
};

static void osc_text(uint8_t *bytes, uint32_t *at, const char *text)
{
    size_t n = (strlen(text) + 4) & ~(size_t)3;
    memset(bytes + *at, 0, n);
    memcpy(bytes + *at, text, strlen(text));
    *at += (uint32_t)n;
}

/* /dirt/play with s and pairs of a name and a double, closed by NULL */
__attribute__((unused)) static struct osc message(const char *sound, ...)
{
    struct osc m = {.len = 0};
    char types[128] = ",ss";
    uint8_t body[900];
    uint32_t n = 0;
    va_list ap;
    osc_text(body, &n, "s");
    osc_text(body, &n, sound);
    va_start(ap, sound);
    for (const char *name; (name = va_arg(ap, const char *));) {
        float value = (float)va_arg(ap, double);
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        bits = __builtin_bswap32(bits);
        strcat(types, "sf");
        osc_text(body, &n, name);
        memcpy(body + n, &bits, sizeof bits);
        n += 4;
    }
    va_end(ap);
    osc_text(m.bytes, &m.len, "/dirt/play");
    osc_text(m.bytes, &m.len, types);
    memcpy(m.bytes + m.len, body, n);
    m.len += n;
    return m;
}

#endif
