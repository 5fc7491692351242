/* score_midi: MIDI that is not due yet, and the notes that sound, in plain lists that are searched. */
#include "score.h"
#include <string.h>
#include "fail.h"

void score_put(const struct pending *p)
{
    if (score.pending_n == PENDING_MAX)
        sim_fail("more MIDI than the simulator can hold");
    score.pending[score.pending_n] = *p;
    score.pending[score.pending_n++].order = score.order++;
}

void score_put_plain(int dest, int64_t due_ns, int64_t step, int owner, int status, int a, int b)
{
    struct pending p = {.due_ns = due_ns, .step = step, .dest = dest, .owner = owner, .len = 3};
    if ((status & 0xf0) == 0xd0 || (status & 0xf0) == 0xc0)
        p.len = 2;
    p.bytes[0] = (uint8_t)status;
    p.bytes[1] = (uint8_t)a;
    p.bytes[2] = (uint8_t)b;
    score_put(&p);
}

static bool is_bend(const struct pending *p)
{
    return (p->bytes[0] & 0xf0) == 0xe0;
}

void score_silence(int64_t when_ns, bool all, bool discard)
{
    int kept = 0;
    for (int i = 0; i < score.pending_n; i++) {
        struct pending p = score.pending[i];
        bool falls = all || !score.heard[p.owner];
        if (falls && p.is_note && p.due_ns < when_ns && p.end_ns > when_ns)
            p.end_ns = when_ns;
        if (falls && discard && p.due_ns >= when_ns && (p.is_note || (all && is_bend(&p)))) {
            score.bend_dropped[p.dest][p.bytes[0] & 15] |= !p.is_note;
            continue;
        }
        score.pending[kept++] = p;
    }
    score.pending_n = kept;
    for (int i = 0; i < score.note_n; i++)
        if (score.note[i].end_ns > when_ns && (all || !score.heard[score.note[i].owner]))
            score.note[i].end_ns = when_ns;
}

static bool is_earlier(const struct pending *a, const struct pending *b)
{
    if (a->due_ns != b->due_ns)
        return a->due_ns < b->due_ns;
    if (a->step != b->step)
        return a->step < b->step;
    if (a->dest != b->dest)
        return a->dest < b->dest;
    return a->order < b->order;
}

static int first_pending(bool optional)
{
    int least = NONE;
    for (int i = 0; i < score.pending_n; i++)
        if ((optional || !score.pending[i].optional) &&
            (least == NONE || is_earlier(&score.pending[i], &score.pending[least])))
            least = i;
    return least;
}

static bool ends_earlier(const struct note *a, const struct note *b)
{
    int x = (a->dest * 16 + a->channel) * 128 + a->key, y = (b->dest * 16 + b->channel) * 128 + b->key;
    return a->end_ns != b->end_ns ? a->end_ns < b->end_ns : x < y;
}

static struct note *first_end(void)
{
    struct note *least = NULL;
    for (int i = 0; i < score.note_n; i++)
        if (!least || ends_earlier(&score.note[i], least))
            least = &score.note[i];
    return least;
}

static struct note *find_note(int dest, int channel, int key)
{
    for (int i = 0; i < score.note_n; i++)
        if (score.note[i].dest == dest && score.note[i].channel == channel && score.note[i].key == key)
            return &score.note[i];
    return NULL;
}

int64_t score_outlet_ns(void)
{
    int i = first_pending(false);
    const struct note *end = first_end();
    int64_t item_ns = i == NONE ? NEVER : score.pending[i].due_ns, end_ns = end ? end->end_ns : NEVER;
    if (score.expected_n && score.expected[0].due_ns < item_ns)
        item_ns = score.expected[0].due_ns;
    return item_ns < end_ns ? item_ns : end_ns;
}

static void expect_end(struct note *n, int64_t when_ns)
{
    struct pending *p = &score.expected[score.expected_n++];
    *p = (struct pending){.due_ns = when_ns, .step = -1, .dest = n->dest, .len = 3};
    p->bytes[0] = (uint8_t)(0x80 | n->channel);
    p->bytes[1] = (uint8_t)n->key;
    *n = score.note[--score.note_n];
}

/* fills expected with what has to come next, up to now and the nanosecond that rounding may differ by */
static void expect_midi(void)
{
    int i = first_pending(true);
    struct note *end = first_end();
    if (end && end->end_ns <= score.now_ns + 1 && (i == NONE || end->end_ns <= score.pending[i].due_ns)) {
        expect_end(end, end->end_ns);
        return;
    }
    if (i == NONE || score.pending[i].due_ns > score.now_ns + 1)
        return;
    struct pending p = score.pending[i];
    score.pending[i] = score.pending[--score.pending_n];
    if (p.is_note) {
        int channel = p.bytes[0] & 15, key = p.bytes[1];
        struct note *n = find_note(p.dest, channel, key);
        if (n) /* ended before it is struck again */
            expect_end(n, p.due_ns);
        score.note[score.note_n++] =
            (struct note){.end_ns = p.end_ns, .dest = p.dest, .channel = channel, .key = key, .owner = p.owner};
    }
    if (is_bend(&p) && p.dest >= DEST_SYNTH)
        score.bent[p.dest][p.bytes[0] & 15] = (p.bytes[2] << 7 | p.bytes[1]) - 8192;
    score.expected[score.expected_n++] = p;
}

const struct pending *score_next_midi(void)
{
    if (!score.expected_n)
        expect_midi();
    return score.expected_n ? &score.expected[0] : NULL;
}

void score_drop_midi(void)
{
    score.expected[0] = score.expected[1];
    score.expected_n--;
}

void score_bends(int dest, int channel, int value)
{
    score.bends[dest][channel] = true;
    score.bend[dest][channel] = value;
}

void score_port_up(int dest, int64_t when_ns)
{
    for (int ch = 0; ch < 16; ch++) {
        int bend = score.bend[dest][ch] + 8192;
        for (int slot = 0; slot < CURVE_SLOTS; slot++)
            score.sent[dest][ch][slot].value = UNKNOWN;
        if (score.bends[dest][ch] && score.state != ENGINE_PLAYING)
            score_put_plain(dest, when_ns, -1, ANONYMOUS, 0xe0 | ch, bend & 127, bend >> 7);
    }
}

int score_bend_at(int dest, int channel, int64_t when_ns)
{
    const struct pending *last = NULL;
    for (int i = 0; i < score.pending_n; i++) {
        const struct pending *p = &score.pending[i];
        if (p->dest == dest && is_bend(p) && (p->bytes[0] & 15) == channel && p->due_ns < when_ns &&
            (!last || is_earlier(last, p)))
            last = p;
    }
    return last ? (last->bytes[2] << 7 | last->bytes[1]) - 8192 : score.bent[dest][channel];
}
