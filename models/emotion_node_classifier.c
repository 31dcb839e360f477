// SPDX-License-Identifier: GPL-3.0-or-later
// emotion_node_classifier.c: log-mel picture [B, 1, 128 bands, 128 frames] -> [B, 258]: one of 6
// base emotions, of 36 (6 of each base), of the 216 nodes of the thesaurus (node_groups.c; node =
// 36 base + 6 sub + leaf).
//
// Four convolutions with norms, the first at full size, and the means of the picture's quarters, so
// that it is still known what was low or high, early or late. Beside the three losses the finer
// answers are drawn towards the coarser ones (groups.h).
#include "models/groups.h"
#include "models/picture.h"

static const config_key options[] = {PICTURE_OPTIONS("nodes", "emotion_node_classifier")};

static tensor *hidden(network *n, const char *name, tensor *x, int64_t out, int index)
{
    tensor *h = layer_linear(n, name, x, out, ACT_GELU);
    return op_dropout(n->g, h, n->dims.training ? 0.35f : 0, "drop", index);
}

// [B, 2, 2, C] -> [B, C 2 2]: channel by channel, as PyTorch lays them out.
static tensor *quarters(network *n, tensor *x)
{
    int64_t batch = n->dims.batch, channels = x->shape.d[3];
    x = op_reshape(n->g, op_avg_pool(n->g, x, 2, 2), shape_of(3, batch, 4, channels));
    return op_reshape(n->g, op_transpose(n->g, x, 1, 2), shape_of(2, batch, 4 * channels));
}

static tensor *forward(network *n, tensor *const in[])
{
    tensor *x = picture_blocks(n, "blocks", picture_in(n, in[0]), (window){3, 1, 1});
    if (tensor_poisoned(x))
        return x;
    x = hidden(n, "fc1", quarters(n, x), 512, 0);
    x = hidden(n, "fc2", x, 384, 1);
    x = hidden(n, "fc3", x, 256, 2);
    return layer_linear(n, "head", x, 258, ACT_NONE);
}

// How far the finer answers may be from the coarser ones.
static const float AGREEMENT = 0.1f;

static tensor *loss(network *n, tensor *logits)
{
    tensor *apart = op_add(n->g, groups_agreement(n, logits, "base", "sub"),
                           groups_agreement(n, logits, "sub", "node"));
    return op_add(n->g, groups_loss(n, logits), op_scale(n->g, apart, AGREEMENT));
}

const model_def model_emotion_node_classifier = {
    .name = "emotion_node_classifier",
    .summary = "log-mel picture -> base emotion, sub-emotion and node of the thesaurus",
    .params = 2962690,
    GROUPS_OF(node_groups),
    .example = "picture",
    .batch_statistics = true,
    .n_inputs = 1,
    .inputs = {PICTURE_INPUT},
    .output = {.name = "logits", .type = DT_F32, .rank = 2, .dim = {0, 258}, .sym = {SYM_BATCH}},
    .forward = forward,
    .loss = loss,
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .sizes_bytes = sizeof(picture_sizes),
};
