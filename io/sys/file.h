/* file: reads a whole file into memory.
 *
 * Thread: any that may wait for a disk.
 * Owns: nothing once it returns.
 * Units: bytes. */
#ifndef OIDUNA_FILE_H
#define OIDUNA_FILE_H
#include <stddef.h>

/* The whole file ("-": standard input), NUL-terminated, to be freed by the caller. Of a larger file than bytes_max, at
 * least one byte more is read, so that the decoder can refuse it. 0 or a negative errno value. */
int file_read(const char *path, size_t bytes_max, char **text, size_t *len);
/* The sentence for a negative errno value of file_read. */
const char *file_reason(int error);

#endif
