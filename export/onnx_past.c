// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_past.c: the form for generation, by the names that Optimum and others give it:
//
//     tokens [batch, time], emotion [batch, 64], past_key_values.N.key, past_key_values.N.value
//     [batch, heads, past, d]
//         -> logits [batch, time, 388], present.N.key, present.N.value [batch, heads, past + time,
//         d]
//
// A prompt goes in whole with a past of length 0; then a token at a time, with the present of one
// step as the past of the next. Keys are kept turned by their position, which is counted from the
// past's length.
#include "autograd/ops/attention_emit.h"
#include "export/onnx.h"
#include "export/onnx_emit.h"

static onnx_value cache_value(const model_state *t, const char *name, const char *length)
{
    return (onnx_value){.name = name,
                        .type = ONNX_FLOAT,
                        .rank = 4,
                        .dim = {0, t->heads, 0, t->in->shape.d[2] / t->heads},
                        .sym = {"batch", NULL, length}};
}

// [batch, heads, past, d] -> rows [batch, past, heads d] of the state's input
static void bind_cache(emitter *m, onnx_model *model, const model_state *t)
{
    const char *rows = emit_fresh(m, "past");
    CHECK(emitter_reserve(m, t->past));
    onnx_add_input(model, cache_value(t, t->past, "past"));
    emit_joined(m, t->past, t->in->shape.d[2], rows);
    emitter_bind(m, t->in, rows);
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

// The states that are such a cache.
static int caches(network *n, const model_state **list)
{
    int k = 0;
    for (int i = 0; i < n->n_states; i++)
        if (n->state[i].past)
            list[k++] = &n->state[i];
    return k;
}

void onnx_past_inputs(emitter *m, onnx_model *model, network *n)
{
    const model_state *list[MODEL_STATES];
    int k = caches(n, list);
    for (int i = 0; i < k; i++)
        bind_cache(m, model, list[i]);
    emitter_bind(m, n->length, past_length(m, list[0]->past));
}

// What was there and the new rows behind it, as heads.
static void put_present(emitter *m, onnx_model *model, const model_state *t)
{
    onnx_value v = cache_value(t, t->present, "present");
    const char *heads = emit_heads(m, emitter_name(m, t->out), v.dim[1], v.dim[3]);
    CHECK(emitter_reserve(m, v.name));
    emit_node(m, "Concat", 2, (const char *[]){t->past, heads}, 1, &v.name, 1,
              &(emit_attr){.name = "axis", .kind = EMIT_INT, .i = 2});
    onnx_add_output(model, v);
}

void onnx_past_outputs(emitter *m, onnx_model *model, network *n)
{
    const model_state *list[MODEL_STATES];
    int k = caches(n, list);
    for (int i = 0; i < k; i++)
        put_present(m, model, list[i]);
}
