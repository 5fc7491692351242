#include "record.h"
#include <stdlib.h>
#include <string.h>
#include "fail.h"

struct record *record;
size_t record_n, judged_n, complete_n;
static size_t record_room;

struct record *record_new(int kind)
{
    if (record_n == record_room) {
        record_room = record_room ? 2 * record_room : 4096;
        record = realloc(record, record_room * sizeof *record);
        if (!record)
            abort();
    }
    struct record *r = &record[record_n++];
    memset(r, 0, sizeof *r);
    r->kind = (__typeof__(r->kind))kind;
    return r;
}

static uint32_t be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static float be_float(const uint8_t *at)
{
    uint32_t u = be32(at);
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* text and its padding at *at */
static const char *osc_string(const uint8_t *message, uint32_t len, uint32_t *at)
{
    const char *s = (const char *)message + *at;
    size_t n = strnlen(s, len - *at);
    *at += ((uint32_t)n + 4) & ~3u;
    if (*at > len)
        sim_fail("an OSC message is cut");
    return s;
}

static void osc_pair(struct heard_osc *h, const char *name, char type, const uint8_t *at)
{
    if (!strcmp(name, "s") && type == 's')
        strncpy(h->s, (const char *)at, sizeof h->s - 1);
    else if (!strcmp(name, "n") && type == 'i')
        h->n = (int)be32(at);
    else if (!strcmp(name, "orbit") && type == 'i')
        h->orbit = (int)be32(at);
    else if (!strcmp(name, "midinote") && type == 'i' && (h->has_note = true))
        h->note = (int)be32(at);
    else if (!strcmp(name, "gain") && type == 'f')
        h->gain = be_float(at);
    else if (!strcmp(name, "delta") && type == 'f')
        h->delta = be_float(at);
    else if (!strcmp(name, "sustain") && type == 'f' && (h->has_sustain = true))
        h->sustain = be_float(at);
    else if (!strcmp(name, "cps") && type == 'f' && (h->has_cps = true))
        h->cps = be_float(at);
    else if (!strcmp(name, "cycle") && type == 'f')
        h->cycle = be_float(at);
}

void record_osc(struct heard_osc *h, const uint8_t *message, uint32_t len)
{
    uint32_t at = 0;
    strncpy(h->address, osc_string(message, len, &at), sizeof h->address - 1);
    const char *types = osc_string(message, len, &at), *name = "";
    for (int i = 1; types[i]; i++) {
        const uint8_t *value = message + at;
        if (types[i] == 's')
            osc_string(message, len, &at);
        else
            at += 4;
        if (i % 2)
            name = (const char *)value;
        else
            osc_pair(h, name, types[i], value);
    }
    if (at != len)
        sim_fail("an OSC message of %u bytes has %u", len, at);
}
