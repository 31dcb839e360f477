// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_emit.h: an emitter (autograd/emitter.h) whose nodes go into an ONNX model, and shorthands
// for nodes that the files of export/ write by hand.
//
//     emitter *m = emitter_open(model, "ONNX", graph, params, &arena);
//     emitter_bind(m, input, "mel");
//     emitter_reach(m, output, e);
#ifndef KMIDI_EXPORT_ONNX_EMIT_H
#define KMIDI_EXPORT_ONNX_EMIT_H

#include "autograd/emitter.h"
#include "export/onnx_file.h"

// `format`: for sentences.
emitter *emitter_open(onnx_model *model, const char *format, const graph *g, const params *p,
                      arena *a);
// A value of shape s, free dimensions as symbols.
onnx_value emitter_value(const char *name, int type, const shape *s);

static inline emit_attr attr_int(const char *name, int64_t v)
{
    return (emit_attr){.name = name, .kind = EMIT_INT, .i = v};
}

#endif
