/* version: the one place that says it. The binary prints it, build.sh reads it here. */
#ifndef OIDUNA_VERSION_H
#define OIDUNA_VERSION_H

#define OIDUNA_VERSION "0.1.0"

#endif
