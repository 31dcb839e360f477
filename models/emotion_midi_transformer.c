// SPDX-License-Identifier: GPL-3.0-or-later
// emotion_midi_transformer.c: tokens [B, T] of the 388 performance events and emotion [B, 64] -> logits of the next token [B, T, 388].
//
// A decoder (pre-norm, rotary positions, SwiGLU) whose layers of `cross` also look at `emotion_tokens` vectors made from the emotion. The
// head shares the embedding's weights. Its sizes are options: the defaults are the reference's 24,984,192 parameters.
#include "models/model.h"

enum { VOCABULARY = 388 };

static const model_option options[] = {
    {"layers", 8, 1, 20, false},
    {"dim", 384, 16, 8192, false},
    {"heads", 6, 1, 128, false},
    {"ffn", 1792, 16, 32768, false},
    {"cross", 1 << 0 | 1 << 2 | 1 << 4 | 1 << 6, 0, 19, true}, // layers that also look at the emotion
    {"emotion_tokens", 8, 1, 256, false},
};

// x [B, T, D] looks at itself (context NULL; by rotary positions, at what was before) or at context [B, S, D].
static tensor *attention(network *n, const char *name, tensor *x, tensor *context, tensor *angles)
{
    int64_t dim = model_size(n, "dim");
    tensor *from = context ? context : x;
    tensor *q = layer_linear(n, layer_name(n, "%s.q_proj", name), x, dim, ACT_NONE);
    tensor *k = layer_linear(n, layer_name(n, "%s.k_proj", name), from, dim, ACT_NONE);
    tensor *v = layer_linear(n, layer_name(n, "%s.v_proj", name), from, dim, ACT_NONE);
    tensor *y = op_attention(n->g, q, k, v, context ? NULL : angles, (int)model_size(n, "heads"), !context);
    return layer_linear(n, layer_name(n, "%s.out_proj", name), y, dim, ACT_NONE);
}

static tensor *feed_forward(network *n, const char *name, tensor *x)
{
    tensor *gate = layer_product(n, layer_name(n, "%s.gate_proj", name), x, model_size(n, "ffn"));
    tensor *up = layer_product(n, layer_name(n, "%s.up_proj", name), x, model_size(n, "ffn"));
    return layer_product(n, layer_name(n, "%s.down_proj", name), op_swiglu(n->g, gate, up), model_size(n, "dim"));
}

static tensor *decoder_layer(network *n, int64_t i, tensor *x, tensor *emotion, tensor *angles)
{
    const char *name = layer_name(n, "layers.%d", (int)i);
    tensor *h = layer_layer_norm(n, layer_name(n, "%s.self_attn_norm", name), x);
    x = op_add(n->g, x, attention(n, layer_name(n, "%s.self_attn", name), h, NULL, angles));
    if (model_size(n, "cross") >> i & 1) {
        h = layer_layer_norm(n, layer_name(n, "%s.cross_attn_norm", name), x);
        x = op_add(n->g, x, attention(n, layer_name(n, "%s.cross_attn", name), h, emotion, NULL));
    }
    h = layer_layer_norm(n, layer_name(n, "%s.ffn_norm", name), x);
    return op_add(n->g, x, feed_forward(n, name, h));
}

static tensor *forward(network *n, tensor *const in[])
{
    int64_t dim = model_size(n, "dim"), heads = model_size(n, "heads"), count = model_size(n, "emotion_tokens");
    if (dim % (2 * heads))
        return graph_fail(n->g, "dim %lld is not an even number for each of %lld heads", (long long)dim, (long long)heads);
    tensor *table = layer_table(n, "embed", VOCABULARY, dim, 0.02f);
    tensor *e = layer_linear(n, "emotion_fc1", in[1], dim, ACT_GELU);
    e = layer_linear(n, "emotion_fc2", e, count * dim, ACT_NONE);
    e = op_reshape(n->g, e, shape_of(3, n->dims.batch, count, dim));
    tensor *x = op_embedding(n->g, table, in[0]), *angles = op_rope_table(n->g, in[0], NULL, (int)(dim / heads));
    for (int64_t i = 0; i < model_size(n, "layers"); i++)
        x = decoder_layer(n, i, x, e, angles);
    return op_linear(n->g, layer_layer_norm(n, "norm", x), table, NULL, ACT_NONE);
}

static tensor *loss(network *n, tensor *logits)
{
    return op_cross_entropy(n->g, logits, n->target, n->weight, n->dims.label_smoothing);
}

const model_def model_emotion_midi_transformer = {
    .name = "emotion_midi_transformer",
    .summary = "performance events and emotion -> logits of the next event",
    .params = 24984192,
    .task = TASK_TOKENS,
    .example = "tokens",
    .section = "transformer",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .n_inputs = 2,
    .inputs = {{.name = "tokens", .type = DT_I32, .rank = 2, .sym = {SYM_BATCH, SYM_TIME}, .below = VOCABULARY},
               {.name = "emotion", .type = DT_F32, .rank = 2, .dim = {0, 64}, .sym = {SYM_BATCH}}},
    .output = {.name = "logits", .type = DT_F32, .rank = 3, .dim = {0, 0, VOCABULARY}, .sym = {SYM_BATCH, SYM_TIME}},
    .target = {.name = "target", .type = DT_I32, .rank = 2, .sym = {SYM_BATCH, SYM_TIME}, .below = VOCABULARY},
    .forward = forward,
    .loss = loss,
};
