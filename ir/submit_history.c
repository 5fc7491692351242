#include "submit_parts.h"
#include <assert.h>
#include <string.h>

static void history_truncate(struct history *h, int n)
{
    assert(n >= 0 && n <= h->n);
    while (h->n > n)
        ir_model_unref(h->model[--h->n]);
}

void history_add(struct history *h, struct ir_model *m)
{
    assert(h->cursor >= -1 && h->cursor < h->n);
    history_truncate(h, h->cursor + 1);
    if (h->n == UNDO_MAX + 1) {
        ir_model_unref(h->model[0]);
        memmove(h->model, h->model + 1, UNDO_MAX * sizeof h->model[0]);
        h->n--;
    }
    h->model[h->n++] = ir_model_ref(m);
    h->cursor = h->n - 1;
}

void history_go(struct history *h, int index)
{
    assert(index >= 0 && index < h->n);
    h->cursor = index;
}

void history_share(struct history *to, const struct history *from)
{
    *to = *from;
    for (int i = 0; i < to->n; i++)
        ir_model_ref(to->model[i]);
}

void history_clear(struct history *h)
{
    history_truncate(h, 0);
    h->cursor = -1;
}
