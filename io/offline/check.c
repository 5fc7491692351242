/* Checks what a document says by itself. What depends on the performance cannot be checked: a partial submission may
 * activate a scene that only the playing session has, so a missing scene is a warning there, not an error. */
#include "check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "io/audio/kit_files.h"
#include "io/sys/file.h"
#include "complaint.h"

static void check_print_warnings(const char *file, struct ir_warnings *warnings)
{
    for (size_t i = 0; i < warnings->n; i++)
        fprintf(stderr, "oiduna: %s: warning: %s\n", file, warnings->text[i]);
    if (warnings->dropped)
        fprintf(stderr, "oiduna: %s: warning: %zu more warnings\n", file, warnings->dropped);
    ir_warnings_free(warnings);
}

/* Applies the document to an empty state and compiles it. */
static int check_apply(struct ir_doc *doc, const struct ir_config *config, struct ir_warnings *warnings,
                       struct ir_error *error)
{
    struct ir_model *empty = ir_model_new(), *model = NULL;
    struct ids *ids = ids_new();
    struct session *session = NULL;
    int rc = empty && ids ? ir_intern(doc, ids, error) : -1;
    if (!empty || !ids)
        *error = (struct ir_error){.text = "out of memory"};
    if (!rc)
        rc = ir_apply(empty, doc, &model, error);
    if (!rc)
        rc = ir_compile(model, config, ids, &session, warnings, error);
    if (session)
        session_free(session);
    ir_model_unref(model);
    ir_model_unref(empty);
    ids_free(ids);
    return rc;
}

/* The scene may belong to the playing session. */
static bool check_is_scene_elsewhere(const struct ir_doc *doc, const struct ir_error *error)
{
    return doc->id_n && !strcmp(error->path, "apply.scene_name");
}

static int check_text(const char *file, const char *text, size_t len, const struct ir_config *config)
{
    struct ir_warnings warnings = {.n = 0};
    struct ir_error error;
    struct ir_doc *doc = NULL;
    int rc = ir_decode(text, len, config, &doc, &warnings, &error);
    if (!rc && (rc = check_apply(doc, config, &warnings, &error)) && check_is_scene_elsewhere(doc, &error)) {
        fprintf(stderr, "oiduna: %s: warning: %s: %s in this document; the playing session must have it\n", file,
                error.path, error.text);
        rc = 0;
    }
    check_print_warnings(file, &warnings);
    if (rc)
        complain_of(file, &error);
    ir_doc_unref(doc);
    return rc ? 1 : 0;
}

static bool check_is_patch(const char *file)
{
    size_t len = strlen(file);
    return len > 5 && !strcmp(file + len - 5, ".rack");
}

static int check_patch(const char *file)
{
    struct rack_error error;
    if (!kit_files_check(file, &error))
        return 0;
    fprintf(stderr, "oiduna: %s\n", error.text);
    return 1;
}

static int check_file(const char *file, const struct ir_config *config)
{
    char *text;
    size_t len;
    int rc = file_read(file, config->bytes_max, &text, &len);
    if (rc) {
        fprintf(stderr, "oiduna: %s: %s\n", file, file_reason(rc));
        return 1;
    }
    rc = check_text(file, text, len, config);
    free(text);
    return rc;
}

int client_check(int argc, char **argv, const struct ir_config *config)
{
    int first = 1, failed = 0;
    if (argc > 1 && !strcmp(argv[1], "--"))
        first++;
    else if (argc > 1 && argv[1][0] == '-' && argv[1][1]) {
        fprintf(stderr, "oiduna: check: unknown option %s\nusage: oiduna check FILE...\n", argv[1]);
        return 2;
    }
    if (first >= argc) {
        fprintf(stderr, "oiduna: check: file missing\nusage: oiduna check FILE...\n");
        return 2;
    }
    for (int i = first; i < argc; i++)
        failed |= check_is_patch(argv[i]) ? check_patch(argv[i]) : check_file(argv[i], config);
    return failed;
}
