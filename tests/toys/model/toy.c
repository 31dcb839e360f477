// SPDX-License-Identifier: GPL-3.0-or-later
// toy.c: a network of one layer between two, whose width a configuration says (toy: {width: 32}).
#include "models/layer.h"
#include "models/model.h"

typedef struct toy_sizes {
    int64_t width;
} toy_sizes;

static const config_key options[] = {
    {"toy", CONFIG_SECTION, .help = "toy: its size"},
    {"toy.width", CONFIG_INT, KEY_AT(toy_sizes, width), .min = 1, .max = 4096, .own = "32",
     .help = "32: numbers between its two layers"},
};

static tensor *forward(network *n, tensor *const in[])
{
    tensor *x = layer_linear(n, "fc1", in[0], model_size(n, "width"), ACT_RELU);
    return layer_linear(n, "fc2", x, 16, ACT_NONE);
}

static tensor *loss(network *n, tensor *out)
{
    return op_mse(n->g, out, n->target, n->weight);
}

const model_def model_toy = {
    .name = "toy",
    .summary = "MIDI statistics -> 16-step expression curve, with one layer of any width",
    .params = 1584,
    .task = TASK_REGRESSION,
    .example = "dynamics",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .sizes_bytes = sizeof(toy_sizes),
    .n_inputs = 1,
    .inputs =
        {{.name = "midi_stats", .type = DT_F32, .rank = 2, .dim = {0, 32}, .sym = {SYM_BATCH}}},
    .output = {.name = "dynamics", .type = DT_F32, .rank = 2, .dim = {0, 16}, .sym = {SYM_BATCH}},
    .target = {.name = "dynamics", .type = DT_F32, .rank = 2, .dim = {0, 16}, .sym = {SYM_BATCH}},
    .forward = forward,
    .loss = loss,
};
