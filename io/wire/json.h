/* json: builds and reads small JSON values, and survives running out of memory.
 *
 * Purpose: json-c asserts where it is given NULL. Here NULL is sticky instead: a value that could not be made makes
 *   NULL of what it is added to, and so on up to the whole answer, which then becomes an error. Nothing has to be
 *   checked in between.
 * Thread: any.
 * Owns: nothing; json_add and json_append take ownership of the value in any case. */
#ifndef OIDUNA_JSON_H
#define OIDUNA_JSON_H
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

/* value NULL, or *object NULL, or out of memory: *object becomes NULL, everything is freed. */
void json_add(json_object **object, const char *key, json_object *value);
void json_append(json_object **list, json_object *value);
void json_add_string(json_object **object, const char *key, const char *text);
void json_add_int(json_object **object, const char *key, int64_t value);
void json_add_flag(json_object **object, const char *key, bool value);
/* Integers without a point; others with `digits` significant digits. */
void json_add_number(json_object **object, const char *key, long double value, int digits);
/* {"ok": true} */
json_object *json_ok(void);

/* A string of text that may hold anything: bytes that are not UTF-8 become U+FFFD. */
json_object *json_string(const char *text);

/* Reads text that is known to be JSON; NULL when it is not, or out of memory. */
json_object *json_read(const char *text, size_t len);

/* Members; 0, false, "" or NULL where there is none. object may be NULL. */
json_object *json_member(json_object *object, const char *key);
double json_number(json_object *object, const char *key);
bool json_flag(json_object *object, const char *key);
const char *json_text(json_object *object, const char *key);
/* of an array; 0 for anything else */
size_t json_length(json_object *list);

/* The value as text without spaces, good as long as the value; NULL when out of memory. */
const char *json_plain(json_object *value);

#endif
