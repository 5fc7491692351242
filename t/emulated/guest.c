/* guest: a raw MIDI device's other end, and a punctual performer, for tests in the emulated machine.
 *
 *   guest record DEVICE FILE
 *       What comes out of DEVICE: a line for each message, its CLOCK_MONOTONIC ns and its bytes.
 *   guest play DEVICE WORD…
 *       Writes to DEVICE: 90,3c,64 is a message; 250ms a rest; f8*48@20833 48 messages 20833 µs apart; f8*48@20833~1000
 *       with jitter of ±1000 µs.
 *   guest perform PORT FILE
 *       Sends a daemon's UDP port the commands of FILE, a line for each: `@ NS ADDRESS ARGUMENT…` at once, in a bundle
 *       that is due NS after a start in the near future; `! NS …` without a bundle, but not before it is NS after
 *       (negative: before) the start. Arguments are i:1, f:0.5, s:text and b:file, a blob. Prints the start as ns of
 *       CLOCK_MONOTONIC, and ends when the last line's time has come.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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

enum { IDLE_MS = 50 };

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

/* What was taken down is written when nothing comes, so that it does not delay what does. */
static int record(const char *device, const char *file)
{
    static struct parser p;
    static char written[1 << 20];
    uint8_t bytes[4096];
    struct pollfd in = {.fd = open(device, O_RDONLY), .events = POLLIN};
    FILE *out = fopen(file, "w");
    if (in.fd < 0 || !out)
        return perror(device), 1;
    setvbuf(out, written, _IOFBF, sizeof written);
    be_real_time();
    for (ssize_t n = 1; n > 0;) {
        if (!poll(&in, 1, IDLE_MS)) {
            fflush(out);
            poll(&in, 1, -1);
        }
        n = read(in.fd, bytes, sizeof bytes);
        int64_t ns = now_ns();
        for (ssize_t i = 0; i < n; i++)
            take_byte(&p, bytes[i], ns, out);
    }
    return fclose(out) != 0;
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

/* ---- perform --------------------------------------------------------------------------------------------------- */

enum { DATAGRAM_BYTES = 65507, LEAD_MS = 1500 };

struct packet {
    uint8_t bytes[DATAGRAM_BYTES];
    size_t n;
};

static void put(struct packet *p, const void *bytes, size_t n)
{
    if (p->n + n > sizeof p->bytes) {
        fputs("guest: that does not fit a datagram\n", stderr);
        exit(1);
    }
    memcpy(p->bytes + p->n, bytes, n);
    p->n += n;
}

static void put_u32(struct packet *p, uint32_t v)
{
    v = htonl(v);
    put(p, &v, sizeof v);
}

static void pad(struct packet *p)
{
    while (p->n % 4)
        put(p, "", 1);
}

static void put_string(struct packet *p, const char *s)
{
    put(p, s, strlen(s) + 1);
    pad(p);
}

static void put_file(struct packet *p, const char *path)
{
    static char bytes[DATAGRAM_BYTES];
    FILE *f = fopen(path, "r");
    if (!f) {
        perror(path);
        exit(1);
    }
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    put_u32(p, (uint32_t)n);
    put(p, bytes, n);
    pad(p);
}

static void put_argument(struct packet *p, const char *word)
{
    float f = strtof(word + 2, NULL);
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    switch (word[0]) {
    case 'i':
        put_u32(p, (uint32_t)atoi(word + 2));
        break;
    case 'f':
        put_u32(p, bits);
        break;
    case 'b':
        put_file(p, word + 2);
        break;
    default:
        put_string(p, word + 2);
    }
}

/* ADDRESS ARGUMENT… */
static void put_message(struct packet *p, char *words)
{
    char *word[16], types[17] = ",";
    int n = 0;
    for (char *w = strtok(words, " \n"); w && n < 16; w = strtok(NULL, " \n")) {
        if (n)
            types[n] = w[0];
        word[n++] = w;
    }
    put_string(p, n ? word[0] : "");
    put_string(p, types);
    for (int i = 1; i < n; i++)
        put_argument(p, word[i]);
}

/* OSC 1.0: seconds since 1900, and 2^-32 of them, rounded up. */
static void put_time_tag(struct packet *p, int64_t real_ns)
{
    uint64_t fraction = (((uint64_t)(real_ns % 1000000000) << 32) + 999999999) / 1000000000;
    put_u32(p, (uint32_t)(real_ns / 1000000000 + 2208988800));
    put_u32(p, (uint32_t)fraction);
}

static int64_t real_ns_at(int64_t monotonic_ns)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec - now_ns() + monotonic_ns;
}

static void perform_line(int fd, char *line, int64_t start_ns, int64_t start_real_ns)
{
    static struct packet p, message;
    char how = 0;
    long long ns = 0;
    int at = 0;
    if (sscanf(line, "%c %lld %n", &how, &ns, &at) < 2)
        return;
    p.n = message.n = 0;
    put_message(&message, line + at);
    if (how == '@') {
        put_string(&p, "#bundle");
        put_time_tag(&p, start_real_ns + ns);
        put_u32(&p, (uint32_t)message.n);
    } else {
        sleep_until(start_ns + ns);
    }
    put(&p, message.bytes, message.n);
    if (send(fd, p.bytes, p.n, 0) < 0)
        perror("send");
}

static int perform(const char *port, const char *file)
{
    static char line[4096];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    FILE *in = fopen(file, "r");
    if (fd < 0 || !in || connect(fd, (struct sockaddr *)&to, sizeof to))
        return perror(file), 1;
    be_real_time();
    int64_t start_ns = now_ns() + LEAD_MS * 1000000LL, start_real_ns = real_ns_at(start_ns);
    printf("%lld\n", (long long)start_ns);
    while (fgets(line, sizeof line, in))
        perform_line(fd, line, start_ns, start_real_ns);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "record"))
        return record(argv[2], argv[3]);
    if (argc > 3 && !strcmp(argv[1], "play"))
        return play(argv[2], argc - 3, argv + 3);
    if (argc == 4 && !strcmp(argv[1], "perform"))
        return perform(argv[2], argv[3]);
    fputs("usage: guest record DEVICE FILE | guest play DEVICE WORD... | guest perform PORT FILE\n", stderr);
    return 2;
}
