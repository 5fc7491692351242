/* scan: what is JSON, and where what is none goes wrong. */
#include "ir/scan.h"
#include "engine/limits.h"
#include "t/tap.h"

static const char *const good[] = {
    "{}",
    " \t\r\n{ } \n",
    "[]",
    "0",
    "-0",
    "\"\"",
    "true",
    "null",
    "[1,-2,3.25,1e5,1E+5,1.5e-05,0.0,-0.5,10]",
    "{\"a\":{\"b\":[{},[],\"\",false]},\"c\":null}",
    "\"\\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u00e9 \\uD834\\uDD1E\"",
    "\"太鼓 é \xf0\x9d\x84\x9e \x7f\xef\xbf\xbf\xf4\x8f\xbf\xbf\"",
    "{\"a\":1,\"a\":2}",
};

static const struct {
    const char *name, *text;
    size_t len; /* 0: up to the NUL */
    int line, column;
} bad[] = {
    {"an empty document", "", 0, 1, 1},
    {"only spaces", " \n ", 0, 2, 2},
    {"a byte order mark", "\xef\xbb\xbf{}", 0, 1, 1},
    {"UTF-16, big end first", "\xfe\xff\0{\0}", 6, 1, 1},
    {"UTF-16, little end first", "\xff\xfe{\0}\0", 6, 1, 1},
    {"text behind the end", "{} x", 0, 1, 4},
    {"a second document", "{}\n{}", 0, 2, 1},
    {"a NUL behind the end", "{}\0", 3, 1, 3},
    {"an open object", "{\"a\":1", 0, 1, 7},
    {"an open array", "[1,2", 0, 1, 5},
    {"nothing after the comma", "[1,", 0, 1, 4},
    {"a comma before ]", "[1,]", 0, 1, 4},
    {"a comma before }", "{\"a\":1,}", 0, 1, 8},
    {"a leading comma", "[,1]", 0, 1, 2},
    {"two commas", "[1,,2]", 0, 1, 4},
    {"no comma", "[1 2]", 0, 1, 4},
    {"no colon", "{\"a\" 1}", 0, 1, 6},
    {"no value", "{\"a\":}", 0, 1, 6},
    {"a key without quotes", "{a:1}", 0, 1, 2},
    {"a number as key", "{1:1}", 0, 1, 2},
    {"single quotes", "{\"a\":'b'}", 0, 1, 6},
    {"} for ]", "[1}", 0, 1, 3},
    {"] for }", "{\"a\":1]", 0, 1, 7},
    {"a colon in an array", "[\"a\":1]", 0, 1, 5},
    {"a comment", "{/* */}", 0, 1, 2},
    {"a comment with slashes", "// x\n{}", 0, 1, 1},
    {"NaN", "[NaN]", 0, 1, 2},
    {"Infinity", "[Infinity]", 0, 1, 2},
    {"-Infinity", "[-Infinity]", 0, 1, 2},
    {"True", "[True]", 0, 1, 2},
    {"nul", "[nul]", 0, 1, 2},
    {"nulls", "[nulls]", 0, 1, 6},
    {"a leading zero", "[0120]", 0, 1, 2},
    {"a leading zero behind a minus", "[-01]", 0, 1, 2},
    {"a plus", "[+1]", 0, 1, 2},
    {"a lone minus", "[-]", 0, 1, 2},
    {"a point without digits", "[1.]", 0, 1, 2},
    {"a point first", "[.5]", 0, 1, 2},
    {"an exponent without digits", "[1e]", 0, 1, 2},
    {"an exponent with only a sign", "[1e+]", 0, 1, 2},
    {"a hexadecimal number", "[0x10]", 0, 1, 3},
    {"an open string", "[\n \"abc", 0, 2, 2},
    {"a backslash at the end", "\"\\", 0, 1, 2},
    {"an unknown escape", "\"a\\x\"", 0, 1, 3},
    {"an escape cut short", "\"\\u00\"", 0, 1, 2},
    {"an escape that is no number", "\"\\u00g0\"", 0, 1, 2},
    {"U+0000", "\"\\u0000\"", 0, 1, 2},
    {"half a surrogate", "\"\\ud800\"", 0, 1, 2},
    {"the other half", "\"\\udc00\"", 0, 1, 2},
    {"two first halves", "\"\\ud800\\ud800\"", 0, 1, 2},
    {"half a surrogate before text", "\"\\ud800abcdef\"", 0, 1, 2},
    {"a raw newline in a string", "{\"a\":\"x\ny\"}", 0, 1, 8},
    {"a raw tab in a string", "\"\t\"", 0, 1, 2},
    {"a raw NUL in a string", "\"\0\"", 3, 1, 2},
    {"a byte that is not UTF-8", "\"\xff\"", 0, 1, 2},
    {"a continuation without start", "\"\x80\"", 0, 1, 2},
    {"UTF-8 cut short by the end", "\"\xe5\xa4", 0, 1, 2},
    {"UTF-8 cut short by a quote", "\"\xe5\xa4\"", 0, 1, 2},
    {"a slash written with two bytes", "\"\xc0\xaf\"", 0, 1, 2},
    {"a slash written with three bytes", "\"\xe0\x80\xaf\"", 0, 1, 2},
    {"a slash written with four bytes", "\"\xf0\x80\x80\xaf\"", 0, 1, 2},
    {"a surrogate in UTF-8", "\"\xed\xa0\x80\"", 0, 1, 2},
    {"beyond the last character", "\"\xf4\x90\x80\x80\"", 0, 1, 2},
    {"UTF-8 outside of strings", "{é:1}", 0, 1, 2},
    {"an error in the third line", "{\n\"a\":1,\n\"é\":x}", 0, 3, 5},
};

static void nesting(void)
{
    char text[2 * (JSON_DEPTH_MAX + 1) + 1];
    struct scan scan;
    struct scan_error error;
    for (int depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        for (int i = 0; i < depth; i++) {
            text[i] = '[';
            text[2 * depth - 1 - i] = ']';
        }
        int rc = scan_json(text, (size_t)depth * 2, &scan, &error);
        ok(depth <= JSON_DEPTH_MAX ? rc == 0 : rc != 0 && error.column == depth, "%d levels", depth);
    }
    /* the kinds of 64 levels stand in 64 bits: all of them must be remembered */
    for (int i = 0; i < JSON_DEPTH_MAX; i++) {
        text[i] = '[';
        text[2 * JSON_DEPTH_MAX - 1 - i] = ']';
    }
    text[2 * JSON_DEPTH_MAX - 1] = '}';
    ok(scan_json(text, 2 * JSON_DEPTH_MAX, &scan, &error) && error.column == 2 * JSON_DEPTH_MAX,
       "the outermost of 64 arrays does not end with }");
}

static void counts(void)
{
    const char *text = "{\"ab\":[1,\"c\",null],\"d\":{\"e\":1234567890123456789,\"f\":-1e99999}}";
    struct scan scan;
    struct scan_error error;
    is_int(scan_json(text, strlen(text), &scan, &error), 0, "a document to count");
    is_int((long long)scan.objects, 2, "objects are counted");
    is_int((long long)scan.arrays, 1, "arrays are counted");
    is_int((long long)scan.members, 4, "members are counted");
    is_int((long long)scan.scalars, 5, "scalars are counted");
    is_int((long long)scan.long_integers, 1, "integers that may not fit 64 bits are counted");
    is_int(scan.first, '{', "a document that is an object is known as one");
    char *copy;
    size_t len;
    is_int(scan_keep_long_integers(text, strlen(text), &scan, &copy, &len), 0, "long integers are kept");
    const char *want = "{\"ab\":[1,\"c\",null],\"d\":{\"e\":\"\\u00001234567890123456789\",\"f\":-1e99999}}";
    ok(len == strlen(want) && !memcmp(copy, want, len), "as strings, and nothing else is changed");
    free(copy);
}

static void repeated_keys(void)
{
    static const struct {
        const char *text;
        int line, column; /* 0: none */
    } cases[] = {
        {"{\"a\":1,\n \"a\":2}", 2, 2},
        {"{\"a\":{\"a\":1},\"b\":{\"a\":1}}", 0, 0},
        {"[{\"a\":1},{\"a\":2}]", 0, 0},
        {"{\"a\":\"a\",\"b\":\"\\\"a\\\":\",\"c\":\"a\"}", 0, 0},
        {"{\"x\":{\"a\":1,\"bc\":2,\"ab\":3,\"bc\" :4},\"y\":1}", 1, 27},
        {"{\"k\":[1,{\"z\":[],\"y\":{},\"z\":0}]}", 1, 24},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scan scan;
        struct scan_error where = {.line = 0};
        scan_json(cases[i].text, strlen(cases[i].text), &scan, &where);
        int rc = scan_repeated_key(cases[i].text, strlen(cases[i].text), &scan, &where);
        ok(cases[i].line ? rc == 0 && where.line == cases[i].line && where.column == cases[i].column : rc != 0,
           "where a key is repeated in %s", i == 0 ? "two lines" : cases[i].text);
    }
}

int main(void)
{
    struct scan scan;
    struct scan_error error;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int rc = scan_json(good[i], strlen(good[i]), &scan, &error);
        if (!ok(rc == 0, "accepted, document %zu", i))
            diag("%d:%d: %s", error.line, error.column, error.why);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t len = bad[i].len ? bad[i].len : strlen(bad[i].text);
        /* an exact copy, so that a sanitizer sees the scanner read beyond it */
        char *text = malloc(len ? len : 1);
        memcpy(text, bad[i].text, len);
        int rc = scan_json(text, len, &scan, &error);
        if (!ok(rc && error.line == bad[i].line && error.column == bad[i].column && error.why && *error.why,
                "refused at %d:%d: %s", bad[i].line, bad[i].column, bad[i].name))
            diag("%s, %d:%d: %s", rc ? "refused" : "accepted", rc ? error.line : 0, rc ? error.column : 0,
                 rc ? error.why : "");
        free(text);
    }
    nesting();
    counts();
    repeated_keys();
    return tap_done();
}
