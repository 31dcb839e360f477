// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_model.c: building the structs of onnx_file.h in an arena.
#include <string.h>

#include "base/version.h"
#include "export/onnx_file.h"

onnx_model *onnx_model_open(arena *a)
{
    onnx_model *m = NEW(a, onnx_model, 1);
    *m = (onnx_model){.arena = a,
                      .ir = ONNX_IR,
                      .opset = ONNX_OPSET,
                      .producer = "kmidi",
                      .producer_version = KMIDI_VERSION,
                      .name = "",
                      .doc = ""};
    m->meta.arena = a;
    return m;
}

// The place for one more element behind `n` elements of `size` bytes; moves the list where it is
// full.
static void *grown(arena *a, void **list, int *n, int *cap, size_t size)
{
    if (*n == *cap) {
        int wider = *cap ? 2 * *cap : 32;
        void *fresh = arena_alloc(a, (size_t)wider, size);
        if (*n)
            memcpy(fresh, *list, (size_t)*n * size);
        *list = fresh;
        *cap = wider;
    }
    return (char *)*list + (size_t)(*n)++ * size;
}

#define APPEND(m, T, list, value)                                                                  \
    (*(T *)grown((m)->arena, (void **)&(m)->list, &(m)->n_##list, &(m)->cap_##list, sizeof(T)) =   \
         (value))

static const char *copied(arena *a, const char *s)
{
    return s ? arena_strdup(a, s) : "";
}

static const char **copied_names(arena *a, int n, const char **names)
{
    const char **out = NEW(a, const char *, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        out[i] = copied(a, names[i]);
    return out;
}

void onnx_add_node(onnx_model *m, const onnx_node *n)
{
    onnx_node c = *n;
    c.op = copied(m->arena, n->op);
    c.name = copied(m->arena, n->name);
    c.domain = copied(m->arena, n->domain);
    c.in = copied_names(m->arena, n->n_in, n->in);
    c.out = copied_names(m->arena, n->n_out, n->out);
    c.attrs = NEW(m->arena, onnx_attr, (size_t)n->n_attr + 1);
    for (int i = 0; i < n->n_attr; i++) {
        onnx_attr *t = &c.attrs[i];
        *t = n->attrs[i];
        t->name = copied(m->arena, t->name);
        t->s = copied(m->arena, t->s);
        int64_t *ints = NEW(m->arena, int64_t, (size_t)t->n + 1);
        for (int k = 0; k < t->n; k++)
            ints[k] = n->attrs[i].ints[k];
        t->ints = ints;
    }
    APPEND(m, onnx_node, nodes, c);
}

void onnx_add_tensor(onnx_model *m, const onnx_tensor *t)
{
    onnx_tensor c = *t;
    c.name = copied(m->arena, t->name);
    APPEND(m, onnx_tensor, tensors, c);
}

static onnx_value copied_value(arena *a, onnx_value v)
{
    v.name = copied(a, v.name);
    for (int i = 0; i < v.rank; i++)
        if (v.sym[i])
            v.sym[i] = copied(a, v.sym[i]);
    return v;
}

void onnx_add_input(onnx_model *m, onnx_value v)
{
    APPEND(m, onnx_value, inputs, copied_value(m->arena, v));
}

void onnx_add_output(onnx_model *m, onnx_value v)
{
    APPEND(m, onnx_value, outputs, copied_value(m->arena, v));
}

void onnx_add_info(onnx_model *m, onnx_value v)
{
    APPEND(m, onnx_value, infos, copied_value(m->arena, v));
}
