/* plain: results and notifications of the control socket in plain words, for people.
 *
 * Thread: any. Owns: nothing. */
#ifndef OIDUNA_PLAIN_H
#define OIDUNA_PLAIN_H
#include <json-c/json.h>
#include <stdio.h>

/* A result: one line, or for lists one line an item when separator is a newline. No newline at the end. */
void plain_result(FILE *out, const char *method, json_object *result, const char *separator);
/* A notification, the same way. */
void plain_notification(FILE *out, const char *method, json_object *params);

#endif
