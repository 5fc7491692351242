#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    JSON_READ_BASE = 16384,
    JSON_READ_FACTOR = 264 /* bytes of a tree for each of text at most: empty objects, measured with json-c 0.16 */
};

/* Adding failed: what was built is given up. */
static void json_give_up(json_object **owner, json_object *value)
{
    json_object_put(value);
    json_object_put(*owner);
    *owner = NULL;
}

void json_add(json_object **object, const char *key, json_object *value)
{
    if (!*object || !value || json_object_object_add(*object, key, value))
        json_give_up(object, value);
}

void json_append(json_object **list, json_object *value)
{
    if (!*list || !value || json_object_array_add(*list, value))
        json_give_up(list, value);
}

void json_add_string(json_object **object, const char *key, const char *text)
{
    json_add(object, key, json_string(text));
}

void json_add_int(json_object **object, const char *key, int64_t value)
{
    json_add(object, key, json_object_new_int64(value));
}

void json_add_flag(json_object **object, const char *key, bool value)
{
    json_add(object, key, json_object_new_boolean(value));
}

void json_add_number(json_object **object, const char *key, long double value, int digits)
{
    char text[48];
    if (value == (long double)(int64_t)value) {
        json_add_int(object, key, (int64_t)value);
        return;
    }
    snprintf(text, sizeof text, "%.*Lg", digits, value);
    json_add(object, key, json_object_new_double_s((double)value, text));
}

json_object *json_ok(void)
{
    json_object *o = json_object_new_object();
    json_add_flag(&o, "ok", true);
    return o;
}

/* Length of the UTF-8 sequence at s, 0 for none. */
static size_t json_utf8_len(const unsigned char *s)
{
    size_t n = s[0] < 0x80                   ? 1
               : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
               : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
               : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                             : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool surrogate = s[0] == 0xed && s[1] >= 0xa0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    return surrogate || overlong || (s[0] == 0xf4 && s[1] >= 0x90) ? 0 : n;
}

json_object *json_string(const char *text)
{
    size_t len = strlen(text), n = 0;
    char *copy = malloc(3 * len + 1);
    if (!copy)
        return NULL;
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        size_t step = json_utf8_len(s);
        memcpy(copy + n, step ? (const char *)s : "\xef\xbf\xbd", step ? step : 3);
        n += step ? step : 3;
        s += step ? step : 1;
    }
    json_object *out = json_object_new_string_len(copy, (int)n);
    free(copy);
    return out;
}

/* json-c's tokener does not survive a failed allocation: it dereferences the copy of a key that it did not get. What it
 * can take at most is therefore asked for before, and given back. */
json_object *json_read(const char *text, size_t len)
{
    void *volatile rehearsal =
        malloc(JSON_READ_BASE + JSON_READ_FACTOR * len); /* volatile: or the pair is optimised away */
    if (!rehearsal)
        return NULL;
    free(rehearsal);
    struct json_tokener *tokener = json_tokener_new();
    if (!tokener)
        return NULL;
    json_object *value = json_tokener_parse_ex(tokener, text, (int)len);
    if (json_tokener_get_error(tokener) == json_tokener_continue) /* a number alone ends with the text */
        value = json_tokener_parse_ex(tokener, "", 1);
    json_tokener_free(tokener);
    return value;
}

json_object *json_member(json_object *object, const char *key)
{
    json_object *value = NULL;
    json_object_object_get_ex(object, key, &value);
    return value;
}

double json_number(json_object *object, const char *key)
{
    return json_object_get_double(json_member(object, key));
}

bool json_flag(json_object *object, const char *key)
{
    return json_object_get_boolean(json_member(object, key));
}

const char *json_text(json_object *object, const char *key)
{
    json_object *value = json_member(object, key);
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

size_t json_length(json_object *list)
{
    return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

const char *json_plain(json_object *value)
{
    return json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}
