// SPDX-License-Identifier: GPL-3.0-or-later
// melody_transformer.c: emotion [B, 64] and the notes so far [B, T] (-1 before the first) -> logits
// of the next note [B, T, 128].
//
// Step t sees notes < t: prev_note[t] is the note of step t - 1. Notes enter by a fixed sinusoidal
// code, to which the emotion is added. (The name is the reference's; the recurrence is an LSTM.)
// A step of generation is the same page with T = 1; the LSTM's state goes from step to step.
#include "models/layer.h"

static tensor *forward(network *n, tensor *const in[])
{
    tensor *emotion = op_unsqueeze(n->g, in[0], 1); // [B, 1, 64], broadcast over T
    tensor *x = op_add(n->g, op_note_code(n->g, in[1], 64), emotion);
    tensor *h = layer_linear(n, "fc1", x, 256, ACT_RELU);
    h = layer_lstm(n, "lstm", h, 256);
    h = layer_linear(n, "fc2", h, 256, ACT_RELU);
    return layer_linear(n, "fc3", h, 128, ACT_NONE);
}

static tensor *loss(network *n, tensor *logits)
{
    return op_cross_entropy(n->g, logits, n->target, n->weight, n->dims.label_smoothing);
}

const model_def model_melody_transformer = {
    .name = "melody_transformer",
    .summary = "emotion and the notes so far -> logits of the next note",
    .params = 641664,
    .task = TASK_TOKENS,
    .makes = MAKES_NOTES,
    .example = "melody",
    .n_inputs = 2,
    .inputs = {{.name = "emotion", .type = DT_F32, .rank = 2, .dim = {0, 64}, .sym = {SYM_BATCH}},
               {.name = "prev_note",
                .type = DT_I32,
                .rank = 2,
                .sym = {SYM_BATCH, SYM_TIME},
                .low = -1,
                .below = 128}},
    .output = {.name = "note_logits",
               .type = DT_F32,
               .rank = 3,
               .dim = {0, 0, 128},
               .sym = {SYM_BATCH, SYM_TIME}},
    .target =
        {.name = "note", .type = DT_I32, .rank = 2, .sym = {SYM_BATCH, SYM_TIME}, .below = 128},
    .forward = forward,
    .step = forward,
    .loss = loss,
};
