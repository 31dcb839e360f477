// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_emit.h: from a graph to ONNX nodes: the emitter behind autograd/portable.h, for the files of
// export/.
//
//     emitter *m = emitter_open(model, graph, params, &arena);
//     emitter_bind(m, input, "mel");                  // graph inputs get the names of ONNX values
//     emitter_call(m, output, "embedding");           // tensors that need a certain name
//     emitter_reach(m, output, e);                    // every node that leads to it says itself in ONNX
#ifndef KMIDI_EXPORT_ONNX_EMIT_H
#define KMIDI_EXPORT_ONNX_EMIT_H

#include "autograd/portable.h"
#include "export/onnx_file.h"

emitter *emitter_open(onnx_model *model, const graph *g, const params *p, arena *a);
// Tensor t is the ONNX value `name`, which is defined already or an input of the model. May replace
// an earlier name for what follows.
void emitter_bind(emitter *m, const tensor *t, const char *name);
// The name is taken; false when it was before.
bool emitter_reserve(emitter *m, const char *name);
// When t is emitted, it gets this name, which is free.
void emitter_call(emitter *m, const tensor *t, const char *name);
// Emits what leads to t and was not emitted yet, in the graph's order. An op without a portable
// form is ERR_VALUE with its reason.
bool emitter_reach(emitter *m, const tensor *t, err *e) MUST_CHECK;
// The ONNX name of a tensor that has been emitted or bound.
const char *emitter_name(const emitter *m, const tensor *t);
// A value of shape s, free dimensions as symbols.
onnx_value emitter_value(const char *name, int type, const shape *s);

// Shorthands for nodes that are written by hand: one output, which gets the fresh name that is
// returned.
const char *emit_op(emitter *m, const char *op, int n_in, const char *const in[], int n_attr,
                    const emit_attr *attrs);
// Attributes
static inline emit_attr attr_int(const char *name, int64_t v)
{
    return (emit_attr){.name = name, .kind = EMIT_INT, .i = v};
}

#endif
