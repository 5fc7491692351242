/* patch_text: reads the text of a patch, statement by statement, into a draft.
 *
 * Purpose: the language of conf/rack, a statement a line; # begins a comment, words are separated by spaces or tabs:
 *   about TEXT                          a sentence for the list of sounds
 *   alias NAME...                       more names of the sound
 *   voices N                            how many notes can sound at a time (8)
 *   oneshot                             plays to its own end where the event gives neither sustain nor legato
 *   create NAME MODULE                  a module, by a name of its own
 *   set NAME PARAMETER VALUE
 *   connect NAME.OUTPUT NAME.INPUT
 *   map WORD NAME.PARAMETER [FACTOR [OFFSET]]       the event's WORD x FACTOR + OFFSET sets the parameter
 *   fallback WORD NAME.PARAMETER [FACTOR [OFFSET]]  the same unless WORD is mapped already
 *   load NAME FILE...                   recordings for a sampler, from the folder of the patch
 *   include PATCH                       the statements of another patch
 * Thread: one, which may wait and allocate.
 * Owns: nothing. Recordings that it reads belong to the draft's patch.
 * Errors: -1 with the draft's error, "FILE:LINE: …"; reading ends at the first one.
 * Limits: PATCH_*_MAX. */
#ifndef OIDUNA_RACK_PATCH_TEXT_H
#define OIDUNA_RACK_PATCH_TEXT_H

struct patch_draft;

/* Reads the patch of that name into the draft. Returns 0, or -1 with the error. */
int patch_text_read(struct patch_draft *d, const char *name);

#endif
