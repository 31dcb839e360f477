// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_past.c: the form for generation, by the names that Optimum and others give it:
//
//     tokens [batch, time], emotion [batch, 64], past_key_values.N.key, past_key_values.N.value [batch, heads, past, d]
//         -> logits [batch, time, 388], present.N.key, present.N.value [batch, heads, past + time, d]
//
// A prompt goes in whole with a past of length 0; then a token at a time, with the present of one
// step as the past of the next. Keys are kept turned by their position, which is counted from the
// past's length.
#include "autograd/ops/attention_emit.h"
#include "export/onnx.h"
#include "export/onnx_emit.h"
#include "models/transformer.h"

static onnx_value cache_value(network *n, const char *format, int layer, const char *length)
{
    int64_t heads = model_size(n, "heads");
    return (onnx_value){.name = layer_name(n, format, layer),
                        .type = ONNX_FLOAT,
                        .rank = 4,
                        .dim = {0, heads, 0, model_size(n, "dim") / heads},
                        .sym = {"batch", NULL, length}};
}

// [batch, heads, past, d] -> rows of t [batch, past, heads d]
static void bind_cache(emitter *m, onnx_model *model, network *n, const tensor *t, onnx_value v)
{
    const char *rows = emit_fresh(m, "past");
    CHECK(emitter_reserve(m, v.name));
    onnx_add_input(model, v);
    emit_joined(m, v.name, model_size(n, "dim"), rows);
    emitter_bind(m, t, rows);
}

// i32 [1]: how long the first layer's past is.
static const char *past_length(emitter *m, const char *keys)
{
    const int64_t axis = 2;
    const emit_attr axis0 = {.name = "axis", .kind = EMIT_INT, .i = 0},
                    to = attr_int("to", ONNX_INT32);
    const char *sizes = emit_op(m, "Shape", 1, &keys, 0, NULL);
    const char *length =
        emit_op(m, "Gather", 2, (const char *[]){sizes, emit_i64(m, 1, &axis)}, 1, &axis0);
    return emit_op(m, "Cast", 1, &length, 1, &to);
}

void onnx_past_inputs(emitter *m, onnx_model *model, network *n)
{
    const transformer_past *past = n->dims.past;
    for (int i = 0; i < model_size(n, "layers"); i++) {
        bind_cache(m, model, n, past[i].keys, cache_value(n, "past_key_values.%d.key", i, "past"));
        bind_cache(m, model, n, past[i].values,
                   cache_value(n, "past_key_values.%d.value", i, "past"));
    }
    emitter_bind(m, past[0].length, past_length(m, "past_key_values.0.key"));
}

// What was there and the new rows behind it, as heads.
static void put_present(emitter *m, onnx_model *model, const char *before, const tensor *rows,
                        onnx_value v)
{
    const char *heads = emit_heads(m, emitter_name(m, rows), v.dim[1], v.dim[3]);
    CHECK(emitter_reserve(m, v.name));
    emit_node(m, "Concat", 2, (const char *[]){before, heads}, 1, &v.name, 1,
              &(emit_attr){.name = "axis", .kind = EMIT_INT, .i = 2});
    onnx_add_output(model, v);
}

void onnx_past_outputs(emitter *m, onnx_model *model, network *n)
{
    const transformer_past *past = n->dims.past;
    for (int i = 0; i < model_size(n, "layers"); i++) {
        put_present(m, model, layer_name(n, "past_key_values.%d.key", i), past[i].new_keys,
                    cache_value(n, "present.%d.key", i, "present"));
        put_present(m, model, layer_name(n, "past_key_values.%d.value", i), past[i].new_values,
                    cache_value(n, "present.%d.value", i, "present"));
    }
}
