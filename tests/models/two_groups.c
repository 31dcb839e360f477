// SPDX-License-Identifier: GPL-3.0-or-later
// two_groups.c: a model of two groups, for tests: a picture [B, 1, 8, T] is averaged over its
// frames; "base" has 2 classes, "node" 3 parts of each. And the list of the models that tests add.
#include "tests/models/guests.h"

#include "models/groups.h"
#include "models/layer.h"

static tensor *forward(network *n, tensor *const in[])
{
    const shape s = in[0]->shape;
    tensor *x = op_scale(n->g, op_sum(n->g, in[0], 1u << 1 | 1u << 3, false), 1.0f / (float)s.d[3]);
    return layer_linear(n, "fc2", layer_linear(n, "fc1", x, 24, ACT_TANH), 8, ACT_NONE);
}

static tensor *loss(network *n, tensor *out)
{
    return op_add(n->g, groups_loss(n, out),
                  op_scale(n->g, groups_agreement(n, out, "base", "node"), 0.1f));
}

static const model_group groups[] = {
    {.name = "base", .offset = 0, .size = 2, .weight = 1, .smoothing = 1, .says = "base"},
    {.name = "node", .offset = 2, .size = 6, .weight = 0.6f, .smoothing = 0.5f, .says = "node"},
};

const model_def test_two_groups = {
    .name = "test_two_groups",
    .summary = "two groups of a picture",
    .params = 8 * 24 + 24 + 24 * 8 + 8,
    .example = "picture",
    GROUPS_OF(groups),
    .n_inputs = 1,
    .inputs = {{.name = "mel",
                .type = DT_F32,
                .rank = 4,
                .dim = {0, 1, 8, 0},
                .sym = {SYM_BATCH, SYM_FIXED, SYM_FIXED, SYM_TIME}}},
    .output = {.name = "classes", .type = DT_F32, .rank = 2, .dim = {0, 8}, .sym = {SYM_BATCH}},
    .forward = forward,
    .loss = loss,
};

const model_def *const model_guests[] = {&test_running_mean, &test_two_groups, NULL};
