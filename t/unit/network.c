/* Networks as users write them, and which addresses are in them. */
#include <arpa/inet.h>
#include <string.h>
#include "io/sys/network.h"
#include "t/tap.h"

/* the network written again, or why not */
static const char *parsed(const char *text)
{
    static char out[256];
    struct network n;
    if (!network_parse(text, &n, out, sizeof out))
        network_text(&n, out);
    return out;
}

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage a = {.ss_family = strchr(text, ':') ? AF_INET6 : AF_INET};
    void *at = a.ss_family == AF_INET ? (void *)&((struct sockaddr_in *)&a)->sin_addr
                                      : (void *)&((struct sockaddr_in6 *)&a)->sin6_addr;
    inet_pton(a.ss_family, text, at);
    return a;
}

static bool has(const char *network, const char *text)
{
    char why[256];
    struct network n;
    const struct sockaddr_storage a = address(text);
    return !network_parse(network, &n, why, sizeof why) && network_has(&n, (const struct sockaddr *)&a);
}

static bool is_loopback(const char *text)
{
    const struct sockaddr_storage a = address(text);
    return network_is_loopback((const struct sockaddr *)&a);
}

int main(void)
{
    is_str(parsed("192.168.1.7"), "192.168.1.7", "an address");
    is_str(parsed("192.168.1.77/24"), "192.168.1.0/24", "a network: bits beyond its prefix are dropped");
    is_str(parsed("10.0.0.1/32"), "10.0.0.1", "a whole prefix is no prefix");
    is_str(parsed("0.0.0.0/0"), "0.0.0.0/0", "everybody");
    is_str(parsed("2001:db8::1/33"), "2001:db8::/33", "IPv6");
    is_str(parsed("10.0.0.0/33"), "'10.0.0.0/33': the prefix must be 0 to 32", "a prefix too long");
    is_str(parsed("::/129"), "'::/129': the prefix must be 0 to 128", "of IPv6");
    is_str(parsed("10.0.0.0/"), "'10.0.0.0/': the prefix must be 0 to 32", "none");
    is_str(parsed("10.0.0.0/8x"), "'10.0.0.0/8x': the prefix must be 0 to 32", "more than a number");
    is_str(parsed("10.0.0.0/-1"), "'10.0.0.0/-1': the prefix must be 0 to 32", "a sign");
    is_str(parsed("venue"), "'venue' is not an address or network like 192.168.1.7 or 192.168.1.0/24", "a name");
    ok(strstr(parsed("1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc"), "is not an address"),
       "too long to be one");

    ok(has("192.168.16.0/20", "192.168.31.255") && !has("192.168.16.0/20", "192.168.32.0"), "a prefix within a byte");
    ok(has("10.0.0.7", "10.0.0.7") && !has("10.0.0.7", "10.0.0.8"), "a single address");
    ok(has("0.0.0.0/0", "8.8.8.8") && !has("0.0.0.0/0", "::1"), "all of IPv4 is not IPv6");
    ok(has("10.0.0.0/8", "::ffff:10.9.8.7") && !has("10.0.0.0/8", "::ffff:11.9.8.7"), "a mapped address is IPv4");
    ok(has("fe80::/10", "fe80::1") && !has("fe80::/10", "fec0::1"), "IPv6");

    ok(is_loopback("127.0.0.1") && is_loopback("127.9.9.9") && is_loopback("::1") && is_loopback("::ffff:127.0.0.1"),
       "loopback");
    ok(!is_loopback("128.0.0.1") && !is_loopback("::2") && !is_loopback("0.0.0.0") && !is_loopback("::"), "and not");
    return tap_done();
}
