// SPDX-License-Identifier: GPL-3.0-or-later
// quantise_dynamic.c: products in whole numbers: activations are rounded to 8 bits by their own
// range when they come, in standard operators that runtimes know as one:
//
//     x -> DynamicQuantizeLinear -> x8 u8, scale, zero
//     MatMulInteger(x8, w8, zero) i32 -> Cast f32 -> Mul by scale * scale of w -> + bias
//
// Pairs of products u8 x s8 are added in 16 bits by processors without VNNI: weights keep to +-64
// of 127, so that no sum of two overflows (255 * 64 * 2 < 2^15).
// https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
#include <string.h>

#include "export/quantise_internal.h"

static const onnx_value *value_named(const onnx_value *list, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(list[i].name, name))
            return &list[i];
    return NULL;
}

// Type and shape of what is read or made; NULL: nobody said.
static const onnx_value *info_of(const onnx_model *m, const char *name)
{
    const onnx_value *v = value_named(m->infos, m->n_infos, name);
    v = v ? v : value_named(m->inputs, m->n_inputs, name);
    return v ? v : value_named(m->outputs, m->n_outputs, name);
}

// `name` is like the value `as`, of another type; where nothing is known of it, neither of this.
static void say_like(onnx_model *m, const char *name, const char *as, int type)
{
    const onnx_value *known = info_of(m, as);
    if (!known)
        return;
    onnx_value v = *known;
    v.name = name, v.type = type;
    onnx_add_info(m, v);
}

static void add(onnx_model *m, const char *op, int n_in, const char **in, int n_out,
                const char **out, const onnx_attr *attr)
{
    onnx_add_node(m, &(onnx_node){.op = op,
                                  .name = out[0],
                                  .n_in = n_in,
                                  .in = in,
                                  .n_out = n_out,
                                  .out = out,
                                  .n_attr = attr ? 1 : 0,
                                  .attrs = (onnx_attr *)attr});
}

// x as numbers of 8 bits, once for all who multiply with it: {x8, scale, zero}.
static void round_input(quantise_products *q, const char *x, const char *parts[3])
{
    static const char *const marks[] = {"quantised", "scale", "zero"};
    onnx_model *m = q->model;
    for (int i = 0; i < 3; i++)
        parts[i] = arena_printf(m->arena, "%s.%s", x, marks[i]);
    if (!name_set_add(&q->seen, x))
        return;
    say_like(m, parts[0], x, ONNX_UINT8);
    onnx_add_info(m, (onnx_value){.name = parts[1], .type = ONNX_FLOAT});
    onnx_add_info(m, (onnx_value){.name = parts[2], .type = ONNX_UINT8});
    add(m, "DynamicQuantizeLinear", 1, &x, 3, parts, NULL);
}

bool quantise_product(quantise_products *q, const onnx_node *n)
{
    onnx_model *m = q->model;
    const onnx_attr to = {.name = "to", .type = ONNX_ATTR_INT, .i = ONNX_FLOAT};
    if (n->n_in < 2 || !name_set_has(&q->weights, n->in[1]))
        return false;
    const char *y = n->out[0], *w = n->in[1], *x[3];
    bool bias = n->n_in > 2 && *n->in[2];
    const char *sum = arena_printf(m->arena, "%s.sum", y),
               *wide = arena_printf(m->arena, "%s.wide", y),
               *scale = arena_printf(m->arena, "%s.scale", y),
               *product = bias ? arena_printf(m->arena, "%s.product", y) : y,
               *w8 = arena_printf(m->arena, "%s.int8", w),
               *each = arena_printf(m->arena, "%s.scale", w);
    round_input(q, n->in[0], x);
    say_like(m, sum, y, ONNX_INT32);
    say_like(m, wide, y, ONNX_FLOAT);
    onnx_value scales = {.name = scale, .type = ONNX_FLOAT, .rank = 1};
    for (int i = 0; i < m->n_tensors; i++)
        if (!strcmp(m->tensors[i].name, each))
            scales.dim[0] = m->tensors[i].dim[0];
    onnx_add_info(m, scales);
    add(m, "MatMulInteger", 3, (const char *[]){x[0], w8, x[2]}, 1, &sum, NULL);
    add(m, "Cast", 1, &sum, 1, &wide, &to);
    add(m, "Mul", 2, (const char *[]){x[1], each}, 1, &scale, NULL);
    add(m, "Mul", 2, (const char *[]){wide, scale}, 1, &product, NULL);
    if (bias) {
        say_like(m, product, y, ONNX_FLOAT);
        add(m, "Add", 2, (const char *[]){product, n->in[2]}, 1, &y, NULL);
    }
    return true;
}
