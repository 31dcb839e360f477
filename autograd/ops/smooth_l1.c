// SPDX-License-Identifier: GPL-3.0-or-later
// smooth_l1: sum_i w_i mean_j f(x_ij - t_ij), f(e) = e^2 / 2 where |e| < 1, |e| - 1/2 beyond
// (torch.nn.functional.smooth_l1_loss with beta=1, its mean over rows left to the caller's
// weights).
//     dx by smooth_l1_back, dt = -dx.
#define ROW_LOSS
#include <math.h>

#include "autograd/ops/row_loss.h"

static inline float loss_of(float e)
{
    float a = fabsf(e);
    return a < 1.0f ? 0.5f * e * e : a - 0.5f;
}

static void reference(const call *c)
{
    int64_t n = row_width(c);
    double total = 0;
    for (int64_t i = 0; i < shape_count(c->n->in[0]->shape); i++) {
        double e = (double)((const float *)c->in[0])[i] - (double)((const float *)c->in[1])[i];
        total += (double)((const float *)c->in[2])[i / n] / (double)n *
                 (fabs(e) < 1 ? 0.5 * e * e : fabs(e) - 0.5);
    }
    *(float *)c->out[0] = (float)total;
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    tensor *d = op_smooth_l1_back(g, n->in[0], n->in[1], n->in[2], dout[0]);
    if (want[0])
        din[0] = d;
    if (want[1])
        din[1] = op_scale(g, d, -1.0f);
    if (want[2])
        graph_fail(g, "smooth_l1: its weights have no gradient");
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_smooth_l1(g, in[0], in[1], in[2]);
}
static const op_sample samples[] = ROW_LOSS_SAMPLES(build);

const op_def VARIANT(op_smooth_l1) = {
    .name = "smooth_l1",
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
tensor *op_smooth_l1(graph *g, tensor *x, tensor *target, tensor *weight)
{
    return graph_add(g, OP_smooth_l1, NULL, 0, 3, (tensor *[]){x, target, weight});
}
#endif
