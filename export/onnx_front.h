// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_front.h: what onnx_front.c has onnx_front_key.c do.
#ifndef KMIDI_EXPORT_ONNX_FRONT_H
#define KMIDI_EXPORT_ONNX_FRONT_H

#include "export/onnx.h"
#include "export/onnx_emit.h"

// The last twelve values of frames [B, T, n_mels] turned to their key, where f->keys says by what.
const char *onnx_front_key(emitter *m, const onnx_front *f, const char *x);

#endif
