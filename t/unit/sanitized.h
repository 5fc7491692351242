/* sanitized: SANITIZED is defined where a sanitizer allocates, locks and calls in ways that the program does not. */
#ifndef OIDUNA_TEST_SANITIZED_H
#define OIDUNA_TEST_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

#endif
