/* version: what `oiduna --version`, /oiduna/pong and the statistics say. */
#ifndef OIDUNA_VERSION
#define OIDUNA_VERSION "0.1.0"
#endif
