// SPDX-License-Identifier: GPL-3.0-or-later
// dynamics_engine.c: MIDI statistics [B, 32] -> expression curve [B, 16]: mean velocity / 127 in
// sixteen equal spans of a phrase.
#include "models/layer.h"

static tensor *forward(network *n, tensor *const in[])
{
    return layer_mlp3(n, in[0], 128, 64, 16);
}

static tensor *loss(network *n, tensor *out)
{
    return op_mse(n->g, out, n->target, n->weight);
}

const model_def model_dynamics_engine = {
    .name = "dynamics_engine",
    .summary = "MIDI statistics -> 16-step expression curve",
    .params = 13520,
    .task = TASK_REGRESSION,
    .makes = MAKES_DYNAMICS,
    .example = "dynamics",
    .n_inputs = 1,
    .inputs =
        {{.name = "midi_stats", .type = DT_F32, .rank = 2, .dim = {0, 32}, .sym = {SYM_BATCH}}},
    .output = {.name = "dynamics", .type = DT_F32, .rank = 2, .dim = {0, 16}, .sym = {SYM_BATCH}},
    .target = {.name = "dynamics", .type = DT_F32, .rank = 2, .dim = {0, 16}, .sym = {SYM_BATCH}},
    .forward = forward,
    .loss = loss,
};
