// SPDX-License-Identifier: GPL-3.0-or-later
// emotion_midi_transformer.c: tokens [B, T] of the 388 performance events and emotion [B, 64] ->
// logits of the next token [B, T, 388].
//
// A decoder (pre-norm, rotary positions, SwiGLU) whose layers of `cross` also look at
// `emotion_tokens` vectors made from the emotion. The head shares the embedding's weights. Its
// sizes are options: the defaults are the reference's 24,984,192 parameters.
#include "models/transformer.h"

static const model_option options[] = {
    {"layers", 8, 1, TRANSFORMER_LAYERS, false},
    {"dim", 384, 16, 8192, false},
    {"heads", 6, 1, 128, false},
    {"ffn", 1792, 16, 32768, false},
    // layers that also look at the emotion
    {"cross", 1 << 0 | 1 << 2 | 1 << 4 | 1 << 6, 0, TRANSFORMER_LAYERS - 1, true},
    {"emotion_tokens", 8, 1, 256, false},
};

static tensor *project(network *n, const char *name, const char *which, tensor *x)
{
    return layer_linear(n, layer_name(n, "%s.%s_proj", name, which), x, model_size(n, "dim"),
                        ACT_NONE);
}

// x [B, T, D] looks at what was before, by rotary positions.
static tensor *look_back(network *n, const char *name, tensor *x, tensor *angles,
                         transformer_past *past)
{
    int heads = (int)model_size(n, "heads");
    tensor *q = project(n, name, "q", x), *k = project(n, name, "k", x),
           *v = project(n, name, "v", x), *y;
    if (past) {
        tensor *from[] = {q, k, v, past->keys, past->values};
        y = op_attention_step(n->g, from, past->length, angles, heads, &past->new_keys),
        past->new_values = v;
    } else {
        y = op_attention(n->g, q, k, v, angles, heads, true);
    }
    return project(n, name, "out", y);
}

// x [B, T, D] looks at the emotion's vectors [B, E, D], or at the keys and values that were made of
// them.
static tensor *look_across(network *n, const char *name, tensor *x, tensor *emotion,
                           const transformer_past *past)
{
    tensor *q = project(n, name, "q", x);
    tensor *k = past ? past->cross_keys : project(n, name, "k", emotion),
           *v = past ? past->cross_values : project(n, name, "v", emotion);
    return project(n, name, "out",
                   op_attention(n->g, q, k, v, NULL, (int)model_size(n, "heads"), false));
}

static tensor *feed_forward(network *n, const char *name, tensor *x)
{
    tensor *gate = layer_product(n, layer_name(n, "%s.gate_proj", name), x, model_size(n, "ffn"));
    tensor *up = layer_product(n, layer_name(n, "%s.up_proj", name), x, model_size(n, "ffn"));
    return layer_product(n, layer_name(n, "%s.down_proj", name), op_swiglu(n->g, gate, up),
                         model_size(n, "dim"));
}

static tensor *decoder_layer(network *n, int64_t i, tensor *x, tensor *emotion, tensor *angles,
                             transformer_past *past)
{
    const char *name = layer_name(n, "layers.%d", (int)i);
    tensor *h = layer_layer_norm(n, layer_name(n, "%s.self_attn_norm", name), x);
    x = op_add(n->g, x, look_back(n, layer_name(n, "%s.self_attn", name), h, angles, past));
    if (transformer_crosses(n, i)) {
        h = layer_layer_norm(n, layer_name(n, "%s.cross_attn_norm", name), x);
        x = op_add(n->g, x, look_across(n, layer_name(n, "%s.cross_attn", name), h, emotion, past));
    }
    h = layer_layer_norm(n, layer_name(n, "%s.ffn_norm", name), x);
    return op_add(n->g, x, feed_forward(n, name, h));
}

bool transformer_crosses(const network *n, int64_t i)
{
    return model_size(n, "cross") >> i & 1;
}

tensor *transformer_emotion(network *n, tensor *emotion)
{
    int64_t dim = model_size(n, "dim"), count = model_size(n, "emotion_tokens");
    tensor *e = layer_linear(n, "emotion_fc1", emotion, dim, ACT_GELU);
    e = layer_linear(n, "emotion_fc2", e, count * dim, ACT_NONE);
    return op_reshape(n->g, e, shape_of(3, n->dims.batch, count, dim));
}

void transformer_cross(network *n, int64_t i, tensor *emotion, transformer_past *past)
{
    const char *name = layer_name(n, "layers.%d.cross_attn", (int)i);
    past->cross_keys = project(n, name, "k", emotion);
    past->cross_values = project(n, name, "v", emotion);
}

tensor *transformer_logits(network *n, tensor *tokens, tensor *emotion, transformer_past *past)
{
    int64_t dim = model_size(n, "dim"), heads = model_size(n, "heads");
    if (dim % (2 * heads))
        return graph_fail(n->g, "dim %lld is not an even number for each of %lld heads",
                          (long long)dim, (long long)heads);
    tensor *table = layer_table(n, "embed", TRANSFORMER_TOKENS, dim, 0.02f),
           *e = past ? NULL : transformer_emotion(n, emotion);
    tensor *x = op_embedding(n->g, table, tokens),
           *angles = op_rope_table(n->g, tokens, past ? past->length : NULL, (int)(dim / heads));
    for (int64_t i = 0; i < model_size(n, "layers"); i++)
        x = decoder_layer(n, i, x, e, angles, past ? &past[i] : NULL);
    return op_linear(n->g, layer_layer_norm(n, "norm", x), table, NULL, ACT_NONE);
}

static tensor *forward(network *n, tensor *const in[])
{
    return transformer_logits(n, in[0], in[1], NULL);
}

// Behind caches of `time` rows, free as batch and length are. The emotion is heard anew in each
// step.
static tensor *step(network *n, tensor *const in[])
{
    transformer_past *past = n->dims.past;
    shape cache = in[0]->shape;
    cache.rank = 3, cache.d[2] = model_size(n, "dim");
    tensor *e = transformer_emotion(n, in[1]),
           *length = graph_input(n->g, "length", DT_I32, shape_of(1, 1));
    for (int64_t i = 0; i < model_size(n, "layers"); i++) {
        past[i] = (transformer_past){.length = length};
        past[i].keys = graph_input(n->g, layer_name(n, "keys.%d", (int)i), DT_F32, cache);
        past[i].values = graph_input(n->g, layer_name(n, "values.%d", (int)i), DT_F32, cache);
        if (transformer_crosses(n, i))
            transformer_cross(n, i, e, &past[i]);
    }
    return transformer_logits(n, in[0], NULL, past);
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
    .dialect = "note-seq-388",
    .section = "transformer",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .n_inputs = 2,
    .inputs = {{.name = "tokens",
                .type = DT_I32,
                .rank = 2,
                .sym = {SYM_BATCH, SYM_TIME},
                .below = TRANSFORMER_TOKENS},
               {.name = "emotion", .type = DT_F32, .rank = 2, .dim = {0, 64}, .sym = {SYM_BATCH}}},
    .output = {.name = "logits",
               .type = DT_F32,
               .rank = 3,
               .dim = {0, 0, TRANSFORMER_TOKENS},
               .sym = {SYM_BATCH, SYM_TIME}},
    .target = {.name = "target",
               .type = DT_I32,
               .rank = 2,
               .sym = {SYM_BATCH, SYM_TIME},
               .below = TRANSFORMER_TOKENS},
    .forward = forward,
    .step = step,
    .loss = loss,
};
