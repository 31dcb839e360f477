// SPDX-License-Identifier: GPL-3.0-or-later
// harmony_predictor.c: context [B, 128] (emotion 64, melody context 64) -> chord logits [B, 64]:
// root x 5 + quality, 60 is no chord.
#include "models/layer.h"

static tensor *forward(network *n, tensor *const in[])
{
    return layer_mlp3(n, in[0], 256, 128, 64);
}

static tensor *loss(network *n, tensor *out)
{
    return op_cross_entropy(n->g, out, n->target, n->weight, n->dims.label_smoothing);
}

const model_def model_harmony_predictor = {
    .name = "harmony_predictor",
    .summary = "emotion and melody context -> chord logits",
    .params = 74176,
    .task = TASK_CLASSES,
    .makes = MAKES_CHORDS,
    .example = "harmony",
    .n_inputs = 1,
    .inputs = {{.name = "context", .type = DT_F32, .rank = 2, .dim = {0, 128}, .sym = {SYM_BATCH}}},
    .output =
        {.name = "chord_logits", .type = DT_F32, .rank = 2, .dim = {0, 64}, .sym = {SYM_BATCH}},
    .target = {.name = "chord", .type = DT_I32, .rank = 1, .sym = {SYM_BATCH}, .below = 64},
    .forward = forward,
    .loss = loss,
};
