// SPDX-License-Identifier: GPL-3.0-or-later
// instrument_recognizer.c: log-mel picture [B, 1, 128 bands, 128 frames] of a note -> [B, 160]: 80
// numbers of how it is played (family, instrument, technique, articulation, register, brightness)
// and 80 of what it expresses, each several softmaxes side by side (instrument_groups.c).
//
// Four convolutions in steps of two, each with a norm, and the mean over what is left, 8 x 8
// pixels. The first has one input channel, so a large window costs little.
#include "models/groups.h"
#include "models/picture.h"

static const config_key options[] = {PICTURE_OPTIONS("instrument", "instrument_recognizer")};

static tensor *head(network *n, const char *name, tensor *x, activation act, float dropped)
{
    tensor *h = layer_linear(n, layer_name(n, "%s.fc1", name), x, 256, act);
    h = op_dropout(n->g, h, n->dims.training ? dropped : 0, name, 0);
    h = layer_linear(n, layer_name(n, "%s.fc2", name), h, 128, act);
    return layer_linear(n, layer_name(n, "%s.fc3", name), h, 80, ACT_NONE);
}

static tensor *forward(network *n, tensor *const in[])
{
    tensor *x = picture_blocks(n, "blocks", picture_in(n, in[0]), (window){7, 2, 3});
    if (tensor_poisoned(x))
        return x;
    x = op_reshape(n->g, op_avg_pool(n->g, x, 1, 1), shape_of(2, n->dims.batch, x->shape.d[3]));
    x = layer_linear(n, "fc", x, 512, ACT_RELU);
    tensor *said[] = {head(n, "technical", x, ACT_RELU, 0.3f),
                      head(n, "emotional", x, ACT_GELU, 0.25f)};
    return op_concat(n->g, 1, 2, said);
}

static tensor *loss(network *n, tensor *logits)
{
    return groups_loss(n, logits);
}

const model_def model_instrument_recognizer = {
    .name = "instrument_recognizer",
    .summary = "log-mel picture of a note -> how it is played, and what it expresses",
    .params = 2166048,
    GROUPS_OF(instrument_groups),
    .example = "picture",
    .batch_statistics = true,
    .n_inputs = 1,
    .inputs = {PICTURE_INPUT},
    .output = {.name = "logits", .type = DT_F32, .rank = 2, .dim = {0, 160}, .sym = {SYM_BATCH}},
    .forward = forward,
    .loss = loss,
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .sizes_bytes = sizeof(picture_sizes),
};
