// SPDX-License-Identifier: GPL-3.0-or-later
// mul: y = a * b with NumPy broadcasting (torch.mul).
//     da = d * b, db = d * a, each summed over the axes along which it was repeated.
#include "autograd/ops/binary.h"

static inline float apply(float a, float b)
{
    return a * b;
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    for (int i = 0; i < 2; i++)
        if (want[i])
            din[i] = rule_unbroadcast(g, op_mul(g, dout[0], n->in[1 - i]), n->in[i]->shape);
}

static void portable(const node *n, emitter *m)
{
    binary_emit(n, m, "Mul");
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_mul(g, in[0], in[1]);
}
static const op_sample samples[] = BINARY_SAMPLES(build);

const op_def VARIANT(op_mul) = {
    .name = "mul",
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
tensor *op_mul(graph *g, tensor *a, tensor *b)
{
    return graph_add(g, OP_mul, NULL, 0, 2, (tensor *[]){a, b});
}
#endif
