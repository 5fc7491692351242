/* temp: a directory for a test's files, removed with them when the test ends. */
#ifndef OIDUNA_TEST_TEMP_H
#define OIDUNA_TEST_TEMP_H
#include <dirent.h>
#include <limits.h>
#include "t/tap.h"

static char temp_path[] = "/tmp/oiduna-test-XXXXXX";
static pid_t temp_owner;

static void temp_remove(void)
{
    DIR *d = getpid() == temp_owner ? opendir(temp_path) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        char file[PATH_MAX];
        snprintf(file, sizeof file, "%s/%s", temp_path, e->d_name);
        if (e->d_name[0] != '.')
            remove(file);
    }
    if (d)
        closedir(d);
    if (getpid() == temp_owner)
        rmdir(temp_path);
}

/* The directory, the same at each call. */
static const char *temp_dir(void)
{
    if (temp_owner)
        return temp_path;
    temp_owner = getpid();
    if (!mkdtemp(temp_path)) {
        perror(temp_path);
        exit(1);
    }
    atexit(temp_remove);
    return temp_path;
}

#endif
