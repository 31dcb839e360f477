// SPDX-License-Identifier: GPL-3.0-or-later
// fuse.c: finds additions of which one side was made for them alone, and gives the other to the
// node that made it; and casts that a node beside them does as it writes or reads.
//
// Nodes stay in their order. Of the two sides the one made later takes the other, which is there by
// then; readers of the sum read that node instead, and the addition is left out.
#include "autograd/passes/fuse.h"

#include "autograd/op.h"

typedef struct pass {
    graph *g;
    int n_nodes;
    int *readers;     // by tensor id
    bool *held;       // by tensor id: the caller's, or what a buffer is to hold
    tensor **instead; // by tensor id: what is read in place of a sum
} pass;

static pass pass_open(graph *g, tensor *const held[], int n)
{
    arena *a = graph_arena(g);
    size_t tensors = (size_t)graph_tensors(g) + 1;
    pass p = {g, graph_nodes(g), NEW(a, int, tensors), NEW(a, bool, tensors),
              NEW(a, tensor *, tensors)};
    for (int i = 0; i < p.n_nodes; i++)
        for (int k = 0; k < graph_node(g, i)->n_in; k++)
            if (graph_node(g, i)->in[k])
                p.readers[graph_node(g, i)->in[k]->id]++;
    for (int i = 0; i < n; i++)
        if (held[i])
            p.held[held[i]->id] = true;
    int n_writes;
    const graph_written *writes = graph_writes(g, &n_writes);
    for (int i = 0; i < n_writes; i++)
        p.held[writes[i].value->id] = true;
    return p;
}

static int made_at(const tensor *t)
{
    return t->from ? t->from->id : -1;
}

// Both sides whole, in f32, on the same way through the graph.
static bool is_plain(const node *n)
{
    const tensor *a = n->in[0], *b = n->in[1];
    return n->op == op_get(OP_add) && shape_same(a->shape, b->shape) && a->type == DT_F32 &&
           b->type == DT_F32 && a != b;
}

// The node that takes over, or NULL.
static const node *takes(const pass *p, const node *sum)
{
    if (!is_plain(sum) || p->held[sum->out[0]->id])
        return NULL;
    int late = made_at(sum->in[1]) > made_at(sum->in[0]);
    const tensor *t = sum->in[late];
    tensor *x = sum->in[!late];
    const node *n = t->from;
    bool own = n && n->op->added && t == n->out[0] && n->backward == sum->backward &&
               p->readers[t->id] == 1 && !p->held[t->id];
    const tensor *made = own && made_at(x) < n->id ? n->op->added(p->g, n, x) : NULL;
    if (!made || tensor_poisoned(made))
        return NULL;
    graph_become(p->g, n, made->from);
    return n;
}

// Reads what is there in place of what was.
static void rewire(const pass *p, const node *at)
{
    for (int k = 0; k < at->n_in; k++)
        if (at->in[k] && p->instead[at->in[k]->id])
            graph_rewire(p->g, at, k, p->instead[at->in[k]->id]);
}

void fuse_additions(graph *g, tensor *const held[], int n)
{
    pass p = pass_open(g, held, n);
    const node **order = NEW(graph_arena(g), const node *, (size_t)p.n_nodes + 1);
    int kept = 0;
    for (int i = 0; i < p.n_nodes; i++) {
        const node *at = graph_node(g, i);
        rewire(&p, at);
        const node *by = takes(&p, at);
        if (by) {
            p.instead[at->out[0]->id] = by->out[0];
            p.readers[by->out[0]->id] = p.readers[at->out[0]->id];
        } else
            order[kept++] = at;
    }
    graph_order(g, order, kept);
}

// ---- Casts

static bool is_cast(const node *n, dtype from, dtype to)
{
    return n->op == op_get(OP_cast) && n->in[0]->type == from && n->out[0]->type == to;
}

// Of every tensor how many readers would not take bf16 in the place of f32, and whether the way
// back reads it.
typedef struct reading {
    int *wide;
    bool *back;
} reading;

static reading reading_of(graph *g)
{
    size_t n_tensors = (size_t)graph_tensors(g) + 1;
    reading r = {NEW(graph_arena(g), int, n_tensors), NEW(graph_arena(g), bool, n_tensors)};
    for (int i = 0; i < graph_nodes(g); i++) {
        const node *n = graph_node(g, i);
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k]) {
                r.wide[n->in[k]->id] += !(n->op->reads_bf16 >> k & 1);
                r.back[n->in[k]->id] |= n->backward;
            }
    }
    return r;
}

// Whether x has numbers of bf16 already: what a product in bf16 made and the way back reads was
// rounded (precision.h).
static bool is_rounded(const reading *r, const tensor *x, const tensor *kept)
{
    return r->back[kept->id] && x->from->in[0]->type == DT_BF16;
}

// A cast to bf16 that its input's own node does, or one to f32 that no reader needs.
static bool is_idle(const pass *p, const reading *r, const node *n)
{
    const tensor *x = n->in[0], *y = n->out[0];
    if (is_cast(n, DT_BF16, DT_F32))
        return !p->held[y->id] && r->wide[y->id] == 0;
    return is_cast(n, DT_F32, DT_BF16) && x->from && x->from->op->writes_bf16 &&
           x == x->from->out[0] && !p->held[x->id] &&
           (p->readers[x->id] == 1 || (r->wide[x->id] == 1 && is_rounded(r, x, y)));
}

void fuse_casts(graph *g, tensor *const held[], int n)
{
    pass p = pass_open(g, held, n);
    const reading r = reading_of(g);
    const node **order = NEW(graph_arena(g), const node *, (size_t)p.n_nodes + 1);
    int kept = 0;
    for (int i = 0; i < p.n_nodes; i++) {
        const node *at = graph_node(g, i);
        rewire(&p, at);
        if (!is_idle(&p, &r, at)) {
            order[kept++] = at;
            continue;
        }
        if (at->in[0]->type == DT_F32)
            graph_narrow(g, at->in[0]);
        p.instead[at->out[0]->id] = at->in[0];
    }
    graph_order(g, order, kept);
}

// ---- Forms of weights

void fuse_forms(graph *g)
{
    int n_nodes = graph_nodes(g), kept = 0;
    const node **order = NEW(graph_arena(g), const node *, 2 * (size_t)n_nodes + 1);
    for (int i = 0; i < n_nodes; i++) {
        const node *n = graph_node(g, i);
        int before = graph_nodes(g);
        const tensor *made = n->op->formed ? n->op->formed(g, n) : NULL;
        if (made && !tensor_poisoned(made)) {
            CHECK(graph_nodes(g) == before + 2 && made->from == graph_node(g, before + 1));
            order[kept++] = graph_node(g, before);
            graph_become(g, n, made->from);
        }
        order[kept++] = n;
    }
    graph_order(g, order, kept);
}
