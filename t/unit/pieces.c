/* Documents in pieces come together in any order, never larger than announced, and not forever. */
#include <errno.h>
#include "io/helper/pieces.h"
#include "t/tap.h"

#define SECOND 1000000000LL
enum { MIB = 1 << 20 };

static struct pieces_why why;

static struct origin at_port(int port)
{
    struct origin o = {
        .kind = ORIGIN_OSC, .address_len = 16, .address = {2, 0, (uint8_t)(port >> 8), (uint8_t)port, 127, 0, 0, 1}};
    return o;
}

static int begin(struct pieces *all, int port, const char *name, int32_t bytes, int32_t chunks)
{
    struct origin o = at_port(port);
    return pieces_begin(all, &o, name, bytes, chunks, 8 * MIB, 0, &why);
}

static int chunk(struct pieces *all, int port, const char *name, int32_t index, const char *text)
{
    struct origin o = at_port(port);
    return pieces_chunk(all, &o, name, index, (const uint8_t *)text, strlen(text), &why);
}

/* the document, "" and its length in *error when there is none */
static const char *end(struct pieces *all, int port, const char *name, int *error)
{
    static char document[256];
    struct origin o = at_port(port);
    char *text;
    size_t len;
    document[0] = 0;
    *error = pieces_end(all, &o, name, 64 * MIB, &text, &len, &why);
    if (*error)
        return document;
    memcpy(document, text, len);
    document[len] = 0;
    free(text);
    return document;
}

static void any_order(void)
{
    struct pieces *all = pieces_new();
    int error;
    is_int(begin(all, 1, "a", 11, 4), 0, "eleven bytes in four pieces are announced");
    is_int(chunk(all, 1, "a", 3, "ld"), 0, "the last piece comes first");
    is_int(chunk(all, 1, "a", 0, "hello"), 0, "then the first");
    is_int(chunk(all, 1, "a", 0, "hello"), 0, "once more the first");
    end(all, 1, "a", &error);
    is_int(error, -EAGAIN, "the end before all are here is an error");
    is_str(why.text, "set \"a\": missing 2 of 4 pieces: 1-2", "that lists what is missing");
    is_int(chunk(all, 1, "a", 2, "wor"), 0, "but the set is still there");
    end(all, 1, "a", &error);
    is_str(why.text, "set \"a\": missing 1 of 4 pieces: 1", "one is missing");
    is_int(chunk(all, 1, "a", 1, " "), 0, "it comes");
    is_str(end(all, 1, "a", &error), "hello world", "the document is whole and in order");
    end(all, 1, "a", &error);
    is_int(error, -ENOENT, "and then the set is gone");
    is_int(chunk(all, 1, "b", 0, "x"), -ENOENT, "a piece before its begin is an error");
    pieces_free(all);
}

static void apart(void)
{
    struct pieces *all = pieces_new();
    int error;
    begin(all, 1, "x", 1, 1);
    begin(all, 2, "x", 1, 1);
    begin(all, 1, "y", 1, 1);
    chunk(all, 1, "x", 0, "1");
    chunk(all, 2, "x", 0, "2");
    chunk(all, 1, "y", 0, "3");
    is_str(end(all, 2, "x", &error), "2", "sets of one name from two senders are two sets");
    is_str(end(all, 1, "y", &error), "3", "and so are two names of one sender");
    is_str(end(all, 1, "x", &error), "1", "none takes the other's pieces");
    begin(all, 1, "x", 2, 2);
    chunk(all, 1, "x", 0, "o");
    begin(all, 1, "x", 2, 2);
    chunk(all, 1, "x", 1, "n");
    end(all, 1, "x", &error);
    is_int(error, -EAGAIN, "a set begun again holds nothing of the attempt before");
    pieces_free(all);
}

static void only_what_was_announced(void)
{
    struct pieces *all = pieces_new();
    int error;
    begin(all, 1, "a", 5, 2);
    is_int(chunk(all, 1, "a", 0, "toolong"), -EINVAL, "a piece larger than the document is refused");
    ok(strstr(why.text, "7 bytes") && strstr(why.text, "5"), "with both figures");
    chunk(all, 1, "a", 0, "abc");
    is_int(chunk(all, 1, "a", 1, "def"), -EINVAL, "pieces that add up to more are");
    is_int(chunk(all, 1, "a", 0, "abd"), -EINVAL, "a piece that comes again with other contents is an error");
    is_int(chunk(all, 1, "a", 2, "x"), -EINVAL, "a piece with too high a number is an error");
    is_int(chunk(all, 1, "a", -1, "x"), -EINVAL, "and one with a negative one");
    is_int(chunk(all, 1, "a", INT32_MIN, "x"), -EINVAL, "however negative");
    chunk(all, 1, "a", 1, "d");
    end(all, 1, "a", &error);
    is_int(error, -EINVAL, "pieces that add up to less are refused at the end");
    end(all, 1, "a", &error);
    is_int(error, -ENOENT, "and nothing more is waited for");
    pieces_free(all);
}

static void hostile_figures(void)
{
    struct pieces *all = pieces_new();
    static const int32_t bytes[] = {0, -1, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++)
        ok(begin(all, 1, "a", bytes[i], 1) < 0, "%d bytes are refused", bytes[i]);
    static const int32_t chunks[] = {0, -1, INT32_MIN, INT32_MAX, CHUNK_COUNT_MAX + 1};
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++)
        ok(begin(all, 1, "a", 100, chunks[i]) < 0, "%d pieces are refused", chunks[i]);
    is_int(begin(all, 1, "a", 8 * MIB + 1, 9), -E2BIG, "more than limits.session_bytes is refused at once");
    ok(strstr(why.text, "8388609") && strstr(why.text, "8388608"), "with both figures");
    char name[200];
    memset(name, 'n', sizeof name);
    name[199] = 0;
    is_int(begin(all, 1, name, 1, 1), -EINVAL, "a name of 199 bytes is refused");
    is_int(chunk(all, 1, name, 0, ""), -ENOENT, "and not looked for");
    is_int(begin(all, 1, "a", 10, CHUNK_COUNT_MAX), 0, "more pieces than bytes are possible");
    int error = 0;
    for (int i = 0; i < CHUNK_COUNT_MAX; i += 2)
        error |= chunk(all, 1, "a", i, "");
    is_int(error, 0, "if they are empty");
    end(all, 1, "a", &error);
    ok(error == -EAGAIN && strlen(why.text) < sizeof why.text && strstr(why.text, "1, 3, 5") && strstr(why.text, " …"),
       "the list of 32,768 gaps says that it goes on");
    pieces_free(all);
}

static void only_so_many(void)
{
    struct pieces *all = pieces_new();
    int error = 0;
    for (int i = 0; i < CHUNK_SETS_MAX; i++)
        error |= begin(all, i, "a", 1000, 1);
    is_int(error, 0, "eight sets may be collected");
    is_int(begin(all, 100, "a", 1000, 1), -ENOSPC, "a ninth may not");
    is_int(begin(all, 3, "a", 2000, 1), 0, "but one of them may begin again");
    pieces_free(all);

    all = pieces_new();
    for (int i = 0; i < 7; i++)
        error |= begin(all, i, "a", 8 * MIB, 1);
    is_int(error, 0, "56 MiB may be announced");
    is_int(begin(all, 7, "a", 8 * MIB, 1), 0, "64 MiB too");
    is_int(begin(all, 0, "a", 8 * MIB, 1), 0, "and again, as the same set");
    pieces_free(all);

    all = pieces_new();
    struct origin o = at_port(1);
    is_int(pieces_begin(all, &o, "a", 60 * MIB, 1, 64 * MIB, 0, &why), 0, "60 MiB where the configuration allows it");
    is_int(pieces_begin(all, &o, "b", 5 * MIB, 1, 64 * MIB, 0, &why), -ENOSPC, "then 5 more are too many");
    ok(strstr(why.text, "62914560") && strstr(why.text, "67108864"), "the figures are given");
    pieces_free(all);
}

static void no_room_yet(void)
{
    struct pieces *all = pieces_new();
    struct origin o = at_port(1);
    char *text;
    size_t len;
    int error;
    begin(all, 1, "a", 3, 1);
    chunk(all, 1, "a", 0, "abc");
    is_int(pieces_end(all, &o, "a", 2, &text, &len, &why), -ENOSPC, "a document without room is not handed over");
    is_str(end(all, 1, "a", &error), "abc", "and not lost");
    pieces_free(all);
}

static void not_forever(void)
{
    struct pieces *all = pieces_new();
    struct origin o = at_port(1), who;
    strcpy(o.request, "r1");
    is_int(pieces_due_ns(all), INT64_MAX, "nothing is due when nothing is collected");
    pieces_begin(all, &o, "slow", 10, 3, MIB, 10 * SECOND, &why);
    o = at_port(2);
    pieces_begin(all, &o, "full", 1, 1, MIB, 12 * SECOND, &why);
    chunk(all, 2, "full", 0, "x");
    chunk(all, 1, "slow", 1, "y");
    is_int(pieces_due_ns(all), 15 * SECOND, "the older set is due five seconds after its begin");
    ok(!pieces_give_up(all, 15 * SECOND - 1, &who, &why), "nothing is given up before");
    ok(pieces_give_up(all, 15 * SECOND, &who, &why), "then it is");
    is_str(who.request, "r1", "its sender is told, with the id of the begin");
    ok(strstr(why.text, "0, 2"), "and what is missing");
    ok(!pieces_give_up(all, 15 * SECOND, &who, &why), "the younger is not yet");
    ok(pieces_give_up(all, 17 * SECOND, &who, &why) && strstr(why.text, "no session/end"),
       "a complete set whose end never came is given up, too");
    is_int(pieces_due_ns(all), INT64_MAX, "nothing is left");
    pieces_free(all);
}

int main(void)
{
    any_order();
    apart();
    only_what_was_announced();
    hostile_figures();
    only_so_many();
    no_room_yet();
    not_forever();
    return tap_done();
}
