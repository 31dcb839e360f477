// SPDX-License-Identifier: GPL-3.0-or-later
// running_mean.c: a model with buffers, for tests: what it takes is centred by a running mean,
// which training steps move a tenth of the way to the mean of their rows, and count themselves.
#include "tests/models/guests.h"

#include "models/layer.h"

static tensor *centred(network *n, tensor *x)
{
    const int64_t rows = x->shape.d[0], width = x->shape.d[1];
    const float one = 1;
    tensor *mean = layer_buffer(n, "norm.running_mean", shape_of(1, width), (init){INIT_ZERO, 0}),
           *steps = layer_buffer(n, "norm.steps", shape_of(1, 1), (init){INIT_ZERO, 0});
    tensor *now = op_scale(n->g, op_sum(n->g, x, 1, false), 0.1f / (float)rows);
    layer_keep(n, mean, op_add(n->g, op_scale(n->g, mean, 0.9f), now));
    layer_keep(n, steps, op_add(n->g, steps, graph_const(n->g, DT_F32, shape_of(1, 1), &one)));
    return op_sub(n->g, x, mean);
}

static tensor *forward(network *n, tensor *const in[])
{
    tensor *h = layer_linear(n, "fc1", centred(n, in[0]), 24, ACT_TANH);
    return layer_linear(n, "fc2", h, 3, ACT_NONE);
}

static tensor *loss(network *n, tensor *out)
{
    return op_mse(n->g, out, n->target, n->weight);
}

const model_def test_running_mean = {
    .name = "test_running_mean",
    .summary = "centred by a running mean",
    .params = 10 * 24 + 24 + 24 * 3 + 3,
    .task = TASK_REGRESSION,
    .example = "dynamics",
    .n_inputs = 1,
    .inputs = {{.name = "x", .type = DT_F32, .rank = 2, .dim = {0, 10}, .sym = {SYM_BATCH}}},
    .output = {.name = "y", .type = DT_F32, .rank = 2, .dim = {0, 3}, .sym = {SYM_BATCH}},
    .target = {.name = "y", .type = DT_F32, .rank = 2, .dim = {0, 3}, .sym = {SYM_BATCH}},
    .forward = forward,
    .loss = loss,
};
