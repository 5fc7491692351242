/* ids: track ids ever known, interned to small numbers that never change.
 *
 * Purpose: flags set by command outlive sessions, so they belong to the id, not to a track; the engine must find an id
 *   by name without a lock.
 * Thread: one writer (the helper) interns; any thread looks up. Entries are never removed.
 * Owns: its copies of the names, until ids_free.
 * Limits: IDS_MAX ids, ID_BYTES_MAX bytes each. */
#ifndef OIDUNA_IDS_H
#define OIDUNA_IDS_H
#include <stdint.h>
#include "limits.h"
#include "rt.h"

/* In place of a number: of no track. */
#define ID_NONE UINT32_MAX

struct ids;

/* Returns NULL when out of memory. */
struct ids *ids_new(void);
void ids_free(struct ids *ids);
/* The number of the id, new or known; -ENOSPC when IDS_MAX are known, -EINVAL when longer than ID_BYTES_MAX. */
int ids_intern(struct ids *ids, const char *name);
/* The number of the id, or -1 if it is unknown. Any thread, wait-free. */
REALTIME int ids_find(const struct ids *ids, const char *name);
/* The name of a number that ids_intern or ids_find has returned. */
REALTIME const char *ids_name(const struct ids *ids, uint32_t id);
REALTIME uint32_t ids_count(const struct ids *ids);

#endif
