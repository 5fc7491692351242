/* network: IP networks, and which addresses are in them.
 *
 * IPv4 addresses mapped into IPv6 (::ffff:10.0.0.1), as a socket for both gives them, count as IPv4.
 *
 * Thread: any; pure.
 * Owns: nothing.
 * Units: bits of a prefix.
 * Limits: NETWORKS_MAX in a list. */
#ifndef OIDUNA_NETWORK_H
#define OIDUNA_NETWORK_H
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include "engine/rt.h"

enum {
    NETWORKS_MAX = 32,                         /* in osc.allow: more than a venue has */
    NETWORK_TEXT_BYTES = INET6_ADDRSTRLEN + 4, /* an address, "/128" and the NUL */
};

struct network {
    uint8_t family;      /* AF_INET or AF_INET6 */
    uint8_t prefix;      /* leading bits that must agree */
    uint8_t address[16]; /* network order, 4 bytes of it for AF_INET; bits beyond the prefix are 0 */
};

struct network_list {
    int n;
    struct network network[NETWORKS_MAX];
};

/* "10.0.0.0/8", "fe80::/10", or an address alone. 0, or -1 and a sentence in why. */
int network_parse(const char *text, struct network *out, char *why, size_t len);
/* What network_parse reads; an address alone has no prefix. */
void network_text(const struct network *n, char out[NETWORK_TEXT_BYTES]);
/* address: AF_INET or AF_INET6 */
REALTIME bool network_has(const struct network *n, const struct sockaddr *address);
REALTIME bool network_list_has(const struct network_list *list, const struct sockaddr *address);
/* 127.0.0.0/8 or ::1 */
bool network_is_loopback(const struct sockaddr *address);

#endif
