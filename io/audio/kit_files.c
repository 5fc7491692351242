/* One struct, `folders`, tells the kit's reader where to look: the user's folder before the shipped one. Sounds are
 * added in the order of their names, so that the list of sounds does not depend on the file system.
 *
 * On stage (`sound`) a mistake costs as little as it can: a patch that cannot be read is left out with a warning, and
 * where it was to replace another, that one stays. `oiduna render` and `oiduna check` stop at the first error instead.
 *
 * Common errors and pitfalls
 * - Every folder's patches are read with all folders in view, for a patch may include one that a later folder
 *   replaces. So a mistake in the user's strip.rack shows first in a shipped patch: that is then read again without
 *   the later folders, and the warning left to the turn of the folder with the mistake.
 * - `load` looks beside the patch that says it, which need not be in the folder of the patch that includes it.
 * - scandir's list and each of its entries are freed by us, on every way out. */
#include "kit_files.h"
#include <dirent.h>
#include <errno.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include "io/sys/log.h"

enum { FOLDERS_MAX = 3, PATH_BYTES = PATCH_PATH_BYTES }; /* shipped, the user's, that of a file to be checked */

struct folders {
    int n;
    char path[FOLDERS_MAX][PATH_BYTES];
};

static int files_fail(struct rack_error *error, const char *file, const char *why)
{
    snprintf(error->text, sizeof error->text, "%s: %s", file, why);
    return -1;
}

static bool files_join(char *out, const char *folder, const char *name, const char *ending)
{
    return snprintf(out, PATH_BYTES, "%s/%s%s", folder, name, ending) < PATH_BYTES;
}

static int files_read_text(const char *path, char **out, struct rack_error *error)
{
    FILE *f = fopen(path, "re");
    char *text = f ? malloc(PATCH_TEXT_MAX + 1) : NULL;
    if (!text) {
        int r = files_fail(error, path, strerror(errno));
        if (f)
            fclose(f);
        return r;
    }
    size_t n = fread(text, 1, PATCH_TEXT_MAX, f);
    bool more = fgetc(f) != EOF, failed = ferror(f) != 0;
    fclose(f);
    text[n] = '\0';
    *out = text;
    if (!more && !failed && !memchr(text, 0, n))
        return 0;
    free(text);
    if (more) {
        snprintf(error->text, sizeof error->text, "%s: patch too large (limit %d KiB)", path, PATCH_TEXT_MAX >> 10);
        return -1;
    }
    return files_fail(error, path, failed ? "read error" : "not a text file");
}

static int files_read_patch(void *ctx, const char *name, char **text, char *file, size_t size, struct rack_error *error)
{
    const struct folders *folders = ctx;
    char path[PATH_BYTES];
    if (strchr(name, '/') || name[0] == '.')
        return files_fail(error, name, "not a name of a patch; leave out folder and leading dot");
    for (int i = folders->n; i-- > 0;)
        if (files_join(path, folders->path[i], name, ".rack") && !access(path, R_OK)) {
            snprintf(file, size, "%s", path);
            return files_read_text(path, text, error);
        }
    snprintf(error->text, sizeof error->text, "%s: no such patch in %s", name, folders->path[0]);
    return -1;
}

static int files_check_info(const SF_INFO *info, const char *path, struct rack_error *error)
{
    if (info->channels < 1 || info->channels > 2)
        snprintf(error->text, sizeof error->text, "%s: %d channels; a recording must have 1 or 2", path,
                 info->channels);
    else if (info->frames < 1 || info->frames > SAMPLE_FRAMES_MAX)
        snprintf(error->text, sizeof error->text, "%s: %lld frames; a recording must have 1 to %d", path,
                 (long long)info->frames, SAMPLE_FRAMES_MAX);
    else if (info->samplerate < 1000 || info->samplerate > 768000)
        snprintf(error->text, sizeof error->text, "%s: sample rate %d Hz; a recording must have 1000 to 768000 Hz",
                 path, info->samplerate);
    else
        return 0;
    return -1;
}

static int files_read_frames(SNDFILE *f, const SF_INFO *info, const char *path, struct sample *out,
                             struct rack_error *error)
{
    size_t guard = (size_t)SAMPLE_GUARD * (size_t)info->channels;
    float *data = calloc((size_t)info->frames * (size_t)info->channels + 2 * guard, sizeof *data);
    if (!data)
        return files_fail(error, path, "out of memory");
    if (sf_readf_float(f, data + guard, info->frames) != info->frames) {
        free(data);
        return files_fail(error, path, "truncated; its header promises more frames");
    }
    for (size_t i = guard; i < guard + (size_t)(info->frames * info->channels); i++)
        if (!(data[i] >= -1e3f && data[i] <= 1e3f))
            data[i] = 0;
    *out = (struct sample){
        .frames = info->frames, .rate = info->samplerate, .channels = info->channels, .data = data + guard};
    return 0;
}

static int files_read_sample(const char *path, struct sample *out, struct rack_error *error)
{
    SF_INFO info = {0};
    SNDFILE *f = sf_open(path, SFM_READ, &info);
    if (!f)
        return files_fail(error, path, sf_strerror(NULL));
    int r = files_check_info(&info, path, error);
    r = r ? r : files_read_frames(f, &info, path, out, error);
    sf_close(f);
    return r;
}

static int files_read_beside(void *ctx, const char *beside, const char *name, struct sample *out,
                             struct rack_error *error)
{
    char folder[PATH_BYTES], path[PATH_BYTES];
    (void)ctx;
    snprintf(folder, sizeof folder, "%s", beside);
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
    if (!files_join(path, slash ? folder : ".", name, ""))
        return files_fail(error, name, "path too long");
    return files_read_sample(path, out, error);
}

static bool files_is_folder(const char *path)
{
    struct stat s;
    return !stat(path, &s) && S_ISDIR(s.st_mode);
}

static void files_add_folder(struct folders *f, const char *path)
{
    if (f->n < FOLDERS_MAX && files_is_folder(path))
        snprintf(f->path[f->n++], PATH_BYTES, "%s", path);
}

/* the folder that the program is in; "" where it is not known */
static void files_program_folder(char *out)
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_BYTES - 1);
    out[n < 0 ? 0 : n] = '\0';
    char *slash = strrchr(out, '/');
    if (slash)
        *slash = '\0';
}

static void files_find_folders(struct folders *f)
{
    static const char *const place[] = {"../conf/rack", "../share/oiduna/rack"};
    char own[PATH_BYTES], path[PATH_BYTES];
    files_program_folder(own);
    for (size_t i = 0; i < sizeof place / sizeof *place && !f->n; i++)
        if (files_join(path, own, place[i], ""))
            files_add_folder(f, path);
    if (!f->n)
        files_add_folder(f, "conf/rack");
    if (!f->n)
        return;
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (config && *config ? files_join(path, config, "oiduna/rack", "")
                          : home && files_join(path, home, ".config/oiduna/rack", ""))
        files_add_folder(f, path);
}

static int files_is_patch(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 5 && !strcmp(e->d_name + n - 5, ".rack");
}

static int files_is_visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

/* parts of other patches, which are not sounds themselves */
static bool files_is_part(const char *name)
{
    return !strcmp(name, "orbit") || !strcmp(name, "strip") || !strcmp(name, "sampler");
}

static void files_free_list(struct dirent **list, int n)
{
    for (int i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

static void files_warn(const struct rack_error *error)
{
    log_warn("rack: %s; skipped", error->text);
}

/* Adds a patch of folder number `at`. A later folder may hold another patch of that name, or of one that it includes: a
 * mistake there is reported when it is that folder's turn, and here the patch is read without the later folders. */
static int files_add_patch(struct kit *kit, struct folders *folders, int at, const char *name, bool sound,
                           struct rack_error *error)
{
    int n = folders->n, r = kit_add(kit, name, error);
    if (!r || !sound)
        return r;
    if (at + 1 < n) {
        folders->n = at + 1;
        r = kit_add(kit, name, error);
        folders->n = n;
    }
    if (r)
        files_warn(error);
    return 0;
}

static int files_add_patches(struct kit *kit, struct folders *folders, int at, bool sound, struct rack_error *error)
{
    struct dirent **list;
    int n = scandir(folders->path[at], &list, files_is_patch, alphasort), r = 0;
    if (n < 0)
        return files_fail(error, folders->path[at], strerror(errno));
    for (int i = 0; i < n && !r; i++) {
        list[i]->d_name[strlen(list[i]->d_name) - 5] = '\0';
        if (!files_is_part(list[i]->d_name))
            r = files_add_patch(kit, folders, at, list[i]->d_name, sound, error);
    }
    files_free_list(list, n);
    return r;
}

static bool files_is_called_recording(const char *name)
{
    static const char *const ending[] = {".wav", ".flac", ".aif", ".aiff", ".ogg"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof ending / sizeof *ending; i++)
        if (!strcasecmp(dot, ending[i]))
            return true;
    return false;
}

/* Adds a file of a folder to its set, or skips it: silently unless it is named like a recording. */
static void files_add_recording(struct sample_set *set, struct sample *room, const char *path)
{
    struct rack_error why;
    if (files_is_folder(path))
        return;
    if (!files_read_sample(path, room, &why))
        set->n++;
    else if (files_is_called_recording(path))
        log_warn("%s; skipped", why.text);
}

/* Files that are not recordings (a text, a picture) are skipped; a folder without recordings is not a sound. */
static int files_add_recordings(struct kit *kit, const char *folder, const char *name, struct rack_error *error)
{
    struct dirent **list;
    struct sample_set set = {0};
    char path[PATH_BYTES];
    int n = scandir(folder, &list, files_is_visible, alphasort);
    if (n < 0)
        return files_fail(error, folder, strerror(errno));
    struct sample *sample = calloc((size_t)n + 1, sizeof *sample);
    for (int i = 0; i < n && sample; i++)
        if (files_join(path, folder, list[i]->d_name, ""))
            files_add_recording(&set, &sample[set.n], path);
    files_free_list(list, n);
    set.sample = sample;
    if (set.n)
        return kit_add_samples(kit, name, set, error);
    free(sample);
    return sample ? 0 : files_fail(error, folder, "out of memory");
}

static int files_add_samples(struct kit *kit, const char *folder, struct rack_error *error)
{
    struct dirent **list;
    char path[PATH_BYTES];
    int n = scandir(folder, &list, files_is_visible, alphasort), r = 0;
    if (n < 0)
        return files_fail(error, folder, strerror(errno));
    for (int i = 0; i < n && !r; i++)
        if (files_join(path, folder, list[i]->d_name, "") && files_is_folder(path))
            r = files_add_recordings(kit, path, list[i]->d_name, error);
    files_free_list(list, n);
    return r;
}

/* Makes a kit with the orbit of the last folder that has one; on stage, if that has a mistake, with the first
 * folder's. */
static struct kit *files_make_kit(const struct kit_reader *reader, struct folders *folders, bool sound,
                                  struct rack_error *error)
{
    struct kit *kit = kit_new(reader, error);
    int n = folders->n;
    if (kit || !sound || n == 1)
        return kit;
    files_warn(error);
    folders->n = 1;
    kit = kit_new(reader, error);
    folders->n = n;
    return kit;
}

static struct kit *files_load(const char *patches, const char *samples, bool sound, struct rack_error *error)
{
    struct folders folders = {0};
    const struct kit_reader reader = {.ctx = &folders, .patch = files_read_patch, .sample = files_read_beside};
    if (strcmp(patches, "auto"))
        files_add_folder(&folders, patches);
    else
        files_find_folders(&folders);
    if (!folders.n) {
        files_fail(error, patches,
                   strcmp(patches, "auto") ? "not a folder"
                                           : "no patches found; set rack.patches to the folder conf/rack");
        return NULL;
    }
    struct kit *kit = files_make_kit(&reader, &folders, sound, error);
    int r = kit ? 0 : -1;
    for (int i = 0; i < folders.n && !r; i++)
        r = files_add_patches(kit, &folders, i, sound, error);
    if (!r && *samples)
        r = files_add_samples(kit, samples, error);
    if (!r)
        return kit;
    kit_free(kit);
    return NULL;
}

struct kit *kit_files_load(const char *patches, const char *samples, struct rack_error *error)
{
    return files_load(patches, samples, false, error);
}

struct kit *kit_files_load_sound(const char *patches, const char *samples, struct rack_error *error)
{
    return files_load(patches, samples, true, error);
}

int kit_files_check(const char *file, struct rack_error *error)
{
    struct folders folders = {0};
    const struct kit_reader reader = {.ctx = &folders, .patch = files_read_patch, .sample = files_read_beside};
    char folder[PATH_BYTES], name[PATH_BYTES];
    if (snprintf(folder, sizeof folder, "%s", file) >= PATH_BYTES)
        return files_fail(error, file, "path too long");
    char *slash = strrchr(folder, '/'), *base = slash ? slash + 1 : folder;
    snprintf(name, sizeof name, "%s", base);
    *base = '\0';
    if (slash && slash != folder)
        *slash = '\0';
    char *dot = strrchr(name, '.');
    if (dot)
        *dot = '\0';
    if (access(file, R_OK))
        return files_fail(error, file, strerror(errno));
    files_find_folders(&folders);
    snprintf(folders.path[folders.n++], PATH_BYTES, "%s", slash ? folder : ".");
    struct kit *kit = kit_new(&reader, error);
    int r = !kit ? -1 : strcmp(name, "orbit") ? kit_add(kit, name, error) : 0;
    kit_free(kit);
    return r;
}
