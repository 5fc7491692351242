/* kit_files: finds and reads the rack's patches and recordings.
 *
 * Purpose: a folder of patches (*.rack) becomes a kit; a folder of folders of recordings adds a sound for each of them.
 * Reads WAV, FLAC and whatever else libsndfile does; a recording has one or two channels.
 * Thread: any that may wait; not real-time.
 * Owns: nothing once it returns.
 * Errors: struct rack_error, with file and line, or the file and the limit. A recording of `samples` that is corrupt or
 * too large is skipped with a warning on stderr: one bad file must not silence the others.
 * Limits: those of kit.h and patch.h. */
#ifndef OIDUNA_KIT_FILES_H
#define OIDUNA_KIT_FILES_H
#include "engine/rack/kit.h"

/* Loads a kit. patches: a folder, or "auto": ../conf/rack or ../share/oiduna/rack as seen from the folder of the
 * program, else conf/rack in the current one; then also $XDG_CONFIG_HOME/oiduna/rack (or ~/.config/…) if it exists,
 * whose patches replace those of the same name. samples: a folder with a folder of recordings for each sound, or "".
 * Returns NULL with the error. The caller owns the kit. */
struct kit *kit_files_load(const char *patches, const char *samples, struct rack_error *error);
/* The same for the stage: a patch with a mistake is skipped with a warning on stderr; the one that it was to replace
 * stays. Returns NULL with the error if not even the rest makes a kit. */
struct kit *kit_files_load_sound(const char *patches, const char *samples, struct rack_error *error);
/* Checks the patch in that file, which may include those beside it and the shipped ones. Returns 0, or -1 with the
 * error. */
int kit_files_check(const char *file, struct rack_error *error);

#endif
