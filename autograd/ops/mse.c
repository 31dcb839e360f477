// SPDX-License-Identifier: GPL-3.0-or-later
// mse: sum_i w_i mean_j (x_ij - t_ij)^2 over rows i (torch.nn.functional.mse_loss, its mean over
// rows left to the caller's weights).
//     dx by mse_back, dt = -dx.
#define ROW_LOSS
#include <math.h>

#include "autograd/ops/row_loss.h"

static inline float loss_of(float e)
{
    return e * e;
}

static void reference(const call *c)
{
    int64_t n = row_width(c);
    double total = 0;
    for (int64_t i = 0; i < shape_count(c->n->in[0]->shape); i++) {
        double e = (double)((const float *)c->in[0])[i] - (double)((const float *)c->in[1])[i];
        total += (double)((const float *)c->in[2])[i / n] / (double)n * (e * e);
    }
    *(float *)c->out[0] = (float)total;
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    tensor *d = op_mse_back(g, n->in[0], n->in[1], n->in[2], dout[0]);
    if (want[0])
        din[0] = d;
    if (want[1])
        din[1] = op_scale(g, d, -1.0f);
    if (want[2])
        graph_fail(g, "mse: its weights have no gradient");
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_mse(g, in[0], in[1], in[2]);
}
static const op_sample samples[] = ROW_LOSS_SAMPLES(build);

const op_def VARIANT(op_mse) = {
    .name = "mse",
    .n_in_min = 3,
    .n_in_max = 3,
    .n_out = 1,
    .flags = OP_EXACT,
    .types = TYPE_BIT(DT_F32),
    .shape = row_loss_rule,
    .workspace = row_loss_workspace,
    .forward = row_loss_forward,
    .reference = reference,
    .gradient = gradient,
    .no_portable = "losses are not exported",
    .samples = samples,
    .n_samples = LENGTH(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_mse(graph *g, tensor *x, tensor *target, tensor *weight)
{
    return graph_add(g, OP_mse, NULL, 0, 3, (tensor *[]){x, target, weight});
}
#endif
