// SPDX-License-Identifier: GPL-3.0-or-later
// broadcast: x repeated to a larger shape by NumPy's rules (torch.broadcast_to, made contiguous).
//     dx = d summed over the repeated axes.
#include "autograd/ops/broadcast.h"

#include <string.h>

#include "autograd/ops/kernel.h"

typedef struct broadcast_attrs {
    shape to;
} broadcast_attrs;

static bool rule(const node *n, err *e)
{
    char a[64], b[64];
    shape to = ((const broadcast_attrs *)n->attrs)->to, s;
    if (!shape_broadcast(to, n->in[0]->shape, &s) || !shape_same(s, to))
        return rule_fail(e, "%s does not broadcast to %s", shape_text(n->in[0]->shape, a),
                         shape_text(to, b));
    n->out[0]->type = n->in[0]->type;
    n->out[0]->shape = s;
    return true;
}

static void part(const call *c, int64_t lo, int64_t hi)
{
    loops l = loops_of(c->n->in[0]->shape, c->n->out[0]->shape, c->n->out[0]->shape);
    const float *x = c->in[0];
    float *y = c->out[0];
    int64_t inner = l.d[l.rank - 1], step = l.sa[l.rank - 1];
    for (int64_t i = lo; i < hi;) {
        int64_t col = i % inner, n = inner - col < hi - i ? inner - col : hi - i, at, same;
        loops_row(&l, i / inner, &at, &same);
        at += col * step;
        if (step)
            memcpy(y + i, x + at, (size_t)n * sizeof *y);
        else
            for (int64_t k = 0; k < n; k++)
                y[i + k] = x[at];
        i += n;
    }
}

static void forward(const call *c)
{
    op_parallel(c, shape_count(c->n->out[0]->shape), GRAIN, part);
}

static void reference(const call *c)
{
    shape x = c->n->in[0]->shape, y = c->n->out[0]->shape;
    for (int64_t i = 0; i < shape_count(y); i++)
        ((float *)c->out[0])[i] = ((const float *)c->in[0])[broadcast_index(x, y, i)];
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    (void)want;
    din[0] = rule_unbroadcast(g, dout[0], n->in[0]->shape);
}

// Expand broadcasts both ways, so 1 keeps what the input has there; only repeated axes are written,
// and those are fixed.
static void portable(const node *n, emitter *m)
{
    shape x = n->in[0]->shape, y = n->out[0]->shape;
    int64_t dims[RANK_MAX];
    for (int k = 0; k < y.rank; k++) {
        int own = k - (y.rank - x.rank);
        dims[k] = own >= 0 && (x.d[own] == y.d[k]) ? 1 : y.d[k];
    }
    emit_node(m, "Expand", 2, (const char *[]){emit_in(m, n, 0), emit_i64(m, y.rank, dims)}, 1,
              (const char *[]){emit_out(m, n, 0)}, 0, NULL);
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_broadcast(g, in[0], shape_of(3, 4, 3, 37));
}
static tensor *build_six(graph *g, tensor *const in[])
{
    return op_broadcast(g, in[0], shape_of(6, 2, 3, 2, 4, 3, 5));
}
static const op_sample samples[] = {
    {.what = "a scalar", .n = 1, .in = {VALUES(0, 0)}, .build = build},
    {.what = "a row", .n = 1, .in = {VALUES(1, 37)}, .build = build},
    {.what = "a column", .n = 1, .in = {VALUES(2, 3, 1)}, .build = build},
    {.what = "a middle axis", .n = 1, .in = {VALUES(3, 4, 1, 37)}, .build = build},
    {.what = "six axes of five", .n = 1, .in = {VALUES(5, 3, 1, 4, 1, 5)}, .build = build_six},
    {.what = "six axes", .n = 1, .in = {VALUES(6, 2, 1, 2, 1, 3, 1)}, .build = build_six},
    {.what = "nothing to repeat", .n = 1, .in = {VALUES(3, 4, 3, 37)}, .build = build},
};

const op_def VARIANT(op_broadcast) = {
    .name = "broadcast",
    OP_INPUTS(1, 1),
    .types = TYPE_BIT(DT_F32),
    .shape = rule,
    OP_KERNELS(forward, reference, gradient, portable),
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_broadcast(graph *g, tensor *x, shape s)
{
    return graph_add(g, OP_broadcast, &(broadcast_attrs){s}, sizeof(broadcast_attrs), 1,
                     (tensor *[]){x});
}
#endif
