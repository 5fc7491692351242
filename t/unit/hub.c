/* The control socket's connections, on a clock of the test's own: answers larger than a socket's buffer, clients that
 * never read, never speak or never end, a full table, and that nothing to do is nothing done. */
#define _GNU_SOURCE
#include "io/control/hub.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "t/tap.h"
#include "temp.h"
#include "wait.h"

enum { LINE_MAX_BYTES = 4096 };
#define SECOND (1000 * MS)

static struct hub *hub;
static int64_t clock_ns;
static char path[64];

static char last_line[LINE_MAX_BYTES + 1];
static int lines_n, refused_n, gone_n;
static enum hub_line refused;
static struct hub_client *last_client, *last_gone;
static size_t answer_bytes; /* to each line; its last is a newline */
static bool is_idle = true;

static void on_line(void *ctx, struct hub_client *c, struct span line, enum hub_line what)
{
    static char answer[4 << 20];
    (void)ctx;
    last_client = c;
    if (what != HUB_LINE) {
        refused_n++;
        refused = what;
        return;
    }
    lines_n++;
    snprintf(last_line, sizeof last_line, "%.*s", (int)line.len, line.text);
    if (!answer_bytes)
        return;
    for (size_t i = 0; i < answer_bytes; i++)
        answer[i] = (char)('a' + i % 26);
    answer[answer_bytes - 1] = '\n';
    hub_write(hub, c, answer, answer_bytes);
}

static bool on_idle(void *ctx, struct hub_client *c)
{
    (void)ctx, (void)c;
    return is_idle;
}

static void on_gone(void *ctx, struct hub_client *c)
{
    (void)ctx;
    gone_n++;
    last_gone = c;
}

static void begin(void)
{
    const struct hub_events events = {.line = on_line, .idle = on_idle, .gone = on_gone};
    char error[256];
    lines_n = refused_n = gone_n = 0;
    answer_bytes = 0;
    is_idle = true;
    clock_ns = SECOND;
    if (hub_open(&hub, path, LINE_MAX_BYTES, &events, error, sizeof error)) {
        diag("%s", error);
        exit(1);
    }
}

/* Does all there is to do. */
static void work(void)
{
    struct pollfd p = {.fd = hub_fd(hub), .events = POLLIN};
    for (int i = 0; i < 1000 && (poll(&p, 1, 0) == 1 || i == 0); i++)
        while (hub_work(hub, clock_ns) && i++ < 1000)
            ;
}

static void a_while_later(int64_t ns)
{
    clock_ns += ns;
    hub_housekeep(hub, clock_ns);
}

static int connected(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strcpy(a.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof a)) {
        perror(path);
        exit(1);
    }
    work();
    return fd;
}

static void say(int fd, const char *text)
{
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
        diag("send: %s", strerror(errno));
    work();
}

/* What can be read now; -1 at the end. */
static ssize_t heard(int fd, char *out, size_t size)
{
    ssize_t n = recv(fd, out, size, MSG_DONTWAIT);
    return n > 0 ? n : n == 0 || errno != EAGAIN ? -1 : 0;
}

static void lines(void)
{
    begin();
    struct stat st;
    ok(!stat(path, &st) && (st.st_mode & 0777) == 0600, "the socket is its owner's alone");
    int fd = connected();
    say(fd, "one\r\n\n\ntwo\nthr");
    is_int(lines_n, 2, "whole lines are handed over, empty ones not");
    is_str(last_line, "two", "without what ends them");
    say(fd, "ee\n");
    is_str(last_line, "three", "one that comes in parts, when it is whole");
    is_int(hub_serial(last_client), 1, "the first client is number 1");
    ok(hub_find(hub, 1) == last_client && !hub_find(hub, 2), "and found by that");
    say(fd, "last");
    shutdown(fd, SHUT_WR);
    work();
    is_str(last_line, "last", "what comes without an end before the end is a line");
    is_int(gone_n, 1, "then the client is let go");
    close(fd);
    fd = connected();
    is_idle = false;
    answer_bytes = 5;
    say(fd, "asks and has nothing more to say\n");
    shutdown(fd, SHUT_WR);
    work();
    char text[8];
    is_int(heard(fd, text, sizeof text), 5, "who has said all is answered");
    is_int(gone_n, 1, "and kept while something is pending");
    is_idle = true;
    hub_settle(hub, last_client);
    hub_sweep(hub);
    is_int(gone_n, 2, "no longer");
    is_int(hub_count(hub), 0, "nobody is left");
    close(fd);
    hub_close(hub);
    ok(access(path, F_OK) != 0, "nor is the socket");
}

static void nothing_to_do(void)
{
    begin();
    int fd = connected();
    struct pollfd p = {.fd = hub_fd(hub), .events = POLLIN};
    answer_bytes = 4;
    say(fd, "x\n");
    ok(!hub_work(hub, clock_ns), "when all lines have been handed over there is no more to do");
    is_int(poll(&p, 1, 0), 0, "and nothing wakes the daemon, whose answer is not even read");
    char many[2 * 500 + 1] = "";
    for (int i = 0; i < 500; i++)
        strcat(many, "y\n");
    send(fd, many, strlen(many), MSG_NOSIGNAL);
    lines_n = 0;
    bool more = hub_work(hub, clock_ns);
    ok(more && lines_n > 0 && lines_n < 500, "of many lines a part at a time: %d", lines_n);
    work();
    is_int(lines_n, 500, "but all");
    ok(!hub_work(hub, clock_ns), "and then no more");
    close(fd);
    hub_close(hub);
}

static void the_rest_of_an_answer(void)
{
    static char text[1 << 16];
    size_t got = 0;
    bool right = true;
    begin();
    int fd = connected();
    answer_bytes = HUB_OUT_PAUSE - 1; /* far more than a socket holds */
    say(fd, "x\n");
    ssize_t n = 0;
    WITH_PATIENCE
    {
        work();
        while ((n = heard(fd, text, sizeof text)) > 0) {
            for (ssize_t i = 0; i < n; i++, got++)
                right &= text[i] == (got == answer_bytes - 1 ? '\n' : (char)('a' + got % 26));
        }
        if (n < 0 || got >= answer_bytes)
            break;
    }
    is_int((long long)got, (long long)answer_bytes, "an answer larger than the socket's buffer comes whole");
    ok(right, "byte by byte");
    work();
    struct pollfd p = {.fd = hub_fd(hub), .events = POLLIN};
    is_int(poll(&p, 1, 0), 0, "and then the daemon sleeps");
    close(fd);
    hub_close(hub);
}

static void who_never_reads(void)
{
    static char text[1 << 16];
    begin();
    int deaf = connected();
    say(deaf, "x\n");
    struct hub_client *c = last_client;
    size_t written = 0;
    memset(text, 'x', sizeof text);
    for (; written < 4 * HUB_OUT_MAX && !gone_n; written += sizeof text) {
        hub_write(hub, c, text, sizeof text);
        hub_sweep(hub);
    }
    ok(gone_n == 1 && last_gone == c, "who does not read is cut off");
    ok(written > HUB_OUT_MAX && written < HUB_OUT_MAX + (1 << 20), "at the limit of unread answers: %zu bytes",
       written);
    close(deaf);

    deaf = connected();
    answer_bytes = HUB_OUT_PAUSE + (1 << 18);
    say(deaf, "x\n");
    lines_n = 0;
    say(deaf, "y\n");
    is_int(lines_n, 0, "whose answers pile up is not listened to");
    a_while_later(HUB_STALL_S * SECOND);
    is_int(gone_n, 1, "it has some seconds to read them");
    a_while_later(SECOND);
    is_int(gone_n, 2, "then it is cut off");
    close(deaf);
    hub_close(hub);
}

static void lines_without_end(void)
{
    static char part[LINE_MAX_BYTES];
    begin();
    memset(part, 'x', sizeof part);
    int fd = connected();
    send(fd, part, sizeof part, MSG_NOSIGNAL);
    work();
    is_int(refused_n, 0, "a line may be as long as the limit");
    say(fd, "\n");
    is_int(lines_n, 1, "and is one when it ends");
    send(fd, part, sizeof part, MSG_NOSIGNAL);
    say(fd, "xx");
    ok(refused_n == 1 && refused == HUB_TOO_LONG, "a longer one is refused before its end");
    say(fd, "its rest\nnext\n");
    ok(lines_n == 2 && !strcmp(last_line, "next"), "its rest is thrown away, the next one is read");
    hub_set_line_max(hub, 1000);
    send(fd, part, 1002, MSG_NOSIGNAL);
    work();
    ok(refused_n == 2 && refused == HUB_TOO_LONG, "another limit holds from then on");
    hub_set_line_max(hub, 3 * LINE_MAX_BYTES);
    say(fd, "\n");
    send(fd, part, sizeof part, MSG_NOSIGNAL);
    send(fd, part, sizeof part, MSG_NOSIGNAL);
    say(fd, "\n");
    is_int(lines_n, 3, "a higher one as well");
    close(fd);
    hub_close(hub);

    begin();
    hub_set_line_max(hub, 1 << 20);
    fd = connected();
    for (int i = 0; i < HUB_PART_BYTES / LINE_MAX_BYTES + 1; i++) {
        send(fd, part, sizeof part, MSG_NOSIGNAL);
        work();
    }
    a_while_later(HUB_STALL_S * SECOND);
    is_int(gone_n, 0, "a long line may pause");
    a_while_later(SECOND);
    is_int(gone_n, 1, "but not stand still");
    close(fd);
    hub_close(hub);
}

static void a_full_table(void)
{
    int fd[CONTROL_CLIENTS_MAX];
    char text[256] = "";
    begin();
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        fd[i] = connected();
        say(fd[i], i < 3 ? "half a word" : "a word\n");
        clock_ns += 10 * MS;
    }
    is_int(hub_count(hub), CONTROL_CLIENTS_MAX, "64 clients are connected");
    clock_ns += 4 * SECOND;
    int more = connected();
    ok(heard(more, text, sizeof text) > 0 && strstr(text, "64"), "one more is told the limit");
    ok(heard(more, text, sizeof text) < 0 && gone_n == 0, "and let go, no other");
    close(more);
    clock_ns += 2 * SECOND;
    for (int i = 0; i < 3; i++) {
        more = connected();
        is_int(gone_n, i + 1, "later there is room");
        ok(heard(fd[i], text, sizeof text) < 0, "where somebody never finished a line, the longest silent first: %d",
           i);
        say(more, "a word\n");
        close(fd[i]);
        fd[i] = more;
    }
    clock_ns += 1000 * SECOND;
    more = connected();
    ok(heard(more, text, sizeof text) > 0 && gone_n == 3, "who once spoke may be silent for as long as it likes");
    close(more);
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        close(fd[i]);
    work();
    is_int(hub_count(hub), 0, "when all have gone, all places are free");
    hub_close(hub);
}

int main(void)
{
    snprintf(path, sizeof path, "%s/control", temp_dir());
    lines();
    nothing_to_do();
    the_rest_of_an_answer();
    who_never_reads();
    lines_without_end();
    a_full_table();
    return tap_done();
}
