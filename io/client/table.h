/* table: the statistics as a table for people.
 *
 * Thread: main, of a client.
 * Owns: nothing.
 * Limits: TABLE_COLUMNS wide. */
#ifndef OIDUNA_TABLE_H
#define OIDUNA_TABLE_H
#include <json-c/json.h>
#include <stdio.h>

enum { TABLE_COLUMNS = 100 }; /* what the distributions take */
/* json: of the method `stats` */
void table_print(FILE *out, json_object *json);

#endif
