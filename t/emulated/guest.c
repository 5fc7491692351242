/* guest: a raw MIDI device's other end, for tests in the emulated machine.
 *
 *   guest record DEVICE FILE         what comes out of DEVICE: a line for each message, its CLOCK_MONOTONIC ns and its
 * bytes guest play DEVICE WORD…          writes to DEVICE: 90,3c,64 is a message; 250ms a rest; f8*48@20833 48 messages
 * 20833 µs apart; f8*48@20833~1000 with jitter of ±1000 µs
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void sleep_until(int64_t ns)
{
    const struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void be_real_time(void)
{
    const struct sched_param p = {.sched_priority = 60};
    sched_setscheduler(0, SCHED_FIFO, &p);
}

/* ---- record ---------------------------------------------------------------------------------------------------- */

static size_t length_of(uint8_t status)
{
    if (status >= 0xf8 || status == 0xf6)
        return 1;
    if (status == 0xf0)
        return 4096; /* until F7 */
    return (status & 0xe0) == 0xc0 ? 2 : 3;
}

static void write_message(FILE *out, int64_t ns, const uint8_t *m, size_t n)
{
    fprintf(out, "%lld", (long long)ns);
    for (size_t i = 0; i < n; i++)
        fprintf(out, " %02x", m[i]);
    fputc('\n', out);
}

/* Bytes as they come, running status included. */
struct parser {
    uint8_t message[4096];
    size_t n;
    uint8_t running;
};

static void take_byte(struct parser *p, uint8_t byte, int64_t ns, FILE *out)
{
    if (byte >= 0xf8) { /* real-time messages come in between */
        write_message(out, ns, &byte, 1);
        return;
    }
    if (byte & 0x80 && byte != 0xf7) {
        p->n = 0;
        p->running = byte;
    } else if (!p->n && p->running) {
        p->message[p->n++] = p->running;
    }
    if (p->n < sizeof p->message)
        p->message[p->n++] = byte;
    if (byte == 0xf7 || p->n == length_of(p->message[0])) {
        write_message(out, ns, p->message, p->n);
        p->n = 0;
        if (p->running >= 0xf0)
            p->running = 0;
    }
}

static int record(const char *device, const char *file)
{
    static struct parser p;
    uint8_t bytes[4096];
    int fd = open(device, O_RDONLY);
    FILE *out = fopen(file, "w");
    if (fd < 0 || !out)
        return perror(device), 1;
    be_real_time();
    for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) > 0;) {
        int64_t ns = now_ns();
        for (ssize_t i = 0; i < n; i++)
            take_byte(&p, bytes[i], ns, out);
        fflush(out);
    }
    return 0;
}

/* ---- play ------------------------------------------------------------------------------------------------------ */

static size_t message_of(const char *word, uint8_t *out)
{
    size_t n = 0;
    for (char *end; n < 256; word = end + 1) {
        out[n++] = (uint8_t)strtoul(word, &end, 16);
        if (*end != ',')
            break;
    }
    return n;
}

static int play(const char *device, int count, char **word)
{
    int fd = open(device, O_WRONLY);
    if (fd < 0)
        return perror(device), 1;
    be_real_time();
    int64_t at_ns = now_ns();
    for (int i = 0; i < count; i++) {
        uint8_t bytes[256];
        long ms, times = 1, apart_us = 0, jitter_us = 0;
        char unit[3] = "";
        const char *star = strchr(word[i], '*');
        if (sscanf(word[i], "%ld%2s", &ms, unit) == 2 && !strcmp(unit, "ms")) {
            at_ns += ms * 1000000;
            sleep_until(at_ns);
            continue;
        }
        size_t n = message_of(word[i], bytes);
        if (star)
            sscanf(star, "*%ld@%ld~%ld", &times, &apart_us, &jitter_us);
        for (long k = 0; k < times; k++) {
            long off_us = jitter_us ? random() % (2 * jitter_us + 1) - jitter_us : 0;
            sleep_until(at_ns + off_us * 1000);
            if (write(fd, bytes, n) != (ssize_t)n)
                return perror(device), 1;
            at_ns += apart_us * 1000;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "record"))
        return record(argv[2], argv[3]);
    if (argc > 3 && !strcmp(argv[1], "play"))
        return play(argv[2], argc - 3, argv + 3);
    fputs("usage: guest record DEVICE FILE | guest play DEVICE WORD...\n", stderr);
    return 2;
}
