/* complaint: prints the error of a document to stderr.
 *
 * Thread: any.
 * Owns: nothing. */
#ifndef OIDUNA_COMPLAINT_H
#define OIDUNA_COMPLAINT_H
#include "ir/ir.h"

/* Prints "oiduna: FILE: PATH: WHY" or "oiduna: FILE:LINE:COLUMN: WHY". */
void complain_of(const char *file, const struct ir_error *error);

#endif
