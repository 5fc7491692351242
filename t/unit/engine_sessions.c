/* The engine and its helper: sessions that are swapped, undone, timed and merged again; flags of tracks. */
#include "engine_stage.h"

static void helper_looks(void)
{
    submit_poll(submit);
}

/* A destination that is heard later has its boundaries later. */
static void swaps_where_it_is_heard(void)
{
    dests.dest[1].latency_ns = 60 * MS;
    stage(100 * MS);
    play(1, NOTES("{\"step\":0,\"note\":60,\"gate\":64},{\"step\":15,\"note\":61,\"gate\":64}"));
    simply(COMMAND_START);
    int64_t start_ns = now_ns + 100 * MS;
    pass(200 * MS);
    play(2, KICK("beat", "sn", EVERY_BEAT));
    pass(3000 * MS);
    int offs = 0;
    for (int i = 0; i < heard_n; i++) {
        if (heard[i].dest != 1 || heard[i].bytes[0] != 0x83)
            continue;
        offs++;
        is_int(heard[i].due_ns - start_ns, 560 * MS, "a note that the next session has not ends at its boundary");
    }
    is_int(offs, 2, "both of them");
    dests.dest[1].latency_ns = 0;
    strike();
}

static void swaps(void)
{
    stage(100 * MS);
    play(1, KICK("now", "bd", EVERY_BEAT));
    simply(COMMAND_START);
    pass(300 * MS);
    play(2, KICK("bar", "sn", EVERY_BEAT));
    play(3, KICK("beat", "hh", EVERY_BEAT));
    is_str(receipts, "+1 !1@0 +2 +3 ~2 ", "a newer full session supersedes what waits");
    pass(1000 * MS);
    is_str(receipts, "+1 !1@0 +2 +3 ~2 !3@16 ", "and takes effect at the earlier boundary");
    play(4, KICK("now", "cp", EVERY_BEAT));
    pass(3000 * MS);
    simply(COMMAND_STOP);
    submit_undo(submit, 5, TIMING_NOW, 0);
    settle();
    is_str(status().session, "hh", "undo goes back by one");
    submit_undo(submit, 6, TIMING_NOW, 0);
    settle();
    is_str(status().session, "bd", "and by another one");
    submit_undo(submit, 7, TIMING_NOW, 0);
    settle();
    ok(strstr(receipts, "-7 ") != NULL, "before the first there is nothing to undo");
    is_int((long long)counter_get(&stats.sessions_applied), 5, "applied sessions are counted");
    strike();
}

static void two_undos_before_a_bar(void)
{
    stage(100 * MS);
    play(1, KICK("now", "bd", EVERY_BEAT));
    play(2, KICK("now", "sn", EVERY_BEAT));
    play(3, KICK("now", "hh", EVERY_BEAT));
    simply(COMMAND_START);
    pass(300 * MS);
    submit_undo(submit, 4, TIMING_BAR, 0);
    settle();
    submit_undo(submit, 5, TIMING_BAR, 0);
    settle();
    pass(3000 * MS);
    is_str(status().session, "bd", "two undos before one bar go back by two");
    ok(strstr(receipts, "~4 !5@64") != NULL, "the first of them is superseded");
    strike();
}

static void timed_sessions(void)
{
    stage(100 * MS);
    play(1, KICK("now", "bd", EVERY_BEAT));
    simply(COMMAND_START);
    pass(300 * MS);
    const char *text = KICK("beat", "sn", EVERY_BEAT);
    submit_text(submit, 2, text, strlen(text), 1100 * MS + 600 * MS);
    settle();
    pass(3000 * MS);
    ok(strstr(receipts, "!2@32") != NULL, "a session with a time tag waits for the first boundary after it (%s)",
       receipts);
    strike();
}

static void flags(void)
{
    stage(100 * MS);
    play(1,
         "{\"tracks\":{\"a\":{\"params\":{\"s\":\"bd\"}},\"b\":{\"params\":{\"s\":\"sn\"},\"meta\":{\"mute\":true}}},"
         "\"sequences\":{\"a\":{\"length\":16,\"events\":[{\"step\":0}]},\"b\":{\"length\":16,\"events\":[{\"step\":0}]"
         "}}}");
    simply(COMMAND_START);
    pass(490 * MS);
    is_int(count(0, 0), 1, "a muted track is silent");
    command(COMMAND_SOLO, 0, "b", true, 0);
    pass(500 * MS);
    is_int(count(0, 16), 1, "solo beats mute, and the other falls silent");
    command(COMMAND_MUTE_CLEAR, 0, NULL, false, 0);
    command(COMMAND_MUTE, 0, "b", false, 0);
    pass(500 * MS);
    is_int(count(0, 32), 2, "mute off by command wins over the session's mute");
    is_int(engine_flag_mute(engine, (uint32_t)ids_find(ids, "b")), 0, "the flag can be read");
    strike();
}

/* A helper that looks in the middle of the engine's tick: what it is told of is in the status already. */
static void told_when_it_shows(void)
{
    stage(100 * MS);
    meanwhile = helper_looks;
    *seen = '\0';
    play(1, KICK("now", "one", EVERY_BEAT));
    play(2, KICK("now", "two", EVERY_BEAT));
    is_str(seen, "one one two two ", "who is told that a session is accepted, or applied, finds it in the status");
    simply(COMMAND_START);
    pass(300 * MS);
    *seen = '\0';
    play(3, KICK("bar", "three", EVERY_BEAT));
    is_str(seen, "two<three ", "one that waits, as waiting");
    pass(3000 * MS);
    is_str(seen, "two<three three ", "until it plays");
    play(4, KICK("seq", "four", EVERY_BEAT));
    *seen = '\0';
    simply(COMMAND_STOP);
    is_str(seen, "four ", "or the transport stops");
    meanwhile = NULL;
    strike();
}

/* The helper merges with what plays; when that changes before the engine looks, it has to be merged again. */
static void merged_again(void)
{
    stage(100 * MS);
    play(1, KICK("now", "bd", EVERY_BEAT));
    const char *text = KICK("now", "sn", EVERY_BEAT);
    const struct command start = {.kind = COMMAND_START, .received_ns = now_ns, .origin.kind = ORIGIN_CONTROL};
    submit_text(submit, 2, text, strlen(text), 0);
    submit_poll(submit);
    engine_command(engine, &start, now_ns);
    settle();
    is_int((long long)counter_get(&stats.rebases), 1,
           "a session made for a stopped engine is sent back by one that plays");
    ok(strstr(receipts, "+2 ") && strstr(receipts, "!2@1 "), "and accepted and applied when it is merged again: %s",
       receipts);
    is_int((long long)counter_get(&stats.swaps), 2, "each is applied once");
    strike();
}

int main(void)
{
    told_when_it_shows();
    swaps_where_it_is_heard();
    swaps();
    two_undos_before_a_bar();
    timed_sessions();
    flags();
    merged_again();
    return tap_done();
}
