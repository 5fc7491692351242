#include "patch.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* its frames begin after the silence before them */
static void sample_free(const struct sample *s)
{
    if (s->data)
        free((void *)(uintptr_t)(s->data - SAMPLE_GUARD * s->channels));
}

void sample_set_free(struct sample_set *set)
{
    for (int i = 0; i < set->n; i++)
        sample_free(&set->sample[i]);
    free((void *)set->sample);
    *set = (struct sample_set){0};
}

void patch_free(struct rack_patch *p)
{
    if (!p)
        return;
    sample_set_free(&p->owned);
    free(p);
}

int patch_node_find(const struct rack_patch *p, const char *name)
{
    for (int i = 0; i < p->node_n; i++)
        if (!strcmp(p->node[i].name, name))
            return i;
    return -1;
}

int patch_only_node(const struct rack_patch *p, enum module_kind kind)
{
    int found = -1;
    for (int i = 0; i < p->node_n; i++)
        if (p->node[i].kind == kind)
            found = found == -1 ? i : -2;
    return found;
}

bool patch_param_find(const struct rack_patch *patch, const char *name, uint8_t *node, uint8_t *param)
{
    size_t len = strcspn(name, ".");
    for (int i = 0; i < patch->node_n && name[len]; i++) {
        const struct patch_node *n = &patch->node[i];
        if (strncmp(n->name, name, len) || n->name[len])
            continue;
        int found = module_param_find(n->kind, name + len + 1);
        enum param_curve curve = found < 0 ? CURVE_FIXED : module_info[n->kind].param[found].curve;
        *node = (uint8_t)i, *param = (uint8_t)found;
        return curve != CURVE_WORD && curve != CURVE_FIXED;
    }
    return false;
}
