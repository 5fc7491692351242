/* Reading OSC packets as they come from anybody, and the time tags of bundles. liblo writes what is right; what is
 * wrong is written by hand, or cut and forged at random into buffers of exactly its size (for the sanitizers). */
#include <errno.h>
#include <lo/lo.h>
#include "t/tap.h"
#include "io/wire/osc.h"

#define S(literal) (const uint8_t *)(literal), sizeof(literal) - 1

static void arguments_of_every_type_are_read(void)
{
    static uint8_t packet[512];
    size_t len = 0;
    lo_message m = lo_message_new();
    lo_blob blob = lo_blob_new(5, "abcde");
    lo_message_add(m, "ifdhsSbTFNI", 7, 0.5, 0.25, (int64_t)1 << 40, "kick", "snare", blob);
    lo_message_serialise(m, "/oiduna/mute", packet, &len);
    struct osc_message got;
    is_int(osc_parse(packet, len, &got), 0, "a message that liblo wrote is read");
    is_str(got.address, "/oiduna/mute", "its address");
    is_str(got.types, "ifdhsSbTFNI", "its types");
    is_int(got.n, 11, "its number of arguments");
    is_int(got.argument[0].i, 7, "i");
    ok(got.argument[1].f == 0.5, "f");
    ok(got.argument[2].f == 0.25, "d");
    is_int(got.argument[3].h, (int64_t)1 << 40, "h");
    is_str(got.argument[4].s, "kick", "s");
    is_str(got.argument[5].s, "snare", "S");
    ok(got.argument[6].b.len == 5 && !memcmp(got.argument[6].b.data, "abcde", 5), "b");
    ok(got.argument[7].type == 'T' && got.argument[8].type == 'F', "T and F");
    lo_blob_free(blob);
    lo_message_free(m);
}

static void what_is_no_osc_is_refused(void)
{
    static const struct {
        const char *what;
        const char *bytes;
        size_t len;
    } bad[] = {
        {"nothing", "", 0},
        {"a length that is no multiple of 4", "/a\0\0,\0\0", 7},
        {"an address without a slash", "abc\0,\0\0\0", 8},
        {"an address without an end", "/abc", 4},
        {"types without a comma", "/a\0\0i\0\0\0\0\0\0\1", 12},
        {"types without an end", "/a\0\0,iii", 8},
        {"an int that is not there", "/a\0\0,i\0\0", 8},
        {"half a double", "/a\0\0,d\0\0\0\0\0\0", 12},
        {"a string without an end", "/a\0\0,s\0\0abcd", 12},
        {"a string that is not there", "/a\0\0,s\0\0", 8},
        {"a blob longer than the packet", "/a\0\0,b\0\0\0\0\0\5abcd", 16},
        {"a blob of negative length", "/a\0\0,b\0\0\377\377\377\374", 12},
        {"a type that nobody knows", "/a\0\0,x\0\0", 8},
        {"bytes after the last argument", "/a\0\0,\0\0\0abcd", 12},
        {"seventeen arguments", "/a\0\0,TTTTTTTTTTTTTTTTT\0\0", 24},
    };
    struct osc_message m;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        is_int(osc_parse((const uint8_t *)bad[i].bytes, bad[i].len, &m), -EBADMSG, bad[i].what);
    is_int(osc_parse(S("/a\0\0"), &m), 0, "a message of old without type tags is a message");
    is_int(m.n, 0, "… without arguments");
    is_int(osc_parse(S("/a\0\0,TTTTTTTTTTTTTTTT\0\0\0"), &m), 0, "sixteen arguments are read");
}

struct walked {
    int n;
    uint64_t tag[8];
    char address[8][16];
    int stop_at;
};

static int note_message(void *ctx, const uint8_t *message, size_t len, uint64_t tag)
{
    struct walked *w = ctx;
    struct osc_message m;
    if (osc_parse(message, len, &m))
        return -EBADMSG;
    snprintf(w->address[w->n], sizeof w->address[0], "%s", m.address);
    w->tag[w->n++] = tag;
    return w->n == w->stop_at ? 77 : 0;
}

static void bundles_are_walked_in_order(void)
{
    static const char inner[] = "#bundle\0\0\0\0\2\0\0\0\0\0\0\0\10/b\0\0,\0\0\0";
    static const char packet[] = "#bundle\0\0\0\0\1\0\0\0\0\0\0\0\10/a\0\0,\0\0\0\0\0\0\34"
                                 "#bundle\0\0\0\0\2\0\0\0\0\0\0\0\10/b\0\0,\0\0\0\0\0\0\4/c\0";
    struct walked w = {0};
    is_int(osc_walk(S("/a\0\0,\0\0\0"), note_message, &w), 0, "a bare message is walked");
    ok(w.n == 1 && w.tag[0] == 1, "… as one to act on immediately");

    w = (struct walked){0};
    is_int(osc_walk((const uint8_t *)packet, sizeof packet, note_message, &w), 0, "a bundle inside a bundle is walked");
    ok(w.n == 3 && !strcmp(w.address[0], "/a") && !strcmp(w.address[1], "/b") && !strcmp(w.address[2], "/c"),
       "its messages come in order");
    ok(w.tag[0] == 1ull << 32 && w.tag[1] == 2ull << 32 && w.tag[2] == 1ull << 32, "each with its own bundle's time");

    w = (struct walked){.stop_at = 2};
    is_int(osc_walk((const uint8_t *)packet, sizeof packet, note_message, &w), 77, "the callback can end the walk");
    is_int(w.n, 2, "… where it wants");

    w = (struct walked){0};
    is_int(osc_walk(S("#bundle\0\0\0\0\1\0\0\0\0"), note_message, &w), 0, "an empty bundle is nothing to do");
    is_int(osc_walk(S("#bundle\0\0\0\0\1"), note_message, &w), -EBADMSG, "half a bundle header is refused");
    is_int(osc_walk(S("#bundlE\0\0\0\0\1\0\0\0\0"), note_message, &w), -EBADMSG, "another word is refused");
    is_int(osc_walk((const uint8_t *)packet, sizeof packet - 4, note_message, &w), -EBADMSG,
           "an element longer than its bundle is refused");
    is_int(osc_walk((const uint8_t *)inner, 24, note_message, &w), -EBADMSG, "a bundle cut in its element is refused");

    static uint8_t nest[9 * 20 + 8];
    for (int depth = 8; depth <= 9; depth++) {
        uint8_t *p = nest;
        for (int i = 0; i < depth; i++) {
            memcpy(p, "#bundle\0\0\0\0\0\0\0\0\1", 16);
            p += 16;
            memset(p, 0, 4);
            p[3] = (uint8_t)((depth - 1 - i) * 20 + 8);
            p += 4;
        }
        memcpy(p, "/d\0\0,\0\0\0", 8);
        w = (struct walked){0};
        is_int(osc_walk(nest, (size_t)(p - nest) + 8, note_message, &w), depth == 8 ? 0 : -EBADMSG,
               depth == 8 ? "eight bundles deep is walked" : "nine bundles deep is refused");
    }
}

static int parse_only(void *ctx, const uint8_t *message, size_t len, uint64_t tag)
{
    (void)ctx, (void)tag;
    struct osc_message m;
    return osc_parse(message, len, &m);
}

static void no_packet_is_read_beyond_its_end(void)
{
    static const char seed[] = "#bundle\0\0\0\0\1\0\0\0\0\0\0\0\30/oiduna/bpm\0\0\0\0,f\0\0\x42\xf6\0\0"
                               "\0\0\0\34/oiduna/mute\0\0\0\0,sb\0\0\0\0\4abcd";
    uint64_t random = 1;
    int read = 0, refused = 0;
    for (int round = 0; round < 20000; round++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t len = (random >> 33) % (sizeof seed);
        uint8_t *packet = malloc(len ? len : 1);
        memcpy(packet, seed, len);
        if (len && round % 2)
            packet[(random >> 20) % len] = (uint8_t)(random >> 50);
        if (osc_walk(packet, len, parse_only, NULL))
            refused++;
        else
            read++;
        free(packet);
    }
    ok(refused > 1000 && read > 10, "cut and forged packets are refused or read (%d, %d), never overread", refused,
       read);
}

static void time_tags_are_exact_to_a_nanosecond(void)
{
    ok(osc_time_tag(0) == 2208988800ull << 32, "1970 is 2208988800 seconds after 1900");
    ok(osc_time_tag(1500000000) == (2208988801ull << 32 | 0x80000000u), "half a second is the upper bit");
    is_int(osc_time_ns(1), 0, "immediately is 0");
    uint64_t random = 7;
    int wrong = 0;
    for (int i = 0; i < 100000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        int64_t ns = (int64_t)(random >> 2) % 2000000000000000000;
        wrong += osc_time_ns(osc_time_tag(ns)) != ns;
    }
    is_int(wrong, 0, "every nanosecond comes back from its tag");
    is_int(osc_time_ns(osc_time_tag(-1)), -1, "also before 1970");
}

int main(void)
{
    arguments_of_every_type_are_read();
    what_is_no_osc_is_refused();
    bundles_are_walked_in_order();
    no_packet_is_read_beyond_its_end();
    time_tags_are_exact_to_a_nanosecond();
    return tap_done();
}
