/* table: the statistics as a table for people, at most PARAGRAPH_COLUMNS wide.
 *
 * Thread: main, of a client. Owns: nothing. */
#ifndef OIDUNA_TABLE_H
#define OIDUNA_TABLE_H
#include <json-c/json.h>
#include <stdio.h>

/* json: of the method `stats` */
void table_print(FILE *out, json_object *json);

#endif
