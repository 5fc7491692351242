/* What is due leaves whole and in order; ends of notes are owed until they have gone, also by another process. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "io/wire/midi_event.h"
#include "io/loop/midi_out.h"
#include "t/tap.h"

#define MS 1000000LL
static const struct dest_table dests = {.n = 2,
                                        .dest = {{.name = "a", .type = DEST_MIDI}, {.name = "b", .type = DEST_MIDI}}};
static const int ports[DESTINATIONS_MAX] = {0, 1};
static struct stats stats;
static struct midi_out *m;
static char said[1 << 18];
static int64_t now_ns;
enum { ALL = 1 << 30 };

static void open_at(const char *path, bool listened)
{
    memset(&stats, 0, sizeof stats);
    m = midi_out_new(&dests, &stats, path);
    midi_out_open(m, 1, ports);
    if (listened) {
        midi_out_port(m, 0, true);
        midi_out_port(m, 1, true);
    }
}

static void message(int dest, uint8_t a, uint8_t b, uint8_t c)
{
    const uint8_t bytes[3] = {a, b, c};
    midi_out_send(m, dest, bytes, (a & 0xe0) == 0xc0 ? 2 : a >= 0xf8 ? 1 : 3);
}

/* What is written, as text; the kernel takes `takes` bytes of it, none for -EAGAIN. As it does, it takes the event that
 * is none. */
static const char *written(int takes)
{
    const void *bytes;
    size_t len, at = 0, n = 0;
    *said = '\0';
    if (!midi_out_begin(m, now_ns, &bytes, &len))
        return "";
    ok(((const uint8_t *)bytes)[0] == SND_SEQ_EVENT_NONE, "first comes what is always taken");
    at += MIDI_EVENT_BYTES;
    takes = takes == -EAGAIN ? MIDI_EVENT_BYTES : takes == ALL ? ALL : takes + MIDI_EVENT_BYTES;
    while (at < len) {
        snd_seq_event_t e;
        uint8_t raw[4200];
        memcpy(&e, (const uint8_t *)bytes + at, sizeof e);
        at += sizeof e;
        if (e.type == SND_SEQ_EVENT_SYSEX) {
            at += e.data.ext.len;
            n += (size_t)snprintf(said + n, sizeof said - n, "%u:sysex %u ", e.source.port, e.data.ext.len);
            continue;
        }
        size_t size = midi_event_decode(&e, raw, sizeof raw);
        n += (size_t)snprintf(said + n, sizeof said - n, "%u:", e.source.port);
        for (size_t i = 0; i < size; i++)
            n += (size_t)snprintf(said + n, sizeof said - n, "%02x", raw[i]);
        n += (size_t)snprintf(said + n, sizeof said - n, " ");
    }
    midi_out_done(m, now_ns, takes > (int)len ? (int)len : takes);
    return said;
}
static void in_order(void)
{
    uint8_t sysex[102] = {0xf0};
    const uint8_t short_sysex[3] = {0xf0, 0x70, 0xf7};
    sysex[101] = 0xf7;
    open_at("", true);
    message(0, 0xb0, 7, 100);
    message(1, 0x93, 60, 64);
    message(0, 0xe0, 0, 0);
    midi_out_send(m, 0, sysex, sizeof sysex);
    midi_out_send(m, 0, short_sysex, sizeof short_sysex);
    message(0, 0xf8, 0, 0);
    message(0, 0xf2, 3, 4);
    message(1, 0xc5, 9, 0);
    is_str(written(ALL), "0:b00764 1:933c40 0:e00000 0:sysex 102 0:sysex 3 0:f8 0:f20304 1:c509 ",
           "one write, in order, each from its port");
    is_str(written(ALL), "", "then nothing");
    is_int((long long)counter_get(&stats.dest[0].messages), 6, "messages are counted");
    midi_out_free(m);
}

static void ends_are_owed(void)
{
    open_at("", true);
    message(0, 0x90, 60, 64);
    message(0, 0x90, 62, 64);
    written(ALL);
    message(0, 0x80, 60, 0);
    message(0, 0xb0, 1, 1);
    is_str(written(-EAGAIN), "0:803c00 0:b00101 ", "the sequencer is full");
    is_str(written(ALL), "0:b00101 ", "what came after goes on");
    ok(midi_out_next_ns(m) == now_ns + MIDI_RETRY_NS, "the end is tried again");
    message(0, 0x90, 60, 50);
    is_str(written(ALL), "0:803c00 0:903c32 ", "before the note is struck anew");
    message(0, 0x80, 60, 0);
    message(0, 0x90, 60, 51);
    is_str(written(-EAGAIN), "0:803c00 0:903c33 ", "an end is refused, and a strike is to be written still");
    message(0, 0x80, 60, 0);
    is_str(written(ALL), "0:903c33 0:803c00 ", "when it ends, too: it has an end of its own");
    message(0, 0x80, 62, 0);
    written(-EAGAIN);
    now_ns += MIDI_RETRY_NS;
    is_str(written(ALL), "0:803e00 ", "or by itself");
    message(0, 0x90, 64, 64);
    is_str(written(-EAGAIN), "0:904040 ", "a strike that is not taken");
    is_int((long long)counter_get(&stats.dest[0].send_full), 1, "is counted");
    is_str(written(ALL), "", "and never comes late");
    message(0, 0x90, 65, 64);
    message(0, 0xb0, 1, 2);
    message(0, 0x90, 66, 64);
    is_str(written(28), "0:904140 0:b00102 0:904240 ", "of a write that is taken in part");
    is_str(written(ALL), "0:904240 ", "the rest follows, but for what was tried and may have been heard");
    is_int((long long)counter_get(&stats.dest[0].send_full), 2, "which is counted");
    midi_out_free(m);
}

/* Of two listeners one does not read: the kernel says "full" to everything, and the other one gets everything. */
static void one_of_two_hangs(void)
{
    open_at("", true);
    for (int i = 0; i < 3; i++) {
        message(0, 0x90, 60, 64);
        while (*written(-EAGAIN))
            ;
        now_ns += 100 * MS;
        message(0, 0x80, 60, 0);
        message(0, 0x90, 60, 64);
        is_str(written(-EAGAIN), "0:803c00 0:903c40 ", "the end fails, and a strike follows");
        is_str(written(-EAGAIN), "0:903c40 ", "it is tried once");
        now_ns += MIDI_RETRY_NS;
        is_str(written(ALL), "", "the old end does not cut the new note");
        message(0, 0x80, 60, 0);
        while (*written(-EAGAIN))
            ;
        int tries = 0;
        for (int64_t end_ns = now_ns + 1000 * MS; now_ns < end_ns; now_ns += MS)
            tries += *written(-EAGAIN) != 0;
        ok(tries >= 6 && tries < 15, "an end is not repeated without end: %d times in a second", tries);
        is_str((now_ns += MIDI_RETRY_NS_MAX, written(ALL)), "0:803c00 ", "when it is taken, it was the last");
        is_str((now_ns += MIDI_RETRY_NS_MAX, written(ALL)), "", "time");
    }
    midi_out_free(m);
}

static void who_is_away_delays_nobody(void)
{
    open_at("", true);
    message(0, 0x90, 60, 64);
    message(1, 0x90, 61, 64);
    written(ALL);
    midi_out_port(m, 1, false);
    message(1, 0x80, 61, 0);
    for (int i = 0; i < 10; i++)
        is_str(written(ALL), "", "an end is owed to one who is away");
    for (int i = 0; i < 4; i++) {
        message(0, 0x80, 60, 0);
        is_str(written(-EAGAIN), "0:803c00 ", "the sequencer is full");
        ok(midi_out_next_ns(m) == now_ns + MIDI_RETRY_NS, "the others' ends are tried again as soon as ever");
        now_ns += MIDI_RETRY_NS;
        is_str(written(ALL), "0:803c00 ", "and taken");
        message(0, 0x90, 60, 64);
        written(ALL);
    }
    midi_out_free(m);
}

static void one_write_at_a_time(void)
{
    const void *bytes;
    size_t len;
    open_at("", true);
    message(0, 0x90, 60, 64);
    written(ALL);
    message(0, 0x80, 60, 0);
    written(-EAGAIN);
    message(0, 0xb0, 1, 3);
    ok(midi_out_begin(m, now_ns, &bytes, &len) && midi_out_next_ns(m) == INT64_MAX,
       "while something is being written nothing is tried again");
    midi_out_done(m, now_ns, (int)len);
    ok(midi_out_next_ns(m) == now_ns + MIDI_RETRY_NS, "but then");
    midi_out_free(m);
}

static void an_end_behind_a_strike(void)
{
    open_at("", true);
    message(0, 0x90, 60, 64);
    written(ALL);
    message(0, 0x80, 60, 0);
    message(0, 0x90, 60, 50);
    written(-EAGAIN);
    message(0, 0x80, 60, 0);
    is_str(written(ALL), "0:903c32 0:803c00 ", "an end is owed, and the note is struck again and ended meanwhile");
    now_ns += MIDI_RETRY_NS_MAX;
    is_str(written(ALL), "", "once");
    message(0, 0x90, 61, 64);
    midi_out_port(m, 0, false);
    message(0, 0x80, 61, 0);
    midi_out_port(m, 0, true);
    is_str(written(ALL), "0:903d40 ",
           "a strike is to be written while the listener goes, the note ends, and one comes");
    is_str(written(ALL), "0:803c00 0:803d00 ", "who hears the end");
    midi_out_free(m);
}

/* A listener goes; for a while nobody knows. */
static void ends_into_the_void(void)
{
    open_at("", true);
    message(0, 0x90, 60, 64);
    written(ALL);
    message(0, 0x80, 60, 0);
    is_str(written(ALL), "0:803c00 ", "nobody hears that a note ends, which nobody knows yet");
    now_ns += MIDI_LATELY_NS / 2;
    midi_out_port(m, 0, false);
    now_ns += 100 * MIDI_LATELY_NS;
    is_str(written(ALL), "", "the listener stays away");
    midi_out_port(m, 0, true);
    is_str(written(ALL), "0:803c00 ", "and hears it when it is back");
    is_str(written(ALL), "", "once");
    message(0, 0x90, 61, 64);
    message(0, 0x80, 61, 0);
    written(ALL);
    for (int i = 0; i < 3; i++, now_ns += MIDI_LATELY_NS)
        written(ALL);
    midi_out_port(m, 0, true);
    is_str(written(ALL), "", "what ended long before is not ended again");
    midi_out_free(m);
}

static bool is_sounding(int dest, unsigned note)
{
    uint64_t set[MIDI_NOTES / 64] = {0};
    midi_out_sounding(m, dest, set);
    return set[note / 64] >> (note % 64) & 1;
}

/* Whoever is disconnected now has to be told that they end. */
static void a_note_sounds_until_its_end_is_taken(void)
{
    open_at("", true);
    message(0, 0x90, 60, 64);
    written(ALL);
    ok(is_sounding(0, 60) && !is_sounding(1, 60), "a note that was struck sounds");
    message(0, 0x80, 60, 0);
    written(-EAGAIN);
    ok(is_sounding(0, 60), "and goes on while its end is refused");
    now_ns += MIDI_RETRY_NS;
    is_str(written(ALL), "0:803c00 ", "which is tried again");
    ok(!is_sounding(0, 60), "and then ends it");
    midi_out_free(m);
}

static void floods_lose_no_end(void)
{
    open_at("", true);
    for (int i = 0; i < 20000; i++)
        message(0, 0xb0, 1, (uint8_t)(i & 127));
    ok(counter_get(&stats.dest[0].send_full) > 0, "more than fits is dropped and counted");
    message(1, 0x90, 1, 1);
    is_int((long long)counter_get(&stats.dest[1].send_full), 1, "a strike, too");
    written(ALL);
    message(1, 0x90, 60, 64);
    written(ALL);
    for (int i = 0; i < 20000; i++)
        message(0, 0xb0, 1, (uint8_t)(i & 127));
    message(1, 0x80, 60, 0);
    is_int((long long)counter_get(&stats.dest[1].send_full), 1, "the end of a note is not lost");
    message(1, 0x90, 60, 64);
    is_int((long long)counter_get(&stats.dest[1].send_full), 2, "but a strike that would have to wait for it is");
    written(ALL);
    is_str(written(ALL), "1:803c00 ", "and the end finds its place");
    midi_out_free(m);
}

static void listeners_come_and_go(void)
{
    open_at("", false);
    message(0, 0x90, 60, 64);
    is_str(written(ALL), "", "nobody listens");
    midi_out_port(m, 0, true);
    is_str(written(ALL), "", "what was not heard needs no end");
    message(0, 0x90, 61, 64);
    message(0, 0x90, 62, 64);
    written(ALL);
    midi_out_port(m, 0, false);
    message(0, 0x80, 61, 0);
    is_str(written(ALL), "", "the listener has gone");
    midi_out_port(m, 0, true);
    is_str(written(ALL), "0:803d00 0:803e00 ", "when one is back, all that sounded ends");
    midi_out_free(m);
}

static void another_process_ends_what_sounds(void)
{
    char path[] = "/dev/shm/oiduna-test-XXXXXX";
    struct statfs fs;
    int fd = statfs("/dev/shm", &fs) || fs.f_type != 0x01021994 ? -1 : mkstemp(path);
    if (fd < 0) {
        diag("no file system in memory at /dev/shm: what another process does is not tested");
        return;
    }
    close(fd);
    open_at(path, true);
    message(0, 0x95, 60, 64);
    message(1, 0x90, 61, 64);
    written(ALL);
    struct midi_out *killed = m;
    open_at(path, false);
    midi_out_port(m, 0, true);
    is_str(written(ALL), "0:853c00 ", "the next process ends what the one before left, where somebody listens");
    midi_out_port(m, 1, true);
    is_str(written(ALL), "1:803d00 ", "and elsewhere when somebody does");
    message(0, 0x90, 62, 64);
    written(ALL);
    message(0, 0x80, 62, 0);
    written(-EAGAIN);
    midi_out_free(m);
    ok(access(path, F_OK) == 0, "the file is kept while an end is owed");
    open_at(path, true);
    is_str(written(ALL), "0:803e00 ", "which the next process pays");
    midi_out_free(m);
    ok(access(path, F_OK) != 0, "a file without notes is not kept");
    midi_out_free(killed);
}

int main(void)
{
    in_order();
    ends_are_owed();
    one_of_two_hangs();
    who_is_away_delays_nobody();
    one_write_at_a_time();
    an_end_behind_a_strike();
    ends_into_the_void();
    a_note_sounds_until_its_end_is_taken();
    floods_lose_no_end();
    listeners_come_and_go();
    another_process_ends_what_sounds();
    return tap_done();
}
