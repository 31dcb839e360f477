// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_run.h: an ONNX file of ours run plainly, an operation after the other: the proof that it
// says what was meant, where no other runtime is at hand. It has the operations that our networks
// need (onnx_run.c lists them), in f32 and 64-bit numbers whatever the file's, and is no more
// than careful about time: each product of matrices is three loops.
//
//     onnx_model *m = onnx_read("emotion.onnx", &arena, e);
//     onnx_array in[] = {onnx_array_f32(3, (int64_t[]){1, 20, 128}, mel)}, out;
//     onnx_run(m, in, &out, &arena, e)                     // out: the first of the outputs
//
#ifndef KMIDI_EXPORT_ONNX_RUN_H
#define KMIDI_EXPORT_ONNX_RUN_H

#include "export/onnx_file.h"

// One of the three is there. Row-major.
typedef struct onnx_array {
    int rank;
    int64_t dim[ONNX_RANK];
    int64_t n;
    const float *f;   // FLOAT, FLOAT16
    const int64_t *i; // INT64, INT32, BOOL
    const int8_t *b;  // INT8
} onnx_array;

onnx_array onnx_array_f32(int rank, const int64_t *dim, const float *f);
onnx_array onnx_array_i64(int rank, const int64_t *dim, const int64_t *i);
bool onnx_run_has(const onnx_model *m); // all operations that it needs
// `in`: one for each input of the model, in their order. Owned by `a`. ERR_VALUE where it meets an
// operation that it has not, or inputs that do not fit one.
bool onnx_run(const onnx_model *m, const onnx_array *in, onnx_array *out, arena *a,
              err *e) MUST_CHECK;

// ---- An operation, for the files of onnx_run_*.c

enum { ONNX_RUN_IN = 16, ONNX_RUN_OUT = 16 };

typedef struct onnx_step {
    const onnx_node *node;
    int n_in, n_out;
    const onnx_array *in[ONNX_RUN_IN]; // NULL: left out
    onnx_array out[ONNX_RUN_OUT];
    arena *a;
} onnx_step;

typedef bool onnx_step_fn(onnx_step *s); // false: these shapes or types do not fit

// Room for out[k], whose rank and dim are set.
float *onnx_step_f32(onnx_step *s, int k);
int64_t *onnx_step_i64(onnx_step *s, int k);
const onnx_attr *onnx_step_attr(const onnx_step *s, const char *name);
int64_t onnx_step_int(const onnx_step *s, const char *name, int64_t fallback);
int onnx_step_axis(int64_t axis, int rank); // -1: there is no such axis

onnx_step_fn onnx_run_matmul, onnx_run_gemm, onnx_run_lstm, onnx_run_conv, onnx_run_average_pool,
    onnx_run_global_average_pool, onnx_run_layer_norm, onnx_run_softmax, onnx_run_reduce_sum,
    onnx_run_dequantize;
onnx_step_fn onnx_run_binary, onnx_run_unary, onnx_run_cast, onnx_run_transpose, onnx_run_reshape,
    onnx_run_squeeze, onnx_run_unsqueeze, onnx_run_concat, onnx_run_slice, onnx_run_split,
    onnx_run_gather, onnx_run_expand, onnx_run_shape, onnx_run_range, onnx_run_trilu,
    onnx_run_identity;

#endif
