// SPDX-License-Identifier: GPL-3.0-or-later
// mil_run.h: a program of Core ML, as a package holds it, run by ourselves: said in portable nodes,
// which export/onnx_run.h runs. Every value is rounded to the kind that the program declares for
// it, so that halves cost what they cost where each operation computes in f32 and stores 16 bits;
// Apple's own devices may sum in halves, too.
//
//     mil_program *p = mil_read("emotion.mlpackage", &arena, e);
//     const onnx_model *m = mil_portable(p, &arena, e);
//     onnx_runner *r = onnx_runner_open(m, &env, &arena, e);
#ifndef KMIDI_EXPORT_MIL_RUN_H
#define KMIDI_EXPORT_MIL_RUN_H

#include "export/mil.h"
#include "export/onnx_file.h"

// Inputs and outputs have their names. It shares the numbers of `p`. ERR_VALUE names an operation
// that is not among those which coreml.h writes, or one that it would have written otherwise.
onnx_model *mil_portable(const mil_program *p, arena *a, err *e) MUST_CHECK;

#endif
