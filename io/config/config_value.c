/* A value always comes as text, even a default, so each type has exactly one parser and one printer. The printer writes
 * what the parser reads: `oiduna ctl config` shows it, and a reload compares values by it. */
#include "config_parts.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool parse_number(const char *text, double minimum, double maximum, double *out, struct config_error *e)
{
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end || !isfinite(v) || strpbrk(text, "xXpP"))
        return config_bad(e, "'%s' is not a number", text);
    if (v < minimum || v > maximum)
        return config_bad(e, "%s is outside %g to %g", text, minimum, maximum);
    *out = v;
    return true;
}

static bool parse_int(const char *text, double minimum, double maximum, int *out, struct config_error *e)
{
    double v = 0;
    if (!parse_number(text, minimum, maximum, &v, e))
        return false;
    if (v != floor(v))
        return config_bad(e, "%s is not a whole number", text);
    *out = (int)v;
    return true;
}

static bool parse_n(const char *text, int *out, struct config_error *e)
{
    static const int allowed[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};
    int v = 0;
    if (!parse_int(text, 1, STEPS_PER_BEAT_MAX, &v, e))
        return false;
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (allowed[i] == v)
            return *out = v, true;
    return config_bad(e, "%d is not one of 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48 and 64", v);
}

static bool parse_bytes(const char *text, double minimum, double maximum, size_t *out, struct config_error *e)
{
    char *end;
    double v = strtod(text, &end);
    while (isspace((unsigned char)*end))
        end++;
    double unit = !*end ? 1 : !strcasecmp(end, "KiB") ? 1024 : !strcasecmp(end, "MiB") ? 1048576 : 0;
    if (end == text || unit == 0 || !isfinite(v) || v * unit != floor(v * unit))
        return config_bad(e, "'%s' is not a size; write a number of bytes, KiB or MiB, like 8 MiB", text);
    if (v * unit < minimum || v * unit > maximum)
        return config_bad(e, "%s is outside %.0f bytes to %.0f MiB", text, minimum, maximum / 1048576);
    *out = (size_t)(v * unit);
    return true;
}

static bool parse_flag(const char *text, bool *out, struct config_error *e)
{
    static const char *const word[] = {"no", "yes", "off", "on", "false", "true", "0", "1"};
    for (size_t i = 0; i < sizeof word / sizeof *word; i++)
        if (!strcasecmp(text, word[i]))
            return *out = i % 2, true;
    return config_bad(e, "'%s' is neither yes nor no", text);
}

static bool parse_text(const char *text, char *out, size_t size, struct config_error *e)
{
    if (strlen(text) >= size)
        return config_bad(e, "%zu characters exceed the limit of %zu", strlen(text), size - 1);
    memset(out, 0, size);
    memcpy(out, text, strlen(text));
    return true;
}

static bool parse_address(const char *text, char *out, struct config_error *e)
{
    if (text[0] != '/' || strpbrk(text, " #*,?[]{}"))
        return config_bad(e, "'%s' is not an OSC address; it must begin with / and must not contain spaces or #*,?[]{}",
                          text);
    if (strlen(text) >= sizeof((struct dest *)0)->address)
        return config_bad(e, "%zu characters exceed the limit of %zu", strlen(text),
                          sizeof((struct dest *)0)->address - 1);
    return parse_text(text, out, CONFIG_TEXT_MAX + 1, e);
}

static bool parse_word(const char *text, const char *words, size_t size, int n, int *out, struct config_error *e)
{
    char list[64] = "";
    for (int i = 0; i < n; i++) {
        const char *word = words + (size_t)i * size;
        if (!strcmp(text, word))
            return *out = i, true;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", !i ? "" : i < n - 1 ? ", " : " or ", word);
    }
    return config_bad(e, "'%s' is not %s", text, list);
}

static bool parse_kind(const char *text, enum dest_type *out, struct config_error *e)
{
    int kind = 0;
    if (!parse_word(text, config_kind_name[0], sizeof *config_kind_name, 3, &kind, e))
        return false;
    *out = (enum dest_type)kind;
    return true;
}

static bool parse_endpoint(const char *text, struct sockaddr_storage *out, struct config_error *e)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    bool bracketed = n >= 2 && text[0] == '[' && text[n - 1] == ']';
    if (bracketed)
        snprintf(host, sizeof host, "%.*s", (int)n - 2, text + 1);
    else
        snprintf(host, sizeof host, "%.*s", (int)n, text);
    if (!colon || !n || (strchr(host, ':') && !bracketed))
        return config_bad(e, "'%s' is not ADDRESS:PORT; an IPv6 address needs brackets, like [::1]:57123", text);
    int port = 0;
    if (!parse_int(colon + 1, 0, 65535, &port, e))
        return false;
    memset(out, 0, sizeof *out);
    struct sockaddr_in *in = (struct sockaddr_in *)out;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    if (inet_pton(AF_INET, strcmp(host, "localhost") ? host : "127.0.0.1", &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)port);
    } else if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((uint16_t)port);
    } else {
        return config_bad(e, "'%s' is not a numeric IP address", host);
    }
    return true;
}

static bool parse_allow(const char *text, struct network_list *out, struct config_error *e)
{
    char copy[CONFIG_TEXT_MAX + 1], why[CONFIG_TEXT_MAX + 128], *rest = copy, *word;
    if (!parse_text(text, copy, sizeof copy, e))
        return false;
    memset(out, 0, sizeof *out);
    while ((word = strsep(&rest, ", \t"))) {
        if (!*word)
            continue;
        if (out->n == NETWORKS_MAX)
            return config_bad(e, "too many addresses (limit %d)", NETWORKS_MAX);
        if (network_parse(word, &out->network[out->n++], why, sizeof why))
            return config_bad(e, "%s", why);
    }
    return true;
}

bool config_parse(const struct config_key *key, const char *text, void *owner, struct config_error *e)
{
    void *field = (char *)owner + key->offset;
    double v = 0;
    switch (key->type) {
    case CONFIG_CPU:
        if (!strcmp(text, "auto"))
            return *(int *)field = -1, true;
        return parse_int(text, key->minimum, key->maximum, field, e);
    case CONFIG_INT:
        return parse_int(text, key->minimum, key->maximum, field, e);
    case CONFIG_N:
        return parse_n(text, field, e);
    case CONFIG_MS:
        if (!parse_number(text, key->minimum, key->maximum, &v, e))
            return false;
        *(int64_t *)field = (int64_t)llround(v * 1e6);
        return true;
    case CONFIG_NUMBER:
        return parse_number(text, key->minimum, key->maximum, field, e);
    case CONFIG_BYTES:
        return parse_bytes(text, key->minimum, key->maximum, field, e);
    case CONFIG_FLAG:
        return parse_flag(text, field, e);
    case CONFIG_NAME:
        return parse_text(text, field, NAME_BYTES_MAX + 1, e);
    case CONFIG_TEXT:
        return parse_text(text, field, CONFIG_TEXT_MAX + 1, e);
    case CONFIG_ADDRESS:
        return parse_address(text, field, e);
    case CONFIG_ENDPOINT:
        return parse_endpoint(text, field, e);
    case CONFIG_ALLOW:
        return parse_allow(text, field, e);
    case CONFIG_KIND:
        return parse_kind(text, field, e);
    case CONFIG_CLOCK:
        return parse_word(text, config_clock_name[0], sizeof *config_clock_name, 3, field, e);
    }
    assert(false && "every row of the table has a type");
    return false;
}

void config_print_endpoint(const struct sockaddr_storage *a, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN];
    if (a->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        snprintf(out, size, "[%s]:%u", host, ntohs(in6->sin6_port));
    } else {
        const struct sockaddr_in *in = (const struct sockaddr_in *)a;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(out, size, "%s:%u", host, ntohs(in->sin_port));
    }
}

static void print_allow(const struct network_list *a, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < a->n && used < size; i++) {
        char network[NETWORK_TEXT_BYTES];
        network_text(&a->network[i], network);
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", network);
    }
}

static void print_bytes(size_t v, char *out, size_t size)
{
    if (v % (1 << 20) == 0)
        snprintf(out, size, "%zu MiB", v >> 20);
    else if (v % (1 << 10) == 0)
        snprintf(out, size, "%zu KiB", v >> 10);
    else
        snprintf(out, size, "%zu", v);
}

void config_value(const struct config_key *key, const void *owner, char *out, size_t size)
{
    const void *field = (const char *)owner + key->offset;
    switch (key->type) {
    case CONFIG_CPU:
        if (*(const int *)field < 0) {
            snprintf(out, size, "auto");
            break;
        }
        /* fall through */
    case CONFIG_INT:
    case CONFIG_N:
        snprintf(out, size, "%d", *(const int *)field);
        break;
    case CONFIG_MS:
        snprintf(out, size, "%.12g", (double)*(const int64_t *)field / 1e6);
        break;
    case CONFIG_NUMBER:
        snprintf(out, size, "%.15g", *(const double *)field);
        break;
    case CONFIG_BYTES:
        print_bytes(*(const size_t *)field, out, size);
        break;
    case CONFIG_FLAG:
        snprintf(out, size, "%s", *(const bool *)field ? "yes" : "no");
        break;
    case CONFIG_NAME:
    case CONFIG_TEXT:
    case CONFIG_ADDRESS:
        snprintf(out, size, "%s", (const char *)field);
        break;
    case CONFIG_ENDPOINT:
        config_print_endpoint(field, out, size);
        break;
    case CONFIG_ALLOW:
        print_allow(field, out, size);
        break;
    case CONFIG_KIND:
        snprintf(out, size, "%s", config_kind_name[*(const enum dest_type *)field]);
        break;
    case CONFIG_CLOCK:
        snprintf(out, size, "%s", config_clock_name[*(const enum midi_clock *)field]);
        break;
    }
}
