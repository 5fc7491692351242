/* rt: REALTIME marks the functions that the engine thread or the audio thread runs once it has started.
 *
 * The promise: such a function allocates and frees nothing, takes no lock, formats no text, never waits for another
 * thread, and makes no system call except those by which its thread lives: io_uring_enter and timerfd_settime on the
 * engine thread; clock_nanosleep, and what alsa-lib needs for a card, on the audio thread. It calls only functions that
 * promise the same.
 *
 * clang 20 and later check it with -Wfunction-effects, where the macro is the attribute `nonblocking` (the effect
 * analysis described in clang's documentation, "Function Effect Analysis"); for other compilers it is for readers and
 * for grep. Tests prove the part about system calls with a seccomp filter (t/unit/contract.c,
 * t/unit/audio_contract.c).
 *
 * REALTIME_TRUST_BEGIN and _END enclose the system calls by which a thread lives, and library functions known to be no
 * worse, whose declarations do not promise anything. Nothing else belongs between them.
 *
 * It stands first in a declaration, on the header's as well as on the definition, also in front of a typedef of a
 * function and of a member that points to one. A failed assertion ends the program and is not part of the promise. */
#ifndef OIDUNA_RT_H
#define OIDUNA_RT_H

#if defined __clang_major__ && __clang_major__ >= 20
#define REALTIME __attribute__((nonblocking))
#define REALTIME_TRUST_BEGIN _Pragma("clang diagnostic push") _Pragma("clang diagnostic ignored \"-Wfunction-effects\"")
#define REALTIME_TRUST_END _Pragma("clang diagnostic pop")
#else
#define REALTIME
#define REALTIME_TRUST_BEGIN
#define REALTIME_TRUST_END
#endif

#endif
