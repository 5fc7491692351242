/* temp: a directory for a test's files, removed with them when the test ends. Define _GNU_SOURCE before all includes.
 * */
#ifndef OIDUNA_TEST_TEMP_H
#define OIDUNA_TEST_TEMP_H
#include <ftw.h>
#include "t/tap.h"

static char temp_path[] = "/tmp/oiduna-test-XXXXXX";
static pid_t temp_owner;

static int temp_remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st, (void)type, (void)where;
    return remove(path);
}

static void temp_remove(void)
{
    if (getpid() == temp_owner)
        nftw(temp_path, temp_remove_one, 8, FTW_DEPTH | FTW_PHYS);
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
