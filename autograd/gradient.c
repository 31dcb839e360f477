// SPDX-License-Identifier: GPL-3.0-or-later
// gradient.c: reverse-mode differentiation as graph rewriting.
//
// graph_gradient walks the nodes backwards. A tensor is "reached" when it depends on one of wrt;
// only reached inputs are wanted, so a frozen layer's weight gradients are never built, and neither
// is anything below the first trainable layer. Several gradients of one tensor are added in the
// order in which they arise, which makes the sum deterministic.
#include "autograd/op.h"

typedef struct backward {
    graph *g;
    bool *reached;  // by tensor id: depends on one of wrt
    tensor **grad;  // by tensor id: gradient collected so far
    tensor **again; // by tensor id: what OP_AGAIN computed a second time
} backward;

static void reach(backward *b, int n_nodes)
{
    for (int i = 0; i < n_nodes; i++) {
        const node *n = graph_node(b->g, i);
        bool any = false;
        for (int k = 0; k < n->n_in; k++)
            any = any || (n->in[k] && b->reached[n->in[k]->id]);
        for (int k = 0; k < n->n_out; k++)
            b->reached[n->out[k]->id] = any;
    }
}

static void collect(backward *b, const tensor *t, tensor *d)
{
    tensor **slot = &b->grad[t->id];
    *slot = *slot ? op_add(b->g, *slot, d) : d;
}

// t, or the output 0 of a second copy of its OP_AGAIN node: what lies between the two uses is then
// free for others. A copy that no gradient reads is never run (plan.h).
static tensor *again(backward *b, tensor *t)
{
    const node *n = t ? t->from : NULL;
    if (!n || !(n->op->flags & OP_AGAIN) || n->backward || t != n->out[0])
        return t;
    CHECK(!n->attrs); // such nodes have none
    if (!b->again[t->id])
        b->again[t->id] = graph_add(b->g, (int)op_id_of(n->op), n->attrs, 0, n->n_in, n->in);
    return b->again[t->id];
}

static void step_back(backward *b, const node *forward)
{
    node copy = *forward, *n = &copy;
    tensor *in[OP_IN_MAX];
    tensor *dout[OP_OUT_MAX] = {0}, *din[OP_IN_MAX] = {0};
    bool want[OP_IN_MAX] = {0}, any_out = false, any_in = false;
    for (int i = 0; i < n->n_out; i++) {
        dout[i] = b->grad[n->out[i]->id];
        any_out = any_out || dout[i];
    }
    for (int i = 0; i < n->n_in; i++) {
        want[i] = n->in[i] && b->reached[n->in[i]->id] && n->in[i]->type != DT_I32;
        any_in = any_in || want[i];
    }
    if (!any_out || !any_in)
        return;
    if (!n->op->gradient) {
        graph_fail(b->g, "%s has no gradient: %s", n->op->name,
                   n->op->no_gradient ? n->op->no_gradient : "");
        return;
    }
    for (int i = 0; i < n->n_in; i++)
        in[i] = again(b, forward->in[i]);
    n->in = in;
    n->op->gradient(b->g, n, dout, din, want);
    for (int i = 0; i < n->n_in; i++)
        if (want[i] && din[i])
            collect(b, forward->in[i], din[i]);
}

void graph_gradient_from(graph *g, tensor *y, tensor *dy, tensor *const wrt[], int n,
                         tensor *grads[])
{
    for (int i = 0; i < n; i++)
        grads[i] = NULL;
    if (!graph_ok(g, NULL))
        return;
    // Tensors made from here on belong to the backward pass and are never differentiated again, so
    // the lists' lengths are fixed now.
    arena *a = graph_arena(g);
    int n_tensors = graph_tensors(g), n_nodes = graph_nodes(g);
    backward b = {g, NEW(a, bool, (size_t)n_tensors), NEW(a, tensor *, (size_t)n_tensors),
                  NEW(a, tensor *, (size_t)n_tensors)};
    for (int i = 0; i < n; i++)
        b.reached[wrt[i]->id] = true;
    reach(&b, n_nodes);
    graph_append_to(g, true);
    b.grad[y->id] = dy;
    for (int i = n_nodes - 1; i >= 0 && graph_ok(g, NULL); i--)
        step_back(&b, graph_node(g, i));
    graph_append_to(g, false);
    for (int i = 0; i < n; i++)
        grads[i] = b.grad[wrt[i]->id];
}

void graph_gradient(graph *g, tensor *loss, tensor *const wrt[], int n, tensor *grads[])
{
    if (graph_ok(g, NULL) && shape_count(loss->shape) != 1)
        graph_fail(g, "the loss must be a scalar");
    float one = 1.0f;
    graph_gradient_from(g, loss, graph_const(g, DT_F32, loss->shape, &one), wrt, n, grads);
}
