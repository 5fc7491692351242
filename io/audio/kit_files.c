/* One struct tells the kit's reader where to look: the user's folder before the shipped one. Sounds are added in the
 * order of their names, so that what a machine lists does not depend on its file system. */
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

enum { FOLDERS_MAX = 3, PATH_BYTES = 1024 }; /* shipped, the user's, that of a file to be checked */

struct folders {
    int n;
    char path[FOLDERS_MAX][PATH_BYTES];
};

static int fail(struct rack_error *error, const char *file, const char *why)
{
    snprintf(error->text, sizeof error->text, "%s: %s", file, why);
    return -1;
}

static bool join(char *out, const char *folder, const char *name, const char *ending)
{
    return snprintf(out, PATH_BYTES, "%s/%s%s", folder, name, ending) < PATH_BYTES;
}

/* ---- text ---- */
static int read_text(const char *path, char **out, struct rack_error *error)
{
    FILE *f = fopen(path, "re");
    char *text = f ? malloc(PATCH_TEXT_MAX + 1) : NULL;
    if (!text) {
        int r = fail(error, path, strerror(errno));
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
        snprintf(error->text, sizeof error->text, "%s: is longer than %d KiB, the limit of a patch", path,
                 PATCH_TEXT_MAX >> 10);
        return -1;
    }
    return fail(error, path, failed ? "cannot be read" : "is no text");
}

static int read_patch(void *ctx, const char *name, char **text, char *file, size_t size, struct rack_error *error)
{
    const struct folders *folders = ctx;
    char path[PATH_BYTES];
    if (strchr(name, '/') || name[0] == '.')
        return fail(error, name, "is no name of a patch");
    for (int i = folders->n; i-- > 0;)
        if (join(path, folders->path[i], name, ".rack") && !access(path, R_OK)) {
            snprintf(file, size, "%s", path);
            return read_text(path, text, error);
        }
    snprintf(error->text, sizeof error->text, "%s: there is no patch of that name in %s", name, folders->path[0]);
    return -1;
}

/* ---- recordings ---- */
static int check_info(const SF_INFO *info, const char *path, struct rack_error *error)
{
    if (info->channels < 1 || info->channels > 2)
        snprintf(error->text, sizeof error->text, "%s: has %d channels; a recording has 1 or 2", path, info->channels);
    else if (info->frames < 1 || info->frames > SAMPLE_FRAMES_MAX)
        snprintf(error->text, sizeof error->text, "%s: has %lld frames; a recording has 1 to %d", path,
                 (long long)info->frames, SAMPLE_FRAMES_MAX);
    else if (info->samplerate < 1000 || info->samplerate > 768000)
        snprintf(error->text, sizeof error->text, "%s: has a rate of %d Hz; a recording has 1000 to 768000", path,
                 info->samplerate);
    else
        return 0;
    return -1;
}

static int read_frames(SNDFILE *f, const SF_INFO *info, const char *path, struct sample *out, struct rack_error *error)
{
    size_t guard = (size_t)SAMPLE_GUARD * (size_t)info->channels;
    float *data = calloc((size_t)info->frames * (size_t)info->channels + 2 * guard, sizeof *data);
    if (!data)
        return fail(error, path, "out of memory");
    if (sf_readf_float(f, data + guard, info->frames) != info->frames) {
        free(data);
        return fail(error, path, "ends before its header says");
    }
    for (size_t i = guard; i < guard + (size_t)(info->frames * info->channels); i++)
        if (!(data[i] >= -1e3f && data[i] <= 1e3f))
            data[i] = 0;
    *out = (struct sample){
        .frames = info->frames, .rate = info->samplerate, .channels = info->channels, .data = data + guard};
    return 0;
}

static int read_sample(const char *path, struct sample *out, struct rack_error *error)
{
    SF_INFO info = {0};
    SNDFILE *f = sf_open(path, SFM_READ, &info);
    if (!f)
        return fail(error, path, sf_strerror(NULL));
    int r = check_info(&info, path, error);
    r = r ? r : read_frames(f, &info, path, out, error);
    sf_close(f);
    return r;
}

static int read_beside(void *ctx, const char *beside, const char *name, struct sample *out, struct rack_error *error)
{
    char folder[PATH_BYTES], path[PATH_BYTES];
    (void)ctx;
    snprintf(folder, sizeof folder, "%s", beside);
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
    if (!join(path, slash ? folder : ".", name, ""))
        return fail(error, name, "the path is too long");
    return read_sample(path, out, error);
}

/* ---- folders ---- */
static bool is_folder(const char *path)
{
    struct stat s;
    return !stat(path, &s) && S_ISDIR(s.st_mode);
}

static void add_folder(struct folders *f, const char *path)
{
    if (f->n < FOLDERS_MAX && is_folder(path))
        snprintf(f->path[f->n++], PATH_BYTES, "%s", path);
}

/* the folder of the program */
static void own_folder(char *out)
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_BYTES - 1);
    out[n < 0 ? 0 : n] = '\0';
    char *slash = strrchr(out, '/');
    if (slash)
        *slash = '\0';
}

static void find_folders(struct folders *f)
{
    static const char *const place[] = {"../conf/rack", "../share/oiduna/rack"};
    char own[PATH_BYTES], path[PATH_BYTES];
    own_folder(own);
    for (size_t i = 0; i < sizeof place / sizeof *place && !f->n; i++)
        if (join(path, own, place[i], ""))
            add_folder(f, path);
    if (!f->n)
        add_folder(f, "conf/rack");
    if (!f->n)
        return;
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (config && *config ? join(path, config, "oiduna/rack", "") : home && join(path, home, ".config/oiduna/rack", ""))
        add_folder(f, path);
}

static int patch_file(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 5 && !strcmp(e->d_name + n - 5, ".rack");
}

static int visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

/* the parts that other patches are made of are no sounds */
static bool is_part(const char *name)
{
    return !strcmp(name, "orbit") || !strcmp(name, "strip") || !strcmp(name, "sampler");
}

static void free_list(struct dirent **list, int n)
{
    for (int i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

static void tell_left_out(const struct rack_error *error)
{
    log_warn("rack: %s; it is left out", error->text);
}

/* A patch of folder number `at`. A later folder may hold another of that name, or of one that it includes: a mistake
 * there is told when it is that folder's turn, and here the patch is made without. */
static int add_patch(struct kit *kit, struct folders *folders, int at, const char *name, bool sound,
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
        tell_left_out(error);
    return 0;
}

static int add_patches(struct kit *kit, struct folders *folders, int at, bool sound, struct rack_error *error)
{
    struct dirent **list;
    int n = scandir(folders->path[at], &list, patch_file, alphasort), r = 0;
    if (n < 0)
        return fail(error, folders->path[at], strerror(errno));
    for (int i = 0; i < n && !r; i++) {
        list[i]->d_name[strlen(list[i]->d_name) - 5] = '\0';
        if (!is_part(list[i]->d_name))
            r = add_patch(kit, folders, at, list[i]->d_name, sound, error);
    }
    free_list(list, n);
    return r;
}

static bool called_recording(const char *name)
{
    static const char *const ending[] = {".wav", ".flac", ".aif", ".aiff", ".ogg"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof ending / sizeof *ending; i++)
        if (!strcasecmp(dot, ending[i]))
            return true;
    return false;
}

/* Adds a file of a folder to its set, or passes over it: silently where it is not even called a recording. */
static void add_recording(struct sample_set *set, struct sample *room, const char *path)
{
    struct rack_error why;
    if (is_folder(path))
        return;
    if (!read_sample(path, room, &why))
        set->n++;
    else if (called_recording(path))
        log_warn("%s; it is left out", why.text);
}

/* What is no recording among the files of a folder (a text, a picture) is passed over; a folder without any is no
 * sound. */
static int add_recordings(struct kit *kit, const char *folder, const char *name, struct rack_error *error)
{
    struct dirent **list;
    struct sample_set set = {0};
    char path[PATH_BYTES];
    int n = scandir(folder, &list, visible, alphasort);
    if (n < 0)
        return fail(error, folder, strerror(errno));
    struct sample *sample = calloc((size_t)n + 1, sizeof *sample);
    for (int i = 0; i < n && sample; i++)
        if (join(path, folder, list[i]->d_name, ""))
            add_recording(&set, &sample[set.n], path);
    free_list(list, n);
    set.sample = sample;
    if (set.n)
        return kit_add_samples(kit, name, set, error);
    free(sample);
    return sample ? 0 : fail(error, folder, "out of memory");
}

static int add_samples(struct kit *kit, const char *folder, struct rack_error *error)
{
    struct dirent **list;
    char path[PATH_BYTES];
    int n = scandir(folder, &list, visible, alphasort), r = 0;
    if (n < 0)
        return fail(error, folder, strerror(errno));
    for (int i = 0; i < n && !r; i++)
        if (join(path, folder, list[i]->d_name, "") && is_folder(path))
            r = add_recordings(kit, path, list[i]->d_name, error);
    free_list(list, n);
    return r;
}

/* with the orbit of the last folder that has one; where that has a mistake and the first one's does, with that */
static struct kit *make_kit(const struct kit_reader *reader, struct folders *folders, bool sound,
                            struct rack_error *error)
{
    struct kit *kit = kit_new(reader, error);
    int n = folders->n;
    if (kit || !sound || n == 1)
        return kit;
    tell_left_out(error);
    folders->n = 1;
    kit = kit_new(reader, error);
    folders->n = n;
    return kit;
}

static struct kit *load(const char *patches, const char *samples, bool sound, struct rack_error *error)
{
    struct folders folders = {0};
    const struct kit_reader reader = {.ctx = &folders, .patch = read_patch, .sample = read_beside};
    if (strcmp(patches, "auto"))
        add_folder(&folders, patches);
    else
        find_folders(&folders);
    if (!folders.n) {
        fail(error, patches, strcmp(patches, "auto") ? "is no folder" : "the rack's patches, conf/rack, are nowhere");
        return NULL;
    }
    struct kit *kit = make_kit(&reader, &folders, sound, error);
    int r = kit ? 0 : -1;
    for (int i = 0; i < folders.n && !r; i++)
        r = add_patches(kit, &folders, i, sound, error);
    if (!r && *samples)
        r = add_samples(kit, samples, error);
    if (!r)
        return kit;
    kit_free(kit);
    return NULL;
}

struct kit *kit_files_load(const char *patches, const char *samples, struct rack_error *error)
{
    return load(patches, samples, false, error);
}

struct kit *kit_files_load_sound(const char *patches, const char *samples, struct rack_error *error)
{
    return load(patches, samples, true, error);
}

int kit_files_check(const char *file, struct rack_error *error)
{
    struct folders folders = {0};
    const struct kit_reader reader = {.ctx = &folders, .patch = read_patch, .sample = read_beside};
    char folder[PATH_BYTES], name[PATH_BYTES];
    if (snprintf(folder, sizeof folder, "%s", file) >= PATH_BYTES)
        return fail(error, file, "the path is too long");
    char *slash = strrchr(folder, '/'), *base = slash ? slash + 1 : folder;
    snprintf(name, sizeof name, "%s", base);
    *base = '\0';
    if (slash && slash != folder)
        *slash = '\0';
    char *dot = strrchr(name, '.');
    if (dot)
        *dot = '\0';
    if (access(file, R_OK))
        return fail(error, file, strerror(errno));
    find_folders(&folders);
    snprintf(folders.path[folders.n++], PATH_BYTES, "%s", slash ? folder : ".");
    struct kit *kit = kit_new(&reader, error);
    int r = !kit ? -1 : strcmp(name, "orbit") ? kit_add(kit, name, error) : 0;
    kit_free(kit);
    return r;
}
