/* First the modules are put in the order in which they run: Kahn's algorithm, each round the first module created
 * whose inputs all come from modules that have run, so that the author's order is kept where it can be. Then each
 * output gets a cable, a buffer of BLOCK_FRAMES frames that is free again once the last module that reads it has run:
 *
 *     node       0 vco    1 adsr   2 vcf    3 vca    4 mix    5 out
 *     cable 0    ╞════════════════►│        ╞═══════►│
 *     cable 1             ╞════════════════►│        ╞═══════►│
 *     cable 2                      ╞═══════►│
 *
 * "busy_until" of a cable is its last reader; a later node takes the first cable with busy_until below its own number.
 *
 * Common errors and pitfalls
 * - Renumbering the nodes changes every number that points at one: sources, maps, out and in. Whatever else keeps a
 *   node's number is looked up after graph_sort.
 * - Outputs never share a cable with an input of the same module: kernels read an input after they have written an
 *   output. So a cable is free from the node *after* its last reader on.
 * - The cables of `out` are read after the last node, by the mix, and those of `in` are filled before the first one,
 *   by the rack. Both stay busy to the end.
 * - An output that nothing reads has a cable all the same, for kernels write it; `wanted` says that they need not.
 * - Feedback through cables cannot work in blocks: the delay of a cycle would be a block, or a segment of one, and
 *   would change with the events that cut it. A delay has its loop inside. */
#include "graph.h"
#include <assert.h>
#include <string.h>
#include "patch_draft.h"

/* Renumbers the nodes: order[i] is the old number of the new node i. */
static void graph_renumber(struct patch_draft *d, const int *order)
{
    struct rack_patch *p = d->patch;
    struct patch_node old[PATCH_NODES_MAX];
    struct draft_source from[PATCH_NODES_MAX][MODULE_PORTS_MAX];
    int place[PATCH_NODES_MAX];
    memcpy(old, p->node, sizeof old);
    memcpy(from, d->from, sizeof from);
    for (int i = 0; i < p->node_n; i++)
        place[order[i]] = i;
    for (int i = 0; i < p->node_n; i++) {
        p->node[i] = old[order[i]];
        for (int k = 0; k < MODULE_PORTS_MAX; k++) {
            struct draft_source e = from[order[i]][k];
            d->from[i][k] = (struct draft_source){(int16_t)(e.node < 0 ? -1 : place[e.node]), e.port};
        }
    }
    for (int i = 0; i < p->map_n; i++)
        p->map[i].node = (uint8_t)place[p->map[i].node];
}

static bool graph_is_ready(const struct patch_draft *d, int node, const bool *done)
{
    for (int k = 0; k < MODULE_PORTS_MAX; k++)
        if (d->from[node][k].node >= 0 && !done[d->from[node][k].node])
            return false;
    return true;
}

/* A node on a cycle: each node that never got ready has a source that did not either, so going from source to source
 * ends in a cycle, after node_n steps at the latest. */
static int graph_cycle(const struct patch_draft *d, const bool *done)
{
    int node = 0;
    while (done[node])
        node++;
    for (int step = 0; step < d->patch->node_n; step++) {
        int k = 0;
        while (k < MODULE_PORTS_MAX && (d->from[node][k].node < 0 || done[d->from[node][k].node]))
            k++;
        assert(k < MODULE_PORTS_MAX);
        node = d->from[node][k].node;
    }
    return node;
}

static int graph_sort(struct patch_draft *d)
{
    bool done[PATCH_NODES_MAX] = {false};
    int order[PATCH_NODES_MAX], n = 0, i;
    while (n < d->patch->node_n) {
        for (i = 0; i < d->patch->node_n && (done[i] || !graph_is_ready(d, i, done)); i++)
            ;
        if (i == d->patch->node_n)
            return draft_fail(
                d, "%s: its connections must not form a cycle; for feedback use a delay, which has it inside",
                d->patch->node[graph_cycle(d, done)].name);
        done[i] = true;
        order[n++] = i;
    }
    graph_renumber(d, order);
    return 0;
}

/* the last node that reads this output, or the node itself */
static int graph_last_reader(const struct patch_draft *d, int node, int port)
{
    int last = node;
    for (int i = node + 1; i < d->patch->node_n; i++)
        for (int k = 0; k < MODULE_PORTS_MAX; k++)
            if (d->from[i][k].node == node && d->from[i][k].port == port)
                last = i;
    return last;
}

static int graph_take_cable(struct patch_draft *d, int *busy_until, int node, int until)
{
    assert(until >= node);
    for (int c = 0; c < PATCH_CABLES_MAX; c++)
        if (busy_until[c] < node) {
            busy_until[c] = until;
            if (c >= d->patch->cable_n)
                d->patch->cable_n = c + 1;
            return c;
        }
    return draft_fail(d, "too many signals in use at one time (limit %d); use fewer modules side by side",
                      PATCH_CABLES_MAX);
}

/* What a module writes is never in the place of what it reads: kernels may read an input after writing an output. */
static int graph_lay_cables(struct patch_draft *d)
{
    struct rack_patch *p = d->patch;
    int busy_until[PATCH_CABLES_MAX];
    for (int c = 0; c < PATCH_CABLES_MAX; c++)
        busy_until[c] = -1;
    for (int i = 0; i < p->node_n; i++) {
        struct patch_node *n = &p->node[i];
        for (int k = 0; k < MODULE_PORTS_MAX; k++) {
            struct draft_source e = d->from[i][k];
            assert(e.node < i);
            n->in[k] = e.node < 0 ? PATCH_SILENCE : p->node[e.node].out[e.port];
            n->connected |= e.node < 0 ? 0 : 1u << k;
        }
        for (int k = 0; k < module_info[n->kind].output_n; k++) {
            int until = i == p->out || i == p->in ? p->node_n : graph_last_reader(d, i, k),
                c = graph_take_cable(d, busy_until, i, until);
            if (c < 0)
                return -1;
            n->out[k] = (uint8_t)c;
            n->wanted |= graph_last_reader(d, i, k) > i ? 1u << k : 0;
        }
    }
    return 0;
}

int graph_finish(struct patch_draft *d, bool is_orbit)
{
    struct rack_patch *p = d->patch;
    assert(p->node_n <= PATCH_NODES_MAX && p->map_n <= PATCH_MAPS_MAX);
    d->line = 0;
    if (graph_sort(d))
        return -1;
    p->out = patch_only_node(p, MODULE_OUT);
    p->in = patch_only_node(p, MODULE_IN);
    if (p->out < 0)
        return draft_fail(d, "%s module out; a patch must have exactly one", p->out == -1 ? "no" : "more than one");
    if (is_orbit ? p->in < 0 : p->in != -1)
        return draft_fail(d, is_orbit ? "the patch orbit must have exactly one module in"
                                      : "only the patch orbit may have a module in");
    for (int i = 0; i < p->map_n; i++)
        p->heard[p->map[i].word / 64] |= (uint64_t)1 << (p->map[i].word % 64);
    for (int i = 0; i < p->node_n; i++) {
        p->node[i].param_first = p->param_n;
        p->param_n += module_info[p->node[i].kind].param_n;
    }
    return graph_lay_cables(d);
}
