/* hub_socket: the control socket in the file system: claimed by one daemon, replaced where the last one left it behind.
 *
 * Thread: control.
 * Owns: the descriptor and the name, which is removed only while it is still its own.
 * Errors: a negative errno and a sentence.
 * Limits: 107 bytes of a path, as struct sockaddr_un has room for. */
#ifndef OIDUNA_HUB_SOCKET_H
#define OIDUNA_HUB_SOCKET_H
#include <stddef.h>
#include <sys/types.h>

struct hub_socket {
    int fd;
    char path[108];
    dev_t device;
    ino_t inode; /* 0: nothing was bound */
};

/* Makes the directory (0700) if it is missing, and the socket (0600), listening. hub_socket_close may follow in any
 * case. */
int hub_socket_open(struct hub_socket *s, const char *path, char *error, size_t len);
void hub_socket_close(struct hub_socket *s);
/* Writes the sentence and returns the code. */
__attribute__((format(printf, 4, 5))) int hub_fail(char *error, size_t len, int code, const char *text, ...);

#endif
