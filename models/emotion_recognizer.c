// SPDX-License-Identifier: GPL-3.0-or-later
// emotion_recognizer.c: log-mel frames [B, T, 128] -> emotion embedding [B, 64] in (-1, 1); element
// 0 is valence, element 1 arousal.
//
// Frames are standardised per band and padded on the left, so that the LSTM's last state has seen
// all of a short clip. Training puts a linear probe over the embedding (classes from the data); the
// probe is no part of the model. Labels alone would leave the first two elements free, so training
// may add affect_weight times the squared error of valence and arousal, averaged over the two.
//
// A frame at a time, in real time, is the same page with T = 1, the LSTM's state going on.
#include "models/layer.h"

static tensor *forward(network *n, tensor *const in[])
{
    tensor *h = layer_linear(n, "fc1", in[0], 512, ACT_RELU);
    h = layer_linear(n, "fc2", h, 256, ACT_RELU);
    h = layer_lstm(n, "lstm", h, 128);
    h = op_slice(n->g, h, 1, -1, 1); // the last frame's state: [B, 1, 128]
    h = op_squeeze(n->g, h, 1);
    return layer_linear(n, "fc3", h, 64, ACT_TANH);
}

static tensor *loss(network *n, tensor *logits)
{
    tensor *classes = op_cross_entropy(n->g, logits, n->target, n->weight, n->dims.label_smoothing);
    if (!n->affect)
        return classes;
    tensor *meant = op_slice(n->g, n->affect, 1, 0, 2), *said = op_slice(n->g, n->out, 1, 0, 2);
    return op_add(n->g, classes,
                  op_scale(n->g, op_mse(n->g, said, meant, n->weight), n->dims.affect_weight));
}

const model_def model_emotion_recognizer = {
    .name = "emotion_recognizer",
    .summary = "log-mel frames -> emotion embedding",
    .params = 403264,
    .task = TASK_CLASSES,
    .example = "mel",
    .probe = true,
    .affect = true,
    .n_inputs = 1,
    .inputs = {{.name = "mel",
                .type = DT_F32,
                .rank = 3,
                .dim = {0, 0, 128},
                .sym = {SYM_BATCH, SYM_TIME}}},
    .output = {.name = "embedding", .type = DT_F32, .rank = 2, .dim = {0, 64}, .sym = {SYM_BATCH}},
    .target = {.name = "label", .type = DT_I32, .rank = 1, .sym = {SYM_BATCH}, .below = 8},
    .forward = forward,
    .step = forward,
    .loss = loss,
};
