/* udp: a UDP socket at a free port of 127.0.0.1. */
#ifndef OIDUNA_TEST_UDP_H
#define OIDUNA_TEST_UDP_H
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "t/tap.h"

/* Returns its descriptor and where it is; skips the test where there are no sockets. */
static int udp_open(struct sockaddr_in *address)
{
    socklen_t len = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)address, len) || getsockname(fd, (struct sockaddr *)address, &len))
        skip_all("no UDP sockets here");
    return fd;
}

#endif
