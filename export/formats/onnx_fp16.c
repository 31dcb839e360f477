// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_fp16.c: ONNX with weights in 16 bits, half of the size: outputs are some 3e-4 off f32's.
// Standard operators alone, so that any runtime takes it (export/quantise.h).
#include "export/formats/onnx.h"

static bool write(export_task *t, err *e)
{
    return export_onnx_as(t, QUANTISE_F16, e);
}

const export_def export_onnx_fp16 = {.name = "onnx-fp16",
                                     .runs = true,
                                     .form = QUANTISE_F16,
                                     .write = write,
                                     .check = export_onnx_check,
                                     .say = export_onnx_say};
