// SPDX-License-Identifier: GPL-3.0-or-later
// groove_predictor.c: emotion [B, 64] -> groove [B, 32]: swing, displacement, velocity variance,
// note density, humanization, then 27 measured timing features.
#include "models/layer.h"

static tensor *forward(network *n, tensor *const in[])
{
    return layer_mlp3(n, in[0], 128, 64, 32);
}

static tensor *loss(network *n, tensor *out)
{
    return op_mse(n->g, out, n->target, n->weight);
}

const model_def model_groove_predictor = {
    .name = "groove_predictor",
    .summary = "emotion -> timing and accent features",
    .params = 18656,
    .task = TASK_REGRESSION,
    .makes = MAKES_GROOVE,
    .example = "groove",
    .n_inputs = 1,
    .inputs = {{.name = "emotion", .type = DT_F32, .rank = 2, .dim = {0, 64}, .sym = {SYM_BATCH}}},
    .output = {.name = "groove", .type = DT_F32, .rank = 2, .dim = {0, 32}, .sym = {SYM_BATCH}},
    .target = {.name = "groove", .type = DT_F32, .rank = 2, .dim = {0, 32}, .sym = {SYM_BATCH}},
    .forward = forward,
    .loss = loss,
};
