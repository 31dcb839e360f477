// SPDX-License-Identifier: GPL-3.0-or-later
// coreml_ops.h: each portable operation as one of Core ML's (iOS 16), all of its arguments given,
// https://apple.github.io/coremltools/source/coremltools.converters.mil.mil.ops.defs.html: lists of
// them by kind, and what their translations share. To add one: a translation, and its line in the
// list at the end of its file.
#ifndef KMIDI_EXPORT_COREML_OPS_H
#define KMIDI_EXPORT_COREML_OPS_H

#include <string.h>

#include "export/coreml_work.h"

typedef struct coreml_rule {
    const char *op; // NULL behind the last
    void (*say)(coreml_work *w, const onnx_node *n);
} coreml_rule;

extern const coreml_rule coreml_shapes[]; // coreml_shapes.c: what moves numbers
extern const coreml_rule coreml_layers[]; // coreml_layers.c: what has weights or windows
extern const coreml_rule coreml_math[];   // coreml_math.c: what computes element by element

static inline coreml_value *coreml_in(const coreml_work *w, const onnx_node *n, int i)
{
    return coreml_find(w, n->in[i]);
}

static inline coreml_value *coreml_out(const coreml_work *w, const onnx_node *n, int i)
{
    return coreml_find(w, n->out[i]);
}

static inline bool coreml_has(const onnx_node *n, int i)
{
    return i < n->n_in && *n->in[i];
}

static inline int64_t coreml_axis(const onnx_node *n, int64_t fallback, int rank)
{
    int64_t axis = onnx_attr_value(n, "axis", fallback);
    return axis < 0 ? axis + rank : axis;
}

// In which a node computes: that of what it makes.
static inline mil_kind coreml_kind_of(const coreml_work *w, const onnx_node *n)
{
    return coreml_kind(w, coreml_out(w, n, 0));
}

// Argument `arg` is input i, in the kind in which the node computes.
static inline void coreml_put(coreml_work *w, mil_call *c, const char *arg, const onnx_node *n,
                              int i)
{
    coreml_value *v = coreml_in(w, n, i);
    mil_put(c, arg, coreml_say(w, v, v->whole ? MIL_I32 : coreml_kind_of(w, n)));
}

// Output 0 ends the call.
static inline void coreml_finish(coreml_work *w, mil_call *c, const onnx_node *n)
{
    coreml_value *v = coreml_out(w, n, 0);
    coreml_give(w, c, v, coreml_kind(w, v));
    if (!w->failed)
        mil_finish(c);
}

// An operation of one argument or two, x and y.
static inline void coreml_plain(coreml_work *w, const onnx_node *n, const char *op)
{
    mil_call c = mil_begin(w->program, op);
    coreml_put(w, &c, "x", n, 0);
    if (n->n_in > 1)
        coreml_put(w, &c, "y", n, 1);
    coreml_finish(w, &c, n);
}

#endif
