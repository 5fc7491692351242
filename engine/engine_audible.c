/* engine_audible: which tracks are heard, from the flags of the session and those set by command. */
#include <assert.h>
#include <string.h>
#include "engine_state.h"

REALTIME static int8_t flag_get(const _Atomic int8_t *flag, uint32_t id)
{
    assert(id == ID_NONE || id < IDS_MAX);
    return id == ID_NONE ? (int8_t)-1 : atomic_load_explicit(&flag[id], memory_order_relaxed);
}

REALTIME static bool owner_soloed(const struct engine *e, const struct owner *o)
{
    int8_t flag = flag_get(e->solo, o->id);
    return flag >= 0 ? flag : o->solo;
}

REALTIME static bool owner_muted(const struct engine *e, const struct owner *o)
{
    int8_t flag = flag_get(e->mute, o->id);
    return flag >= 0 ? flag : o->mute;
}

/* Solo beats mute: if anything is soloed, only that is heard. */
REALTIME void engine_hear(struct engine *e)
{
    const struct session *s = e->play;
    bool any_solo = false;
    memset(&e->audible, 0, sizeof e->audible);
    for (uint32_t i = 0; s && i < s->owner_n && !any_solo; i++)
        any_solo = owner_soloed(e, &s->owner[i]);
    e->audible.nobody = !any_solo;
    for (uint32_t i = 0; s && i < s->owner_n; i++) {
        const struct owner *o = &s->owner[i];
        if (o->id != ID_NONE && (any_solo ? owner_soloed(e, o) : !owner_muted(e, o)))
            e->audible.bit[o->id / 64] |= (uint64_t)1 << (o->id % 64);
    }
}

REALTIME void engine_set_flags(struct engine *e, const struct command *c, int64_t when_ns)
{
    if (c->kind == COMMAND_MUTE_CLEAR) {
        for (int i = 0; i < IDS_MAX; i++) {
            atomic_store_explicit(&e->mute[i], -1, memory_order_relaxed);
            atomic_store_explicit(&e->solo[i], -1, memory_order_relaxed);
        }
    } else {
        _Atomic int8_t *flag = c->kind == COMMAND_MUTE ? e->mute : e->solo;
        assert(c->id < IDS_MAX);
        atomic_store_explicit(&flag[c->id], c->on ? 1 : 0, memory_order_relaxed);
    }
    engine_hear(e);
    engine_silence(e, when_ns, &e->audible);
}

int engine_flag_mute(const struct engine *e, uint32_t id)
{
    return flag_get(e->mute, id);
}

int engine_flag_solo(const struct engine *e, uint32_t id)
{
    return flag_get(e->solo, id);
}
