/* ids: numbers of track ids, and finding them while others are added. */
#include "engine/ids.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include "t/tap.h"

static void name_of(char *name, unsigned i)
{
    snprintf(name, ID_BYTES_MAX + 1, "track %u", i);
}

static void numbers(void)
{
    struct ids *ids = ids_new();
    is_int(ids_find(ids, "kick"), -1, "an unknown id");
    is_int(ids_intern(ids, "kick"), 0, "the first id");
    is_int(ids_intern(ids, "snare"), 1, "the second");
    is_int(ids_intern(ids, "kick"), 0, "a known id keeps its number");
    is_int(ids_find(ids, "snare"), 1, "found by name");
    is_str(ids_name(ids, 1), "snare", "and its name by number");
    is_int(ids_intern(ids, ""), 2, "an empty id is one, too");
    is_int(ids_find(ids, "kic"), -1, "a part of an id is another one");
    is_int(ids_count(ids), 3, "they are counted");

    char name[ID_BYTES_MAX + 2];
    memset(name, 'x', sizeof name);
    name[ID_BYTES_MAX + 1] = '\0';
    is_int(ids_intern(ids, name), -EINVAL, "an id of 256 bytes");
    is_int(ids_find(ids, name), -1, "is not known");
    name[ID_BYTES_MAX] = '\0';
    is_int(ids_intern(ids, name), 3, "one of 255 is possible");
    is_str(ids_name(ids, 3), name, "with all its bytes");

    bool right = true;
    for (unsigned i = ids_count(ids); i < IDS_MAX; i++) {
        name_of(name, i);
        right = right && ids_intern(ids, name) == (int)i;
    }
    ok(right && ids_count(ids) == IDS_MAX, "%d ids are possible", IDS_MAX);
    is_int(ids_intern(ids, "one more"), -ENOSPC, "one more is not");
    is_int(ids_intern(ids, "kick"), 0, "a known one still is");
    for (unsigned i = 4; i < IDS_MAX; i++) {
        name_of(name, i);
        right = right && ids_find(ids, name) == (int)i;
    }
    ok(right && ids_find(ids, "one more") == -1, "all are found in a full table, others not");
    ids_free(ids);
}

/* The helper adds ids while the engine looks one up: what is found is right, and what was found stays. */
static _Atomic bool done;

static void *look_up(void *arg)
{
    const struct ids *ids = arg;
    char name[ID_BYTES_MAX + 1];
    unsigned wrong = 0, known = 0;
    while (!atomic_load(&done) || known < IDS_MAX) {
        for (unsigned i = 0; i < known; i++) {
            name_of(name, i);
            wrong += ids_find(ids, name) != (int)i || strcmp(ids_name(ids, i), name);
        }
        unsigned count = ids_count(ids);
        for (name_of(name, known); known < count; name_of(name, ++known))
            wrong += ids_find(ids, name) != (int)known;
        name_of(name, known + 100);
        int ahead = ids_find(ids, name);
        wrong += ahead != -1 && ahead != (int)known + 100;
    }
    return wrong ? arg : NULL;
}

static void while_growing(void)
{
    struct ids *ids = ids_new();
    char name[ID_BYTES_MAX + 1];
    pthread_t reader;
    void *wrong;
    pthread_create(&reader, NULL, look_up, ids);
    for (unsigned i = 0; i < IDS_MAX; i++) {
        name_of(name, i);
        ids_intern(ids, name);
    }
    atomic_store(&done, true);
    pthread_join(reader, &wrong);
    ok(!wrong, "ids are found by another thread while more are added");
    ids_free(ids);
}

int main(void)
{
    numbers();
    while_growing();
    return tap_done();
}
