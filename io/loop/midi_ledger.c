#include "midi_ledger.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "io/sys/rt.h"

static const char ledger_magic[16] = "oiduna sounding";

/* Only a file system in memory will do: on others the kernel write-protects pages now and then, to write them back, and
 * the engine thread would fault. */
static bool is_in_memory(int fd)
{
    struct statfs fs;
    return !fstatfs(fd, &fs) && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* NULL: the file cannot be used. *is_new: it has nothing to say. */
static struct midi_ledger *ledger_map(const char *path, bool *is_new)
{
    int fd = *path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    void *p = MAP_FAILED;
    if (fd < 0)
        return NULL;
    off_t before = lseek(fd, 0, SEEK_END);
    if (is_in_memory(fd) && !ftruncate(fd, sizeof(struct midi_ledger)))
        p = mmap(NULL, sizeof(struct midi_ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    else
        unlink(path);
    close(fd);
    if (p == MAP_FAILED)
        return NULL;
    *is_new = before != sizeof(struct midi_ledger) ||
              memcmp(((const struct midi_ledger *)p)->magic, ledger_magic, sizeof ledger_magic) != 0;
    return p;
}

/* Keeps what the process before us left at destinations of the same name. */
static void ledger_take_over(struct midi_ledger *l, const struct dest_table *dests, bool is_new)
{
    struct midi_ledger before = *l;
    memset(l, 0, sizeof *l);
    memcpy(l->magic, ledger_magic, sizeof ledger_magic);
    for (int d = 0; d < dests->n; d++) {
        memcpy(l->dest[d].name, dests->dest[d].name, sizeof l->dest[d].name);
        for (int old = 0; !is_new && old < DESTINATIONS_MAX; old++)
            if (dests->dest[d].type == DEST_MIDI && !strncmp(before.dest[old].name, l->dest[d].name, NAME_BYTES_MAX))
                memcpy(l->dest[d].note, before.dest[old].note, sizeof before.dest[old].note);
    }
}

struct midi_ledger *midi_ledger_open(const char *path, const struct dest_table *dests, bool *is_file)
{
    bool is_new = true;
    struct midi_ledger *l = ledger_map(path, &is_new);
    *is_file = l != NULL;
    if (!l)
        l = rt_map(sizeof *l);
    if (l)
        ledger_take_over(l, dests, is_new);
    return l;
}

void midi_ledger_close(struct midi_ledger *l)
{
    rt_unmap(l, sizeof *l);
}

bool midi_ledger_is_empty(const struct midi_ledger *l)
{
    uint64_t any = 0;
    for (int d = 0; d < DESTINATIONS_MAX; d++)
        for (unsigned i = 0; i < MIDI_NOTE_WORDS; i++)
            any |= midi_ledger_word(l, d, i);
    return !any;
}

REALTIME void midi_ledger_set(struct midi_ledger *l, int dest, unsigned note, bool sounds)
{
    uint64_t bit = (uint64_t)1 << (note % 64), word = midi_ledger_word(l, dest, note / 64);
    atomic_store_explicit(&l->dest[dest].note[note / 64], sounds ? word | bit : word & ~bit, memory_order_relaxed);
}
