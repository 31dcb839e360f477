// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_int8.c: ONNX with weights in 8 bits and a scale for each output channel, a quarter of the
// size. Standard operators alone, so that any runtime takes it (export/quantise.h); products in
// whole numbers where that was asked for.
#include "export/formats/onnx.h"

static bool write(export_task *t, err *e)
{
    return export_onnx_as(t, t->dynamic ? QUANTISE_DYNAMIC : QUANTISE_INT8, e);
}

const export_def export_onnx_int8 = {.name = "onnx-int8",
                                     .runs = true,
                                     .form = QUANTISE_INT8,
                                     .write = write,
                                     .check = export_onnx_check,
                                     .say = export_onnx_say};
