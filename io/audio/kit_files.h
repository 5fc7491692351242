/* kit_files: the rack's patches and recordings, found and read.
 *
 * Purpose: a folder of patches (*.rack) becomes a kit, a folder of folders of recordings adds to it. WAV, FLAC and what
 *   else libsndfile reads; a recording has one or two channels.
 * Thread: any that may wait; not real-time. Owns: nothing once it returns.
 * Errors: struct rack_error, with file and line, or the file and the limit. A recording of `samples` that is corrupt or
 * too large is left out, and said on stderr: one bad file must not silence the others. Limits: those of kit.h. */
#ifndef OIDUNA_KIT_FILES_H
#define OIDUNA_KIT_FILES_H
#include "engine/rack/kit.h"

/* patches: a folder, or "auto": conf/rack beside the program's own folder, share/oiduna/rack beside that, or conf/rack
 * here; then, where it exists, $XDG_CONFIG_HOME/oiduna/rack (or ~/.config/…), whose patches replace those of the same
 * name. samples: a folder with a folder of recordings for each sound, or "". NULL with the error. */
struct kit *kit_files_load(const char *patches, const char *samples, struct rack_error *error);
/* The same for the stage: a patch with a mistake is left out, and said on stderr; where it replaces another, that
 * stays. NULL with the error where not even the rest makes a kit. */
struct kit *kit_files_load_sound(const char *patches, const char *samples, struct rack_error *error);
/* What is wrong with the patch in that file, which may include those beside it and the shipped ones; 0, or -1 with the
 * error. */
int kit_files_check(const char *file, struct rack_error *error);

#endif
