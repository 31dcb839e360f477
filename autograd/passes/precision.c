// SPDX-License-Identifier: GPL-3.0-or-later
// precision.c: which products take bf16, which matrices are cast for them, and what is kept as bf16
// between forward and backward.
//
// Both passes walk the nodes in order and write down a new one: what they add stands right before
// its first reader or right behind the last one on the way forward. Inputs of nodes are rewired;
// tensors stay what they are, so that the caller's are still good.
#include "autograd/passes/precision.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "autograd/gemm/gemm_bf16.h"
#include "autograd/op.h"
#include "base/int8.h"
#include "base/str.h"

enum {
    // multiply-adds: smaller products stay f32, a cast costs more than it saves
    PRODUCT_LEAST = 1 << 20,
    STORE_LEAST = 1 << 12 // elements
};

static const char *const names[PRECISION_COUNT] = {"fp32", "bf16x3", "bf16", "int8"};

const char *precision_name(precision p)
{
    return names[p];
}

const char *precision_describe(precision p, const kit *k, char out[48])
{
    const char *by = gemm_bf16_describe(k->products.bf16);
    if (p == PRECISION_FP32 || p == PRECISION_INT8)
        snprintf(out, 48, "%s", names[p]);
    else if (p == PRECISION_BF16X3 && k->products.bf16 == GEMM_BF16_WIDEN &&
             !k->products.bf16_forced)
        snprintf(out, 48, "bf16x3 (f32, which is faster here)");
    else
        snprintf(out, 48, "%s (%s)", names[p], by);
    return out;
}

bool precision_find(const char *name, precision *p)
{
    for (int i = 0; i < PRECISION_COUNT; i++)
        if (!strcmp(name, names[i])) {
            *p = (precision)i;
            return true;
        }
    return false;
}

typedef struct pass {
    graph *g;
    precision p;
    const kit *kit;         // of the plan to be made, where products are chosen
    int n_nodes, n_tensors; // before the pass
    const node **order;
    int n;
    // by tensor id
    bool *back;          // read by a node of the backward pass that is no product in bf16
    bool *exact;         // read or made by a node that wants all bits
    tensor **narrow;     // in bf16 or bf16x2, for products of either pass, or kept
    tensor **narrow_own; // for products of the backward pass alone
    tensor **wide;       // what was kept, in f32 again
    strbuf chosen;       // bf16x3
    // the last node of the forward pass that makes or reads it, or a view of it
    int *last;
} pass;

static pass *pass_open(graph *g, precision p)
{
    arena *a = graph_arena(g);
    pass *q = NEW(a, pass, 1);
    *q = (pass){.g = g, .p = p, .n_nodes = graph_nodes(g), .n_tensors = graph_tensors(g)};
    size_t most = 1 + (size_t)q->n_nodes + 2 * (size_t)q->n_tensors,
           tensors = 1 + (size_t)q->n_tensors;
    q->order = NEW(a, const node *, most);
    q->back = NEW(a, bool, tensors), q->exact = NEW(a, bool, tensors);
    q->narrow = NEW(a, tensor *, tensors), q->narrow_own = NEW(a, tensor *, tensors),
    q->wide = NEW(a, tensor *, tensors);
    q->last = NEW(a, int, tensors);
    return q;
}

// Appends a node to the graph and to the new order.
static tensor *add(pass *q, tensor *t)
{
    q->order[q->n++] = t->from;
    return t;
}

static bool is_view(const node *n)
{
    return n->op->flags & OP_VIEW;
}

// ---- Products

// Rows, columns and depth from the sizes of the three matrices m n, m k, n k.
static bool large_enough(const node *n)
{
    double mn = (double)shape_count(n->out[0]->shape), mk = (double)shape_count(n->in[0]->shape),
           nk = (double)shape_count(n->in[1]->shape);
    return sqrt(mn * mk * nk) >= PRODUCT_LEAST && mn * mk >= 4 * nk; // two rows at least
}

static int64_t columns(const tensor *t)
{
    return t->shape.d[t->shape.rank - 1];
}

// Which matrix is read transposed shows in its columns, unless the sizes are equal.
static gemm sizes_of(const node *n)
{
    int64_t mn = shape_count(n->out[0]->shape), mk = shape_count(n->in[0]->shape),
            nk = shape_count(n->in[1]->shape);
    gemm p = {.n = columns(n->out[0]), .m = mn / columns(n->out[0]), .k = nk / columns(n->out[0])};
    p.ta = columns(n->in[0]) != p.k && mk == p.m * p.k;
    p.tb = columns(n->in[1]) != p.n;
    return p;
}

// Whether three products are faster than one, as it was chosen before, or measured and written
// down.
static bool three_are_faster(pass *q, const node *n)
{
    gemm p = sizes_of(n);
    char key[80];
    snprintf(key, sizeof key, " %lldx%lldx%lld%c%c=", (long long)p.m, (long long)p.n,
             (long long)p.k, p.ta ? 't' : 'n', p.tb ? 't' : 'n');
    const char *known = q->chosen.s ? strstr(q->chosen.s, key) : NULL;
    if (known)
        return known[strlen(key)] == '3';
    const gemm_ways *w = &q->kit->products;
    bool faster = w->bf16_forced || (w->bf16 != GEMM_BF16_WIDEN && gemm_bf16x3_faster(w, &p));
    strbuf_printf(&q->chosen, "%s%d", key, faster ? 3 : 1);
    return faster;
}

static bool becomes_narrow(pass *q, const node *n)
{
    bool takes =
        n->op->narrow && n->in[0]->type == DT_F32 && n->in[1]->type == DT_F32 && large_enough(n);
    return takes &&
           (q->p == PRECISION_BF16 || (q->p == PRECISION_BF16X3 && three_are_faster(q, n)));
}

// Who reads what, from the last node to the first, through views.
static void find_readers(pass *q)
{
    for (int i = q->n_nodes - 1; i >= 0; i--) {
        const node *n = graph_node(q->g, i);
        bool back = is_view(n) ? q->back[n->out[0]->id] : n->backward && !becomes_narrow(q, n);
        bool exact = is_view(n) ? q->exact[n->out[0]->id] : n->op->flags & OP_EXACT;
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k])
                q->back[n->in[k]->id] |= back, q->exact[n->in[k]->id] |= exact;
        for (int k = 0; k < n->n_out; k++)
            q->exact[n->out[k]->id] |=
                (n->op->flags & OP_EXACT) ||
                (k > 0 && shape_count(n->out[k]->shape) < shape_count(n->out[0]->shape));
    }
}

// A matrix as products take it, cast once. Pairs are as large as f32: those of the forward pass are
// not kept for the backward one, but of weights, which are there all the time.
static tensor *operand(pass *q, tensor *t, bool backward)
{
    bool shared = q->p == PRECISION_BF16 || t->kind == TENSOR_PARAM;
    tensor **at = backward && !shared ? &q->narrow_own[t->id] : &q->narrow[t->id];
    graph_append_to(q->g, backward);
    if (!*at)
        *at = add(q, op_cast(q->g, t, q->p == PRECISION_BF16 ? DT_BF16 : DT_BF16X2));
    return *at;
}

static void make_narrow(pass *q, const node *n)
{
    const tensor *y = n->out[0];
    tensor *in[2];
    for (int k = 0; k < 2; k++)
        in[k] = operand(q, n->in[k], n->backward);
    bool rounded = q->p == PRECISION_BF16 && !n->backward && q->back[y->id] && !q->exact[y->id] &&
                   shape_count(y->shape) >= STORE_LEAST;
    const tensor *made = n->op->narrow(q->g, n, in, rounded);
    if (!tensor_poisoned(made))
        graph_become(q->g, n, made->from);
}

const char *precision_products(graph *g, precision p, const kit *k, const char *chosen)
{
    pass *q = pass_open(g, p);
    q->kit = k;
    strbuf_printf(&q->chosen, "%s", chosen ? chosen : "");
    find_readers(q);
    for (int i = 0; i < q->n_nodes; i++) {
        const node *n = graph_node(g, i);
        if (becomes_narrow(q, n))
            make_narrow(q, n);
        q->order[q->n++] = n;
    }
    graph_order(g, q->order, q->n);
    graph_append_to(g, false);
    const char *text = arena_strdup(graph_arena(g), q->chosen.s ? q->chosen.s : "");
    strbuf_free(&q->chosen);
    return text;
}

// ---- Weights alone

static bool is_few_rows(const node *n)
{
    return n->op == op_get(OP_linear) && n->in[0]->type == DT_F32 && n->in[0]->shape.rank >= 2 &&
           shape_rows(n->in[0]->shape) <= FEW_ROWS && n->in[1]->kind == TENSOR_PARAM;
}

bool precision_narrows(precision p, const tensor *weight)
{
    shape s = weight->shape;
    return s.rank == 2 &&
           (p == PRECISION_BF16 || (p == PRECISION_INT8 && int8_worth_it(s.d[0], s.d[1])));
}

// A weight's panels and scales, made once.
static void narrowed(pass *q, tensor *w, tensor *to[2])
{
    dtype type = q->p == PRECISION_INT8 ? DT_I8 : DT_BF16;
    if (!q->narrow[w->id])
        q->narrow[w->id] = add(q, op_panels(q->g, w, type, &q->narrow_own[w->id]));
    to[0] = q->narrow[w->id];
    to[1] = q->narrow_own[w->id];
}

void precision_weights(graph *g, precision p)
{
    pass *q = pass_open(g, p);
    for (int i = 0; i < q->n_nodes; i++) {
        const node *n = graph_node(g, i);
        if (is_few_rows(n) && precision_narrows(p, n->in[1])) {
            tensor *in[3] = {n->in[0]};
            narrowed(q, n->in[1], in + 1);
            const tensor *made = n->op->narrow(g, n, in, false);
            if (!tensor_poisoned(made))
                graph_become(g, n, made->from);
        }
        q->order[q->n++] = n;
    }
    graph_order(g, q->order, q->n);
}

// ---- What is kept

static bool is_stored(const pass *q, const tensor *t)
{
    return t->kind == TENSOR_COMPUTED && t->type == DT_F32 && !t->from->backward &&
           !is_view(t->from) && q->back[t->id] && !q->exact[t->id] &&
           shape_count(t->shape) >= STORE_LEAST;
}

// What a product has of it already is the same.
static void find_last(pass *q)
{
    for (int i = 0; i < q->n_nodes && !graph_node(q->g, i)->backward; i++) {
        const node *n = graph_node(q->g, i);
        for (int k = 0; k < n->n_out; k++)
            q->last[n->out[k]->id] = i;
        for (int k = 0; k < n->n_in; k++)
            for (const tensor *t = n->in[k]; t;
                 t = t->from && is_view(t->from) ? t->from->in[0] : NULL)
                q->last[t->id] = i;
        if (n->op == op_get(OP_cast) && n->out[0]->type == DT_BF16)
            q->narrow[n->in[0]->id] = n->out[0];
    }
}

// Casts of what no later node of the forward pass reads.
static void store(pass *q, int at)
{
    const node *n = graph_node(q->g, at);
    graph_append_to(q->g, false);
    for (int k = 0; k < n->n_in + n->n_out; k++)
        for (tensor *t = k < n->n_in ? n->in[k] : n->out[k - n->n_in]; t;
             t = t->from && is_view(t->from) ? t->from->in[0] : NULL)
            if (q->last[t->id] == at && is_stored(q, t) && !q->narrow[t->id])
                q->narrow[t->id] = add(q, op_cast(q->g, t, DT_BF16));
}

// t as the backward pass reads it: in f32 again, or a view of that. NULL: as it was.
static tensor *restored(pass *q, tensor *t)
{
    if (t->id >= q->n_tensors || !t->from || t->from->backward)
        return NULL;
    if (q->wide[t->id])
        return q->wide[t->id];
    if (is_stored(q, t))
        return q->wide[t->id] = add(q, op_cast(q->g, q->narrow[t->id], DT_F32));
    tensor *of = is_view(t->from) ? restored(q, t->from->in[0]) : NULL;
    if (!of)
        return NULL;
    tensor *view = graph_repeat(q->g, t);
    graph_rewire(q->g, view->from, 0, of);
    return q->wide[t->id] = add(q, view);
}

static void restore(pass *q, const node *n)
{
    graph_append_to(q->g, true);
    for (int k = 0; k < n->n_in; k++) {
        tensor *t = n->in[k] ? restored(q, n->in[k]) : NULL;
        if (t)
            graph_rewire(q->g, n, k, t);
    }
}

void precision_store(graph *g)
{
    pass *q = pass_open(g, PRECISION_BF16);
    find_readers(q);
    find_last(q);
    for (int i = 0; i < q->n_nodes; i++) {
        const node *n = graph_node(g, i);
        if (n->backward)
            restore(q, n);
        q->order[q->n++] = n;
        if (!n->backward)
            store(q, i);
    }
    graph_order(g, q->order, q->n);
    graph_append_to(g, false);
}
