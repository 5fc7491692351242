#include "network.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int network_bits(const struct network *n)
{
    return n->family == AF_INET ? 32 : 128;
}

static bool network_parse_address(const char *text, struct network *out)
{
    *out = (struct network){.family = AF_INET};
    if (inet_pton(AF_INET, text, out->address) == 1)
        return true;
    out->family = AF_INET6;
    return inet_pton(AF_INET6, text, out->address) == 1;
}

int network_parse(const char *text, struct network *out, char *why, size_t len)
{
    char address[INET6_ADDRSTRLEN] = "";
    size_t address_len = strcspn(text, "/");
    if (address_len < sizeof address)
        memcpy(address, text, address_len);
    if (!network_parse_address(address, out)) {
        snprintf(why, len, "'%s' is not an address or network like 192.168.1.7 or 192.168.1.0/24", text);
        return -1;
    }
    const char *prefix = text + address_len;
    long bits = network_bits(out);
    if (*prefix) {
        char *end;
        prefix++;
        bits = strspn(prefix, "0123456789") ? strtol(prefix, &end, 10) : -1;
        if (bits < 0 || bits > network_bits(out) || *end) {
            snprintf(why, len, "'%s': the prefix must be 0 to %d", text, network_bits(out));
            return -1;
        }
    }
    out->prefix = (uint8_t)bits;
    for (long i = bits; i < network_bits(out); i++) /* cleared, so that equal networks compare equal */
        out->address[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
    return 0;
}

void network_text(const struct network *n, char out[NETWORK_TEXT_BYTES])
{
    inet_ntop(n->family, n->address, out, NETWORK_TEXT_BYTES);
    size_t used = strlen(out);
    if (n->prefix != network_bits(n))
        snprintf(out + used, NETWORK_TEXT_BYTES - used, "/%d", n->prefix);
}

/* The bytes of an address; mapped ones are IPv4. */
REALTIME static const uint8_t *address_bytes(const struct sockaddr *address, int *family)
{
    const struct sockaddr_in *in4 = (const struct sockaddr_in *)(const void *)address;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
    *family = address->sa_family;
    if (address->sa_family == AF_INET)
        return (const uint8_t *)&in4->sin_addr;
    if (!IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
        return in6->sin6_addr.s6_addr;
    *family = AF_INET;
    return in6->sin6_addr.s6_addr + 12;
}

REALTIME static bool bits_agree(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    if (memcmp(a, b, bits / 8))
        return false;
    return bits % 8 == 0 || (uint8_t)(a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8) == 0;
}

REALTIME bool network_has(const struct network *n, const struct sockaddr *address)
{
    int family;
    const uint8_t *bytes = address_bytes(address, &family);
    assert(n->prefix <= (n->family == AF_INET ? 32 : 128));
    return n->family == family && bits_agree(n->address, bytes, n->prefix);
}

REALTIME bool network_list_has(const struct network_list *list, const struct sockaddr *address)
{
    assert(list->n >= 0 && list->n <= NETWORKS_MAX);
    for (int i = 0; i < list->n; i++)
        if (network_has(&list->network[i], address))
            return true;
    return false;
}

bool network_is_loopback(const struct sockaddr *address)
{
    static const struct network loopback4 = {.family = AF_INET, .prefix = 8, .address = {127}};
    static const struct network loopback6 = {.family = AF_INET6, .prefix = 128, .address = {[15] = 1}};
    return network_has(&loopback4, address) || network_has(&loopback6, address);
}
