// SPDX-License-Identifier: GPL-3.0-or-later
// recompute.c: where to cut a graph, what a segment costs and frees, and the graph with second
// copies (recompute.h).
//
// A tensor is inner where no forward node outside its segment reads it. Of a chosen segment inner
// tensors are dropped; a backward node that reads one gets a copy, made right before the first such
// node from what is kept or from other copies. So only what is wanted is made
// again: never a segment's own result.
#include "autograd/passes/recompute.h"

#include <string.h>

#include "autograd/op.h"
#include "autograd/plan.h"

typedef struct view {
    const graph *g;
    const kit *kit; // of the plans to come
    int forward;    // nodes before the backward pass
    int n_tensors;
    int *root;      // by tensor id: whose bytes these are (a view's source)
    int *made;      // by tensor id: node that makes it; -1 for leaves
    int *used;      // by root: last forward node that reads it
    bool *wanted;   // by tensor id: a backward node reads it, or a view of it
    uint64_t *live; // [forward] bytes alive behind a node
} view;

static void look_at(view *v, int i)
{
    const node *n = graph_node(v->g, i);
    for (int k = 0; k < n->n_in; k++) {
        if (!n->in[k])
            continue;
        int t = n->in[k]->id, r = v->root[t];
        if (i < v->forward)
            v->used[r] = i;
        else
            v->wanted[t] = v->wanted[r] = true;
    }
    for (int k = 0; k < n->n_out; k++) {
        int t = n->out[k]->id;
        v->made[t] = v->used[t] = i;
        if (k == 0 && (n->op->flags & OP_VIEW))
            v->root[t] = v->root[n->in[0]->id];
    }
}

static void add_live(view *v)
{
    for (int t = 0; t < v->n_tensors; t++)
        for (int i = v->made[t]; v->root[t] == t && i >= 0 && i < v->used[t]; i++)
            v->live[i] += plan_tensor_bytes(graph_tensor(v->g, t));
}

static view view_of(const graph *g, arena *a)
{
    size_t n = (size_t)graph_tensors(g) + 1;
    view v = {.g = g, .n_tensors = graph_tensors(g)};
    v.root = NEW(a, int, n), v.made = NEW(a, int, n), v.used = NEW(a, int, n),
    v.wanted = NEW(a, bool, n);
    while (v.forward < graph_nodes(g) && !graph_node(g, v.forward)->backward)
        v.forward++;
    v.live = NEW(a, uint64_t, (size_t)v.forward + 2);
    for (int t = 0; t < v.n_tensors; t++)
        v.root[t] = t, v.made[t] = v.used[t] = -1;
    for (int i = 0; i < graph_nodes(g); i++)
        look_at(&v, i);
    int n_writes;
    const graph_written *writes = graph_writes(g, &n_writes);
    for (int i = 0; i < n_writes; i++) // kept to the end of the step
        v.used[v.root[writes[i].value->id]] = v.forward;
    add_live(&v);
    return v;
}

// No forward node outside [first, last) reads the bytes of t, which are made within.
static bool inner(const view *v, const segment *s, const tensor *t)
{
    int r = v->root[t->id];
    const node *n = v->made[r] < 0 ? NULL : graph_node(v->g, v->made[r]);
    // a weight in another form: made once a step (plan.h)
    if (n && n->n_in == 1 && n->in[0]->kind == TENSOR_PARAM)
        return false;
    return v->made[r] >= s->first && v->made[r] < s->last && v->used[r] < s->last;
}

// ---- Segments

// Bytes that are kept for the backward pass, and the cost of all nodes that lead to them.
static void weigh(const view *v, segment *s, arena *a)
{
    arena_mark m = arena_save(a);
    bool *again = NEW(a, bool, (size_t)v->n_tensors + 1);
    for (int i = s->last - 1; i >= s->first; i--) {
        const node *n = graph_node(v->g, i);
        bool any = false;
        for (int k = 0; k < n->n_out; k++) {
            const tensor *t = n->out[k];
            bool freed = v->wanted[t->id] && inner(v, s, t);
            s->bytes += freed && v->root[t->id] == t->id ? plan_tensor_bytes(t) : 0;
            any = any || freed || again[t->id];
        }
        for (int k = 0; k < n->n_in && any; k++)
            if (n->in[k])
                again[n->in[k]->id] = inner(v, s, n->in[k]);
        s->cost_ns += any ? plan_node_cost(n, v->kit) : 0;
    }
    arena_rewind(a, m);
}

segments recompute_segments(const graph *g, const kit *k, arena *a)
{
    view v = view_of(g, a);
    v.kit = k;
    segments s = {.list = NEW(a, segment, (size_t)v.forward + 1)};
    int first = 0;
    for (int i = 1; i + 1 < v.forward; i++) {
        if (v.live[i] > v.live[i - 1] || v.live[i] >= v.live[i + 1])
            continue;
        segment next = {.first = first, .last = i + 1};
        weigh(&v, &next, a);
        first = i + 1;
        if (next.bytes)
            s.list[s.n++] = next;
    }
    return s;
}

static bool before(const segments *s, int x, int y)
{
    double a = (double)s->list[x].bytes * s->list[y].cost_ns,
           b = (double)s->list[y].bytes * s->list[x].cost_ns;
    return a > b || (a == b && x < y);
}

int *recompute_order(const segments *s, arena *a)
{
    int *order = NEW(a, int, (size_t)s->n + 1);
    for (int i = 0, k; i < s->n; i++) {
        for (k = i; k > 0 && before(s, i, order[k - 1]); k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
    return order;
}

// ---- The graph with second copies

typedef struct pass {
    view v;
    graph *to;
    const segment **of; // by forward node: its segment where chosen, or NULL
    tensor **copy;      // by tensor id
} pass;

static tensor *now(pass *p, tensor *t);

static void copy_node(pass *p, const node *n)
{
    tensor *in[OP_IN_MAX];
    for (int k = 0; k < n->n_in; k++)
        in[k] = now(p, n->in[k]);
    const node *made = graph_again(p->to, n, in);
    for (int k = 0; k < n->n_out; k++)
        p->copy[n->out[k]->id] = made->out[k];
}

// What a backward node reads in place of t, which may be NULL.
static tensor *now(pass *p, tensor *t)
{
    int made = t ? p->v.made[t->id] : -1;
    const segment *s = made >= 0 && made < p->v.forward ? p->of[made] : NULL;
    if (!s || !inner(&p->v, s, t))
        return t;
    if (!p->copy[t->id])
        copy_node(p, graph_node(p->v.g, made));
    return p->copy[t->id];
}

graph *recompute_graph(const graph *g, const segments *s, const bool *chosen, arena *a)
{
    pass p = {.v = view_of(g, a), .to = graph_rewrite(g, a)};
    p.of = NEW(a, const segment *, (size_t)p.v.forward + 1);
    p.copy = NEW(a, tensor *, (size_t)p.v.n_tensors + 1);
    for (int k = 0; k < s->n; k++)
        for (int i = s->list[k].first; i < s->list[k].last && chosen[k]; i++)
            p.of[i] = &s->list[k];
    for (int i = 0; i < graph_nodes(g); i++) {
        const node *n = graph_node(g, i);
        tensor *in[OP_IN_MAX];
        for (int k = 0; k < n->n_in; k++)
            in[k] = i < p.v.forward ? n->in[k] : now(&p, n->in[k]);
        graph_keep(p.to, n, in);
    }
    return p.to;
}
