// SPDX-License-Identifier: GPL-3.0-or-later
// emotion_midi_transformer.c: tokens [B, T] of the 388 performance events and emotion [B, 64] ->
// logits of the next token [B, T, 388].
//
// A decoder (pre-norm, rotary positions, SwiGLU) whose layers of `cross` also look at
// `emotion_tokens` vectors made from the emotion. The head shares the embedding's weights. Its
// sizes are options: the defaults are the reference's 24,984,192 parameters.
//
// With `qk_norm`, which the reference does not have, a layer norm over each head of queries and
// keys, the same for all heads of a layer, stands before the rotary positions (Dehghani et al.,
// "Scaling Vision Transformers to 22 Billion Parameters", 2023; Henry et al. 2020): scores stay
// within bounds at high learning rates.
//
// Of a sequence that grows at its end, keys and values of what is there stay as they are: each
// layer keeps them as states, and new tokens are all that a step computes. The emotion does not
// change at all, so its keys and values are made once (FORM_ONCE), where the form is not that of
// one file (FORM_STEP), which hears it in each step.
#include <string.h>

#include "autograd/cache_bytes.h"
#include "models/layer.h"

enum { TOKENS = 388, LAYERS = 20 };

// What a layer knows from before. B batch, C capacity, E vectors of the emotion, D dim.
typedef struct layer_past {
    model_state *keys, *values;        // [B, C, D], to which a step adds [B, T, D]
    tensor *cross_keys, *cross_values; // [B, E, D]; NULL in layers that do not look at the emotion
} layer_past;

typedef struct transformer_sizes {
    int64_t layers, dim, heads, ffn, emotion_tokens;
    int64_t cross; // bit i: layer i looks at the emotion
    int64_t qk_norm;
} transformer_sizes;

#define SIZE(member) CONFIG_INT, KEY_AT(transformer_sizes, member)
static const config_key options[] = {
    {"transformer", CONFIG_SECTION,
     .help = "emotion_midi_transformer: its sizes; with init_from or lora.base and none given, "
             "that model's. Defaults are the reference's"},
    {"transformer.layers", SIZE(layers), .min = 1, .max = LAYERS, .own = "8", .help = "8"},
    {"transformer.dim", SIZE(dim), .min = 16, .max = 8192, .own = "384",
     .help = "384; an even number for each head"},
    {"transformer.heads", SIZE(heads), .min = 1, .max = 128, .own = "6", .help = "6"},
    {"transformer.ffn", SIZE(ffn), .min = 16, .max = 32768, .own = "1792",
     .help = "1792: width of the gated feed-forward part"},
    {"transformer.cross", CONFIG_NUMBERS, KEY_AT(transformer_sizes, cross), .min = 0,
     .max = LAYERS - 1, .own = "0,2,4,6",
     .help = "[0, 2, 4, 6]: layers, counted from 0, that look at the emotion, too"},
    {"transformer.emotion_tokens", SIZE(emotion_tokens), .min = 1, .max = 256, .own = "8",
     .help = "8: vectors that the emotion becomes"},
    {"transformer.qk_norm", SIZE(qk_norm), .min = 0, .max = 1, .own = "0", .unsaid = "0",
     .help = "0; 1: a layer norm over each head's queries and keys, which the reference does not "
             "have (docs/performer.md)"},
};

// Layer i looks at the emotion.
static bool crosses(const network *n, int64_t i)
{
    return model_size(n, "cross") >> i & 1;
}

static tensor *project(network *n, const char *name, const char *which, tensor *x)
{
    return layer_linear(n, layer_name(n, "%s.%s_proj", name, which), x, model_size(n, "dim"),
                        ACT_NONE);
}

// Queries or keys x [B, T, D], each head [D / heads] under the norm NAME.WHICH_norm where there is
// one.
static tensor *norm_heads(network *n, const char *name, const char *which, tensor *x)
{
    int64_t heads = model_size(n, "heads");
    shape whole = x->shape, split = whole;
    if (!model_size(n, "qk_norm") || tensor_poisoned(x))
        return x;
    split.rank = 4, split.d[2] = heads, split.d[3] = whole.d[2] / heads;
    x = layer_layer_norm(n, layer_name(n, "%s.%s_norm", name, which), op_reshape(n->g, x, split));
    return op_reshape(n->g, x, whole);
}

// x [B, T, D] looks at what was before, by rotary positions.
static tensor *look_back(network *n, const char *name, tensor *x, tensor *angles, layer_past *past)
{
    int heads = (int)model_size(n, "heads");
    tensor *q = norm_heads(n, name, "q", project(n, name, "q", x)),
           *k = norm_heads(n, name, "k", project(n, name, "k", x)), *v = project(n, name, "v", x),
           *y;
    if (past && past->keys->scales) {
        tensor *from[] = {
            q, k, v, past->keys->in, past->values->in, past->keys->scales, past->values->scales};
        y = op_attention_bytes(n->g, from, n->length, angles, heads, n->dims.rows,
                               &past->keys->out),
        past->values->out = v;
    } else if (past) {
        tensor *from[] = {q, k, v, past->keys->in, past->values->in};
        y = op_attention_step(n->g, from, n->length, angles, heads, &past->keys->out),
        past->values->out = v;
    } else {
        y = op_attention(n->g, q, k, v, angles, heads, true);
    }
    return project(n, name, "out", y);
}

// x [B, T, D] looks at the emotion's vectors [B, E, D], or at the keys and values that were made of
// them.
static tensor *look_across(network *n, const char *name, tensor *x, tensor *emotion,
                           const layer_past *past)
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
                             layer_past *past)
{
    const char *name = layer_name(n, "layers.%d", (int)i);
    tensor *h = layer_layer_norm(n, layer_name(n, "%s.self_attn_norm", name), x);
    x = op_add(n->g, x, look_back(n, layer_name(n, "%s.self_attn", name), h, angles, past));
    if (crosses(n, i)) {
        h = layer_layer_norm(n, layer_name(n, "%s.cross_attn_norm", name), x);
        x = op_add(n->g, x, look_across(n, layer_name(n, "%s.cross_attn", name), h, emotion, past));
    }
    h = layer_layer_norm(n, layer_name(n, "%s.ffn_norm", name), x);
    return op_add(n->g, x, feed_forward(n, name, h));
}

// [B, 64] -> its vectors [B, E, D]
static tensor *emotion_vectors(network *n, tensor *emotion)
{
    int64_t dim = model_size(n, "dim"), count = model_size(n, "emotion_tokens");
    tensor *e = layer_linear(n, "emotion_fc1", emotion, dim, ACT_GELU);
    e = layer_linear(n, "emotion_fc2", e, count * dim, ACT_NONE);
    return op_reshape(n->g, e, shape_of(3, n->dims.batch, count, dim));
}

// tokens i32 [B, T] -> logits [B, T, 388]: of whole sequences under an emotion [B, 64] (past NULL),
// or behind past[layers].
static tensor *token_logits(network *n, tensor *tokens, tensor *emotion, layer_past *past)
{
    int64_t dim = model_size(n, "dim"), heads = model_size(n, "heads");
    if (dim % (2 * heads))
        return graph_fail(n->g, "dim %lld is not an even number for each of %lld heads",
                          (long long)dim, (long long)heads);
    tensor *table = layer_table(n, "embed", TOKENS, dim, 0.02f),
           *e = past ? NULL : emotion_vectors(n, emotion);
    tensor *x = op_embedding(n->g, table, tokens),
           *angles = op_rope_table(n->g, tokens, n->length, (int)(dim / heads));
    for (int64_t i = 0; i < model_size(n, "layers"); i++)
        x = decoder_layer(n, i, x, e, angles, past ? &past[i] : NULL);
    return op_linear(n->g, layer_layer_norm(n, "norm", x), table, NULL, ACT_NONE);
}

static tensor *forward(network *n, tensor *const in[])
{
    return token_logits(n, in[0], in[1], NULL);
}

// In whole numbers: the bytes of each head (autograd/cache_bytes.h), and the scales of its rows.
static shape bytes_of(const network *n, bool values)
{
    int64_t heads = model_size(n, "heads"), d = model_size(n, "dim") / heads, rows = n->dims.rows;
    return shape_of(3, n->dims.batch, heads,
                    values ? cache_value_bytes(rows, d) : cache_key_bytes(rows, d));
}

static model_state *cache(network *n, int i, const char *name, const char *others)
{
    const tensor *tokens = n->in[0];
    shape s = shape_of(3, n->dims.batch, n->dims.rows, model_size(n, "dim"));
    bool values = !strcmp(name, "values"), bytes = n->dims.row_type == DT_I8;
    if (bytes)
        s = bytes_of(n, values);
    if (!n->dims.rows)
        s.d[1] = n->dims.time, s.sym[0] = tokens->shape.sym[0], s.sym[1] = tokens->shape.sym[1];
    model_state *t = layer_state(n, STATE_GROWS, layer_name(n, "%s.%d", name, i), s);
    t->past = layer_name(n, "past_key_values.%d.%s", i, others);
    t->present = layer_name(n, "present.%d.%s", i, others);
    t->heads = model_size(n, "heads"), t->values = values;
    if (bytes)
        t->scales = graph_input(n->g, layer_name(n, "%s.scales", t->name), DT_F32,
                                shape_of(3, n->dims.batch, t->heads, n->dims.rows));
    return t;
}

// Keys or values that layer i makes of the emotion's vectors e; NULL: they come in.
static tensor *across(network *n, int i, const char *name, const char *which, tensor *e)
{
    shape s = shape_of(3, n->dims.batch, model_size(n, "emotion_tokens"), model_size(n, "dim"));
    tensor *made = e ? project(n, layer_name(n, "layers.%d.cross_attn", i), which, e) : NULL;
    return layer_given(n, layer_name(n, "cross.%s.%d", name, i), s, made);
}

static tensor *step(network *n, tensor *const in[])
{
    layer_past past[LAYERS] = {0};
    tensor *e = in[1] ? emotion_vectors(n, in[1]) : NULL;
    for (int i = 0; i < model_size(n, "layers"); i++) {
        if (in[0]) {
            past[i].keys = cache(n, i, "keys", "key");
            past[i].values = cache(n, i, "values", "value");
        }
        if (crosses(n, i)) {
            past[i].cross_keys = across(n, i, "keys", "k", e);
            past[i].cross_values = across(n, i, "values", "v", e);
        }
    }
    return in[0] ? token_logits(n, in[0], NULL, past) : NULL;
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
    .makes = MAKES_EVENTS,
    .example = "tokens",
    .dialect = "note-seq-388",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .sizes_bytes = sizeof(transformer_sizes),
    .n_inputs = 2,
    .inputs = {{.name = "tokens",
                .type = DT_I32,
                .rank = 2,
                .sym = {SYM_BATCH, SYM_TIME},
                .below = TOKENS},
               {.name = "emotion",
                .type = DT_F32,
                .rank = 2,
                .dim = {0, 64},
                .sym = {SYM_BATCH},
                .once = true}},
    .output = {.name = "logits",
               .type = DT_F32,
               .rank = 3,
               .dim = {0, 0, TOKENS},
               .sym = {SYM_BATCH, SYM_TIME}},
    .target = {.name = "target",
               .type = DT_I32,
               .rank = 2,
               .sym = {SYM_BATCH, SYM_TIME},
               .below = TOKENS},
    .forward = forward,
    .step = step,
    .loss = loss,
};
