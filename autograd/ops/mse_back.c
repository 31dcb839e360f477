// SPDX-License-Identifier: GPL-3.0-or-later
// mse_back: dx_ij = d w_i 2 (x_ij - t_ij) / J, J the elements of a row (torch's mse_loss_backward).
#define ROW_LOSS_BACK
#include <math.h>

#include "autograd/ops/row_loss.h"

static inline float slope_of(float e)
{
    return 2.0f * e;
}

static void reference(const call *c)
{
    int64_t n = row_width(c);
    double d = (double)*(const float *)c->in[3];
    for (int64_t i = 0; i < shape_count(c->n->in[0]->shape); i++) {
        double e = (double)((const float *)c->in[0])[i] - (double)((const float *)c->in[1])[i];
        ((float *)c->out[0])[i] =
            (float)(d * (double)((const float *)c->in[2])[i / n] / (double)n * (2 * e));
    }
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_mse_back(g, in[0], in[1], in[2], in[3]);
}
static const op_sample samples[] = ROW_LOSS_BACK_SAMPLES(build);

const op_def VARIANT(op_mse_back) = {
    .name = "mse_back",
    .n_in_min = 4,
    .n_in_max = 4,
    .n_out = 1,
    .flags = OP_INPLACE0 | OP_INPLACE1 | OP_EXACT,
    .types = TYPE_BIT(DT_F32),
    .shape = row_loss_back_rule,
    .forward = row_loss_back_forward,
    .reference = reference,
    .no_gradient = "it stands in backward passes only; second derivatives are not taken",
    .no_portable = "losses are not exported",
    .samples = samples,
    .n_samples = LENGTH(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_mse_back(graph *g, tensor *x, tensor *target, tensor *weight, tensor *d)
{
    return graph_add(g, OP_mse_back, NULL, 0, 4, (tensor *[]){x, target, weight, d});
}
#endif
