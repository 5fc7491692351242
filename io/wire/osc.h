/* osc: reads Open Sound Control 1.0 packets in place.
 *
 * Purpose: the engine thread reads commands straight from the receive buffer: no copy, no allocation. The helper reads
 *   the forwarded messages again the same way.
 * Thread: any; real-time code.
 * Owns: nothing; results point into the packet.
 * Units: bytes.
 * Errors: -EBADMSG for malformed packets.
 * Source: "The Open Sound Control 1.0 Specification" (Wright, 2002): 4-byte alignment, big-endian, type tag string. */
#ifndef OIDUNA_OSC_H
#define OIDUNA_OSC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "engine/rt.h"

enum { OSC_ARGUMENTS_MAX = 16 }; /* of a message that we read: ours have at most four */

struct osc_argument {
    char type; /* i f d s S b T F N I h t m c; T and F carry no bytes */
    union {
        int32_t i;
        int64_t h;
        double f;      /* f and d */
        const char *s; /* NUL-terminated inside the packet; s and S */
        struct {
            const uint8_t *data;
            uint32_t len;
        } b;
    };
};

struct osc_message {
    const char *address;
    const char *types; /* without the comma; "" when there is no type tag string */
    int n;
    struct osc_argument argument[OSC_ARGUMENTS_MAX];
};

/* 0 or -EBADMSG (also for more than OSC_ARGUMENTS_MAX arguments) */
REALTIME int osc_parse(const uint8_t *data, size_t len, struct osc_message *out);
/* Returning non-zero ends the walk. time_tag: of the innermost bundle, 1: immediately. */
REALTIME typedef int osc_visit(void *ctx, const uint8_t *message, size_t len, uint64_t time_tag);
/* Walks a packet: calls f for every message in it, bundles inside bundles included (at most 8 deep), with the
 * innermost bundle's time tag (1: immediately). f returning non-zero ends the walk with that value. */
REALTIME int osc_walk(const uint8_t *data, size_t len, osc_visit *f, void *ctx);

/* NTP time tag of a CLOCK_REALTIME time: seconds + 2208988800, fraction rounded up so that it is exact to 1 ns */
REALTIME uint64_t osc_time_tag(int64_t realtime_ns);
/* The reverse; immediately (1) gives 0. */
REALTIME int64_t osc_time_ns(uint64_t time_tag);

#endif
