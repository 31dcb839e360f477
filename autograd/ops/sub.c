// SPDX-License-Identifier: GPL-3.0-or-later
// sub: y = a - b with NumPy broadcasting (torch.sub).
//     da = d, db = -d, each summed over the axes along which it was repeated.
#include "autograd/ops/binary.h"

static inline float apply(float a, float b)
{
    return a - b;
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    if (want[0])
        din[0] = rule_unbroadcast(g, dout[0], n->in[0]->shape);
    if (want[1]) // summed first: the negation is then as small as b
        din[1] = op_scale(g, rule_unbroadcast(g, dout[0], n->in[1]->shape), -1.0f);
}

static void portable(const node *n, emitter *m)
{
    binary_emit(n, m, "Sub");
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_sub(g, in[0], in[1]);
}
static const op_sample samples[] = BINARY_SAMPLES(build);

const op_def VARIANT(op_sub) = {
    .name = "sub",
    .n_in_min = 2,
    .n_in_max = 2,
    .n_out = 1,
    .flags = OP_INPLACE_ANY,
    .types = TYPE_BIT(DT_F32),
    .shape = rule_broadcast,
    .forward = binary_forward,
    .reference = binary_reference,
    .gradient = gradient,
    .portable = portable,
    .samples = samples,
    .n_samples = LENGTH(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_sub(graph *g, tensor *a, tensor *b)
{
    return graph_add(g, OP_sub, NULL, 0, 2, (tensor *[]){a, b});
}
#endif
