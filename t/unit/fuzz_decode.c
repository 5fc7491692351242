/* fuzz_decode: documents with random faults. Whatever comes in is refused with an error or becomes a session; with the
 * sanitizers this is where a reader that trusts its input is caught.
 *
 * Seeds are t/golden and a few documents below; all faults follow from SEED, so that a failure can be run again.
 * OIDUNA_FUZZ_ROUNDS asks for more than the default. */
#include <dirent.h>
#include <time.h>
#include "document.h"

enum { SEED = 20240229, SEEDS_MAX = 256, ROUNDS = 6000, BUFFER_BYTES = 1 << 16 };

static struct {
    char *text;
    size_t len;
} seeds[SEEDS_MAX];
static size_t seeds_n;
static uint64_t dice = SEED;

static uint64_t random64(void)
{
    uint64_t z = dice += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static size_t below(size_t n)
{
    return n ? (size_t)(random64() % n) : 0;
}

static void add_seed(const char *text, size_t len)
{
    if (seeds_n == SEEDS_MAX || !len || len > BUFFER_BYTES / 2)
        return;
    seeds[seeds_n].text = memcpy(malloc(len), text, len);
    seeds[seeds_n++].len = len;
}

static void add_directory(const char *path)
{
    static char buffer[BUFFER_BYTES];
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        char name[600];
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        size_t dot = strlen(name) > 5 ? strlen(name) - 5 : 0;
        FILE *f = strcmp(name + dot, ".json") ? NULL : fopen(name, "rb");
        if (!f)
            continue;
        add_seed(buffer, fread(buffer, 1, sizeof buffer, f));
        fclose(f);
    }
    if (dir)
        closedir(dir);
}

static void add_own(void)
{
    static const char *const own[] = {
        "{'name':'n','seed':-5,'environment':{'bpm':97.3,'steps_per_beat':4.0,'swing':0.5,'default_gate':2.5,'loop_"
        "steps':256},"
        "'tracks':{'b':{'meta':{'track_id':'b','mute':true,'solo':true},'destination':'rack','params':{'s':'x','n':4e0,"
        "'extra_params':{'z':1,'y':1.0,'x':'t','w':true,'u':null}},'fx':{'room':0.3},'track_fx':{'cutoff':200,'vowel':'"
        "a'},"
        "'sends':[{'target':'l','amount':3},{'target':'m','amount':0.25}],'modulations':{'reverb.dry':{'signal':~}}}},"
        "'tracks_midi':{'m':{'channel':15,'cc_modulations':{'74':{'signal':~}},'pitch_bend_modulation':{'signal':~}}},"
        "'mixer_lines':{'l':{'include':['b'],'volume':0.5,'output':7,'fx':{'reverb_dry':0.7},'dynamics':{'limiter':"
        "true}}},"
        "'sequences':{'b':{'length':8,'events':[{'step':7,'velocity':8,'note':60,'gate':0.25,'offset_ms':-50,'prob':0."
        "5}]}},"
        "'scenes':{'A':{'environment':{'bpm':60},'tracks':{'x':{'params':{'s':'y'}}}}},"
        "'apply':{'timing':'seq','track_ids':['b','m'],'scene_name':'A','exclusive':false}}",
        "{'bpm':140,'messages':[{'destination_id':'superdirt','cycle':1.5,'step':3,'params':{'s':'bd','track_id':'k','"
        "n':1}},"
        "{'destination_id':'midi','step':1,'params':{'note':61,'velocity':0,'duration_ms':0.5,'channel':9}},"
        "{'destination_id':'midi','step':4,'params':{'cc':31,'value14':16383}},"
        "{'destination_id':'midi','step':7,'params':{'program':9,'bank_lsb':3}},"
        "{'destination_id':'midi','step':10,'params':{'sysex':[0,127,6]}}]}",
        "{'seed':99999999999999999999,'name':'\\u00e9\\ud834\\udd1e 太鼓','name':'twice'}",
    };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        add_seed(json(own[i]), strlen(json(own[i])));
}

/* what a fault puts in: what is special to the scanner, to numbers, or to the IR */
static const char *const pieces[] = {
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "\xff",
    "\xc0\x80",
    "null",
    "true",
    "-1",
    "1e999",
    "1e39",
    "0.5",
    "99999999999999999999999",
    "9223372036854775807",
    "-0",
    "[]",
    "{}",
    "\"\"",
    "\"x\"",
    "128",
    "256",
    "65537",
    "\"step\":",
    "\"signal\":",
    "\"tracks\":{}",
    "\"messages\":[]",
    "\"track_ids\":[\"b\"]",
    "\"scene_name\":\"A\"",
    "\n",
    "\0",
};

static size_t insert(char *text, size_t len, size_t at, const char *what, size_t what_len)
{
    if (len + what_len > BUFFER_BYTES)
        return len;
    memmove(text + at + what_len, text + at, len - at);
    memcpy(text + at, what, what_len);
    return len + what_len;
}

static size_t cut(char *text, size_t len, size_t at, size_t n)
{
    if (n > len - at)
        n = len - at;
    memmove(text + at, text + at + n, len - at - n);
    return len - n;
}

/* one fault */
static size_t spoil(char *text, size_t len)
{
    size_t at = below(len + 1);
    const char *piece = pieces[below(sizeof pieces / sizeof *pieces)];
    size_t piece_len = *piece ? strlen(piece) : 1;
    char part[256];
    switch (below(6)) {
    case 0:
        if (at < len)
            text[at] = (char)random64();
        return len;
    case 1:
        return insert(text, len, at, piece, piece_len);
    case 2:
        return cut(text, len, at, 1 + below(16));
    case 3:
        return insert(text, cut(text, len, at, 1 + below(8)), at, piece, piece_len);
    case 4: /* a piece of the document stands elsewhere, too */
        if (len > sizeof part) {
            memcpy(part, text + below(len - sizeof part), sizeof part);
            return insert(text, len, at, part, 1 + below(sizeof part));
        }
        return len;
    default: /* a value becomes another */
        while (at < len && text[at] != ':')
            at++;
        return at < len ? insert(text, cut(text, len, at + 1, 1 + below(4)), at + 1, piece, piece_len) : len;
    }
}

static size_t accepted, refused, unexplained;

static struct ir_model *try_out(const char *text, size_t len, struct ids *ids, struct ir_model *state)
{
    struct ir_error error = {.line = 0};
    struct ir_warnings warnings = {.n = 0};
    struct ir_doc *doc;
    struct ir_model *next = NULL;
    struct session *session = NULL;
    char *copy = memcpy(malloc(len ? len : 1), text, len); /* exact, so that reading beyond it is seen */
    int rc = ir_decode(copy, len, &config, &doc, &warnings, &error);
    free(copy);
    if (!rc) {
        ir_intern(doc, ids, &error);
        rc = ir_apply(state, doc, &next, &error);
        if (!rc && !(rc = ir_compile(next, &config, ids, &session, &warnings, &error)))
            session_free(session);
        ir_doc_unref(doc);
    }
    ir_warnings_free(&warnings);
    unexplained += rc && !*error.text;
    *(rc ? &refused : &accepted) += 1;
    if (!next)
        return state;
    ir_model_unref(state);
    return next;
}

int main(void)
{
    static char text[BUFFER_BYTES];
    const char *more = getenv("OIDUNA_FUZZ_ROUNDS");
    if (more)
        alarm(0); /* asked to take long */
    long rounds = more ? atol(more) : ROUNDS;
    struct ids *ids = ids_new();
    struct ir_model *model = ir_model_new();
    add_own();
    add_directory("t/golden/fuzz/rejects");
    ok(seeds_n > 3, "there are documents to spoil");
    for (long i = 0; i < rounds; i++) {
        size_t seed = below(i % 2 ? 3 : seeds_n), len = seeds[seed].len;
        memcpy(text, seeds[seed].text, len);
        for (size_t faults = below(4); faults; faults--)
            len = spoil(text, len);
        model = try_out(text, len, ids, model);
        if (i % 500 == 0) {
            ir_model_unref(model);
            model = ir_model_new();
        }
    }
    ok(unexplained == 0, "every refusal says why");
    ok(accepted > 0 && refused > 0, "%ld documents: some pass, some do not", rounds);
    diag("%zu accepted, %zu refused", accepted, refused);
    ir_model_unref(model);
    ids_free(ids);
    session_arena_trim();
    for (size_t i = 0; i < seeds_n; i++)
        free(seeds[i].text);
    return tap_done();
}
