/* The document: text → scan → json-c → this walk → model.
 *
 * The walk follows the order of the document, so that its first error is the one reported; a missing key is noticed at
 * the end of its object. Every object that is looked at adds to `members`; if the scanner has counted more, there was a
 * duplicate key. */
#include "decode.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json_tokener.h>
#include "scan.h"

static int apply_timing(struct decode *d, const struct at *at, json_object *o, enum ir_timing *out)
{
    const char *given;
    TRY(read_text(d, at, o, &given));
    enum ir_timing timing = ir_timing_find(given);
    if (timing == IR_TIMING_COUNT)
        return read_fail(d, at, "unknown timing \"%.32s\"; use " IR_TIMING_WORDS, given);
    *out = timing;
    return 0;
}

static int apply_track_ids(struct decode *d, const struct at *at, json_object *o, struct ir_doc *doc)
{
    size_t n = 0;
    TRY(read_array(d, at, o, &n));
    if (n > TRACKS_MAX)
        return read_fail(d, at, "%zu ids; the limit is %d", n, TRACKS_MAX);
    if (!(doc->id = pool_take(doc->pool, n, sizeof *doc->id)))
        return ir_fail_memory(d->error);
    for (size_t i = 0; i < n; i++, doc->id_n++)
        TRY(read_string(d, AT_INDEX(at, i), json_object_array_get_idx(o, i), doc->pool, &doc->id[i]));
    return 0;
}

static int decode_apply(struct decode *d, const struct at *at, json_object *o, struct ir_doc *doc)
{
    TRY(read_object(d, at, o));
    EACH_MEMBER(e, o)
    {
        const char *key = lh_entry_k(e);
        json_object *v = lh_entry_v(e);
        const struct at *here = AT_KEY(at, key);
        if (!v)
            continue;
        if (!strcmp(key, "timing"))
            TRY(apply_timing(d, here, v, &doc->timing));
        else if (!strcmp(key, "track_ids"))
            TRY(apply_track_ids(d, here, v, doc));
        else if (!strcmp(key, "scene_name"))
            TRY(read_string(d, here, v, doc->pool, &doc->scene_name));
        else if (!strcmp(key, "exclusive"))
            TRY(read_bool(d, here, v, &doc->exclusive));
        else
            read_unknown(d, here, v);
    }
    return 0;
}

/* Each named track must be in the document. */
static int check_track_ids(struct decode *d, json_object *o, const struct ir_doc *doc)
{
    const struct at *at = AT_KEY(AT_KEY(NULL, "apply"), "track_ids");
    for (size_t i = 0; i < doc->id_n; i++)
        if (!decode_section_holds(o, "tracks", doc->id[i]) && !decode_section_holds(o, "tracks_midi", doc->id[i]))
            return read_fail(d, AT_INDEX(at, i), "unknown track \"%.64s\"; the document must contain it", doc->id[i]);
    return 0;
}

static int decode_name(struct decode *d, const struct at *at, json_object *o, struct ir_doc *doc)
{
    const char *name;
    TRY(read_text(d, at, o, &name));
    size_t len = strlen(name);
    if (len > NAME_BYTES_MAX)
        return read_fail(d, at, "%zu bytes; the limit is %d", len, NAME_BYTES_MAX);
    memcpy(doc->model->name, name, len + 1);
    doc->has_name = true;
    return 0;
}

/* A key that a session and a batch have in common. 1: none of these */
static int common_key(struct decode *d, const struct at *at, const char *key, json_object *o, struct ir_doc *doc)
{
    if (!strcmp(key, "apply"))
        return decode_apply(d, at, o, doc);
    if (!strcmp(key, "name"))
        return decode_name(d, at, o, doc);
    if (!strcmp(key, "seed")) {
        doc->has_seed = true;
        return read_integer64(d, at, o, &doc->model->seed);
    }
    return 1;
}

static int layered_key(struct decode *d, const struct at *at, const char *key, json_object *o, struct ir_doc *doc)
{
    int rc = common_key(d, at, key, o, doc);
    if (rc == 1)
        rc = decode_layer_key(d, at, key, o, doc->model->pool, &doc->model->layer);
    if (rc == 1 && !strcmp(key, "scenes"))
        rc = decode_scenes(d, at, o, doc->model);
    return rc;
}

static int batch_key(struct decode *d, const struct at *at, const char *key, json_object *o, struct ir_doc *doc,
                     double *bpm)
{
    static const char *const layered[] = {"tracks", "tracks_midi", "mixer_lines", "sequences", "scenes"};
    int rc = common_key(d, at, key, o, doc);
    if (rc != 1)
        return rc;
    for (size_t i = 0; i < sizeof layered / sizeof *layered; i++)
        if (!strcmp(key, layered[i]))
            return read_fail(d, at, "not allowed beside messages; send it in a document of its own");
    if (!strcmp(key, "messages"))
        return decode_batch(d, at, o, &doc->model->batch);
    if (!strcmp(key, "environment"))
        return decode_layer_key(d, at, key, o, doc->model->pool, &doc->model->layer);
    if (!strcmp(key, "bpm"))
        return read_number(d, at, o, BPM_MIN, BPM_MAX, bpm);
    if (strcmp(key, "pattern_length") && strcmp(key, "destinations"))
        return 1;
    read_ignored(d, o);
    return 0;
}

static int batch_check(struct decode *d, struct ir_doc *doc, double bpm)
{
    const struct at *apply = AT_KEY(NULL, "apply");
    if (doc->id_n)
        return read_fail(d, AT_KEY(apply, "track_ids"), "not allowed in a batch, which has no tracks");
    if (doc->scene_name)
        return read_fail(d, AT_KEY(apply, "scene_name"), "not allowed in a batch, which has no scenes");
    if (bpm > 0) {
        doc->model->layer.env.bpm = bpm;
        doc->model->layer.has_env = true;
    }
    return 0;
}

static int decode_keys(struct decode *d, json_object *o, struct ir_doc *doc)
{
    json_object *messages = NULL;
    double bpm = 0;
    json_object_object_get_ex(o, "messages", &messages);
    TRY(read_object(d, NULL, o));
    EACH_MEMBER(e, o)
    {
        const char *key = lh_entry_k(e);
        json_object *v = lh_entry_v(e);
        const struct at *here = AT_KEY(NULL, key);
        if (!v)
            continue;
        int rc = messages ? batch_key(d, here, key, v, doc, &bpm) : layered_key(d, here, key, v, doc);
        if (rc < 0)
            return rc;
        if (rc)
            read_unknown(d, here, v);
    }
    if (messages)
        return batch_check(d, doc, bpm);
    TRY(decode_layer_check(d, NULL, o, &doc->model->layer));
    return check_track_ids(d, o, doc);
}

static struct ir_doc *doc_new(size_t bytes)
{
    struct ir_pool *pool = pool_new(sizeof(struct ir_doc) + 512);
    struct ir_doc *doc = pool ? pool_take(pool, 1, sizeof *doc) : NULL;
    if (!doc || !(doc->model = ir_model_new())) {
        pool_free(pool);
        return NULL;
    }
    doc->refs = 1;
    doc->pool = pool;
    doc->timing = TIMING_BAR;
    doc->exclusive = true;
    doc->bytes = bytes;
    return doc;
}

static int decode_fail_syntax(struct ir_error *error, const struct scan_error *where)
{
    ir_fail(error, -EBADMSG, NULL, "%s", where->why);
    error->line = where->line;
    error->column = where->column;
    return -EBADMSG;
}

/* Is the text worth reading? */
static int decode_inspect(const char *text, size_t len, const struct ir_config *config, struct scan *scan,
                          struct ir_error *error)
{
    struct scan_error where;
    if (len > config->bytes_max || len > INT32_MAX / 2)
        return ir_fail(error, -EFBIG, NULL, "document of %zu bytes; limits.session_bytes is %zu", len,
                       config->bytes_max);
    if (scan_json(text, len, scan, &where))
        return decode_fail_syntax(error, &where);
    if (scan->first != '{')
        return ir_fail(error, -EINVAL, NULL, "a session must be a JSON object, which starts with {");
    if (scan_tree_bytes(scan) > JSON_TREE_BYTES_MAX)
        return ir_fail(error, -EFBIG, NULL,
                       "reading the document would take %zu bytes of memory; the limit is %d (it has %zu objects)",
                       scan_tree_bytes(scan), JSON_TREE_BYTES_MAX, scan->objects);
    return 0;
}

/* json-c does not survive a failed allocation: it dereferences the copy of a key that it did not get, and loses a
 * member or the end of a string without a word. So the most that it can take is asked for before, and given back. */
static bool decode_tree_fits(const struct scan *scan)
{
    void *volatile rehearsal = malloc(scan_tree_bytes(scan)); /* volatile: or the compiler drops the pair */
    free(rehearsal);
    return rehearsal != NULL;
}

static json_object *decode_read_tree(const char *text, size_t len)
{
    json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 2);
    if (!tokener)
        return NULL;
    json_object *tree = json_tokener_parse_ex(tokener, text, (int)len);
    json_tokener_free(tokener);
    return tree;
}

static int decode_parse(const char *text, size_t len, const struct scan *scan, json_object **tree,
                        struct ir_error *error)
{
    char *copy = NULL;
    if (!decode_tree_fits(scan))
        return ir_fail_memory(error);
    if (scan->long_integers) {
        if (scan_keep_long_integers(text, len, scan, &copy, &len))
            return ir_fail_memory(error);
        text = copy;
    }
    *tree = decode_read_tree(text, len);
    free(copy);
    return *tree ? 0 : ir_fail_memory(error);
}

static void decode_warn_repeated(const char *text, size_t len, const struct scan *scan, struct ir_warnings *warnings)
{
    struct scan_error where;
    if (!scan_repeated_key(text, len, scan, &where))
        ir_warn(warnings, NULL, "line %d, column %d: %s", where.line, where.column, where.why);
    else
        ir_warn(warnings, NULL, "duplicate key in an object; the last value counts");
}

int ir_decode(const char *text, size_t len, const struct ir_config *config, struct ir_doc **out,
              struct ir_warnings *warnings, struct ir_error *error)
{
    struct decode d = {.config = config, .error = error, .warnings = warnings};
    struct scan scan = {0};
    json_object *tree = NULL;
    TRY(decode_inspect(text, len, config, &scan, error));
    TRY(decode_parse(text, len, &scan, &tree, error));
    struct ir_doc *doc = doc_new(len);
    if (!doc) {
        json_object_put(tree);
        return ir_fail_memory(error);
    }
    doc->tree = tree;
    int rc = decode_keys(&d, tree, doc);
    if (rc) {
        ir_doc_unref(doc);
        return rc;
    }
    if (d.members < scan.members)
        decode_warn_repeated(text, len, &scan, warnings);
    *out = doc;
    return 0;
}
