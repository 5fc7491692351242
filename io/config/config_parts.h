/* config_parts: what the files of this module share: the words for enumerations, one parser per type, errors.
 *
 * Private to config*.c. Thread: as config.h. Owns: nothing. */
#ifndef OIDUNA_CONFIG_PARTS_H
#define OIDUNA_CONFIG_PARTS_H
#include "config.h"

extern const char config_kind_name[3][5];  /* by enum dest_type */
extern const char config_clock_name[3][8]; /* by enum midi_clock */

/* Says why a value is wrong. Always false, so that a parser can return it. */
__attribute__((format(printf, 2, 3))) bool config_bad(struct config_error *e, const char *text, ...);
/* Puts a key or a place before the text of the error. */
__attribute__((format(printf, 2, 3))) void config_prefix(struct config_error *e, const char *text, ...);

/* Parses `text` into the field of `key`. owner: the struct config or struct config_dest that has the field; unchanged
 * on an error, unless it is a list. */
bool config_parse(const struct config_key *key, const char *text, void *owner, struct config_error *e);
void config_print_endpoint(const struct sockaddr_storage *a, char *out, size_t size);

/* The destination of that name, added with its defaults if it does not exist. Returns NULL if the name is invalid or
 * there are DESTINATIONS_MAX. */
struct config_dest *config_dest_named(struct config *c, const char *name, struct config_error *e);

#endif
