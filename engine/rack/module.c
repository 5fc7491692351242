#include "module.h"
#include <stdlib.h>
#include <string.h>

#define PARAM_ROW(symbol, name, unit, minimum, maximum, fallback, curve, sentence)                                     \
    {name, unit, (float)(minimum), (float)(maximum), (float)(fallback), CURVE_##curve, sentence},
#define PORT_ROW(symbol, name, sentence) {name, sentence},
#define TABLES(symbol, name, sentence)                                                                                 \
    static const struct module_param name##_params[] = {symbol##_PARAMS(PARAM_ROW){0}};                                \
    static const struct module_port name##_inputs[] = {symbol##_INPUTS(PORT_ROW){0}};                                  \
    static const struct module_port name##_outputs[] = {symbol##_OUTPUTS(PORT_ROW){0}};
MODULES(TABLES)

#define ROWS(table) ((int)(sizeof(table) / sizeof *(table)) - 1)
#define INFO(symbol, name, sentence)                                                                                   \
    {#name,         sentence,      ROWS(name##_params), ROWS(name##_inputs), ROWS(name##_outputs),                     \
     name##_params, name##_inputs, name##_outputs},
const struct module_info module_info[MODULE_COUNT] = {MODULES(INFO)};

#define SPEC(symbol, name, sentence) &name##_spec,
const struct module_spec *const module_spec[MODULE_COUNT] = {MODULES(SPEC)};

#define BASELINE(symbol, name, sentence) name##_kernel_baseline,
static module_kernel *const baseline[MODULE_COUNT] = {MODULES(BASELINE)};
#ifdef __x86_64__
#define AVX2(symbol, name, sentence) name##_kernel_avx2,
static module_kernel *const avx2[MODULE_COUNT] = {MODULES(AVX2)};
#endif

bool module_has_avx2(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx2") != 0;
#else
    return false;
#endif
}

module_kernel *module_kernel_of(enum module_kind kind, bool fast)
{
#ifdef __x86_64__
    if (fast)
        return avx2[kind];
#endif
    (void)fast;
    return baseline[kind];
}

int module_find(const char *name)
{
    for (int i = 0; i < MODULE_COUNT; i++)
        if (!strcmp(module_info[i].name, name))
            return i;
    return -1;
}

int module_param_find(enum module_kind kind, const char *name)
{
    for (int i = 0; i < module_info[kind].param_n; i++)
        if (!strcmp(module_info[kind].param[i].name, name))
            return i;
    return -1;
}

static int module_port_find(const struct module_port *port, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(port[i].name, name))
            return i;
    return -1;
}

int module_input_find(enum module_kind kind, const char *name)
{
    return module_port_find(module_info[kind].input, module_info[kind].input_n, name);
}

int module_output_find(enum module_kind kind, const char *name)
{
    return module_port_find(module_info[kind].output, module_info[kind].output_n, name);
}

/* returns the place of the word in a list separated by spaces, or -1 */
static int module_word_find(const char *words, const char *word)
{
    size_t len = strlen(word);
    for (int i = 0; *words; i++) {
        size_t n = strcspn(words, " ");
        if (n == len && !memcmp(words, word, n))
            return i;
        words += n + strspn(words + n, " ");
    }
    return -1;
}

bool module_param_read(const struct module_param *param, const char *text, float *out)
{
    if (param->curve == CURVE_WORD) {
        int place = module_word_find(param->unit, text);
        *out = (float)place;
        return place >= 0;
    }
    char *end;
    *out = strtof(text, &end);
    return end != text && !*end && *out - *out == 0 && !strpbrk(text, "xXpPnN");
}
