// SPDX-License-Identifier: GPL-3.0-or-later
// quantise.h: weights in fewer bits, as files for other runtimes keep them: of 16 bits (IEEE
// binary16), or of 8 with one scale for each output channel.
//
//     int8: q = round(w / scale), scale = the largest |w| of a channel / 127 (base/int8.h)
//
// Channels are rows as PyTorch keeps matrices, [out, ...]: units of a linear layer, gates of an
// LSTM, filters of a convolution, rows of a table. What is small stays as it is: biases, norms,
// matrices of fewer than 256 weights or of channels shorter than 16. Only weights change; what is
// computed with them is f32 in every runtime, so nothing but this rounding is lost.
//
// Dynamic: the same, but to +-64, and products with matrices are computed in whole numbers, with
// activations rounded to 8 bits as they come: faster, and less exact. Convolutions, tables and
// LSTMs are in f32 still.
//
//     quantise_params(p, QUANTISE_INT8, e)     // p now has the numbers that the file will have
//     model = onnx_build(m, p, &options, ...)
//     onnx_quantise(model, QUANTISE_INT8)      // and the file has them in a quarter of the bytes
#ifndef KMIDI_EXPORT_QUANTISE_H
#define KMIDI_EXPORT_QUANTISE_H

#include "autograd/params.h"
#include "export/onnx_file.h"

typedef enum quantise_form {
    QUANTISE_NONE,
    QUANTISE_F16,
    QUANTISE_INT8,
    QUANTISE_DYNAMIC,
    QUANTISE_BF16, // of parameters alone: no file is written so
} quantise_form;

const char *quantise_name(quantise_form f); // "f32", "f16", "int8 per channel" ..

// In place, to the nearest numbers that the form has. ERR_VALUE names a weight that is beyond
// those of f16, or no number.
bool quantise_params(params *p, quantise_form f, err *e) MUST_CHECK;

// Weights of `p` in a model in that form, no tables of formulas: each with a node at the head that
// gives it back as f32, Cast, or DequantizeLinear with the scales of its channels (opset 13,
// symmetric: no zero point), https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html; dynamic
// products as quantise_dynamic.c says.
void onnx_quantise(onnx_model *m, const params *p, quantise_form f);

#endif
