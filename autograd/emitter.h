// SPDX-License-Identifier: GPL-3.0-or-later
// emitter.h: what stands behind portable.h, for exporters: the names of values, which nodes lead to
// an output, which parameters become constants. An exporter adds two functions, for a constant and
// for a node, and hands them in as a value: nothing here knows who it is.
//
//     static const emit_form form = {"ONNX", put_constant, put_node};
//     emitter *m = emitter_make(&form, model, graph, params, &arena);
//     emitter_bind(m, input, "mel");                  // graph inputs get the names of the file's
//     emitter_call(m, output, "embedding");           // tensors that need a certain name
//     emitter_reach(m, output, e);                    // every node that leads to it says itself
//
// A constant is said before the first node that reads it, each value once.
#ifndef KMIDI_AUTOGRAD_EMITTER_H
#define KMIDI_AUTOGRAD_EMITTER_H

#include "autograd/params.h"
#include "autograd/portable.h"

typedef enum emit_type { EMIT_F32, EMIT_I32, EMIT_I64 } emit_type;

typedef struct emit_constant {
    const char *name;
    emit_type type;
    shape shape;
    const void *data; // lives as long as the emitter's arena and the parameters
    size_t bytes;
} emit_constant;

// Names and attributes may be gone when `node` returns; those that an emitter gave live as long as
// its arena.
typedef struct emit_call {
    const char *op; // of ONNX, opset 17
    int n_in, n_out, n_attr;
    const char *const *in, *const *out; // in: "" an optional input left out
    const emit_attr *attrs;
} emit_call;

// What an exporter fills; `to` is its own.
typedef struct emit_form {
    const char *name; // of the format, for sentences
    void (*constant)(void *to, const emit_constant *c);
    void (*node)(void *to, const emit_call *c);
} emit_form;

// `p` is NULL where the graph has no parameters.
emitter *emitter_make(const emit_form *form, void *to, const graph *g, const params *p, arena *a);
// Tensor t is the value `name`, which is defined already or an input. May replace an earlier name
// for what follows.
void emitter_bind(emitter *m, const tensor *t, const char *name);
// The name is taken; false when it was before.
bool emitter_reserve(emitter *m, const char *name);
// When t is emitted, it gets this name, which is free.
void emitter_call(emitter *m, const tensor *t, const char *name);
// Emits what leads to t and was not emitted yet, in the graph's order. An op without a portable
// form is ERR_VALUE with its reason.
bool emitter_reach(emitter *m, const tensor *t, err *e) MUST_CHECK;
// The name of a tensor that has been emitted or bound.
const char *emitter_name(const emitter *m, const tensor *t);

#endif
