// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_run.h: an ONNX file of ours run by ourselves, an operation after the other: the proof that
// it says what was meant, where no other runtime is at hand. It has the operations that our files
// need (onnx_run_step.c lists them), in f32 and 64-bit numbers whatever the file's.
//
//     onnx_model *m = onnx_read("emotion.onnx", &arena, e);
//     onnx_runner *r = onnx_runner_open(m, NULL, &arena, e);
//     onnx_named in[] = {{"mel", onnx_array_f32(3, (int64_t[]){1, 20, 128}, mel)}},
//                out[] = {{.name = "embedding"}};
//     onnx_runner_go(r, 1, in, 1, out, &arena, e)
//     onnx_runner_close(r);
//
// Only what leads from the values that are given to those that are asked for is run: either may
// lie inside the graph. Memory is of the values that are still to be read.
#ifndef KMIDI_EXPORT_ONNX_RUN_H
#define KMIDI_EXPORT_ONNX_RUN_H

#include "base/env.h"
#include "export/onnx_file.h"

// Numbers that an operation made, behind it, which several values may share; gone with the last of
// them.
typedef struct onnx_block {
    int64_t users;
    char pad[56];
} onnx_block;

// One of the three is there. Row-major.
typedef struct onnx_array {
    int rank;
    int64_t dim[ONNX_RANK];
    int64_t n;
    const float *f;    // FLOAT, FLOAT16, DOUBLE
    const int64_t *i;  // INT64, INT32, UINT8, BOOL
    const int8_t *b;   // INT8
    onnx_block *block; // whose numbers these are, among a runner's; NULL: nobody counts
} onnx_array;

onnx_array onnx_array_f32(int rank, const int64_t *dim, const float *f);
onnx_array onnx_array_i64(int rank, const int64_t *dim, const int64_t *i);

typedef struct onnx_named {
    const char *name;
    onnx_array x;
} onnx_named;

typedef struct onnx_runner onnx_runner;

// What is made of constants alone is computed here, once. `v`: products by the libraries of its
// kit, on its threads; NULL: by three loops, whose sums are in f64. ERR_VALUE: a constant of a type
// that has no place here, or an operation that is not among ours.
onnx_runner *onnx_runner_open(const onnx_model *m, const env *v, arena *a, err *e) MUST_CHECK;
// Fills out[].x, owned by `a`. ERR_VALUE where what is given does not fit, or is too little.
bool onnx_runner_go(onnx_runner *r, int n_in, const onnx_named *in, int n_out, onnx_named *out,
                    arena *a, err *e) MUST_CHECK;
bool onnx_runner_find(const onnx_runner *r, const char *name); // there is such a value
void onnx_runner_close(onnx_runner *r);                        // accepts NULL

// All of it, once: `in`, one for each input of the model, in their order; out: the first output.
bool onnx_run(const onnx_model *m, const onnx_array *in, onnx_array *out, arena *a,
              err *e) MUST_CHECK;

// ---- An operation, for the files of onnx_run_*.c

enum { ONNX_RUN_IN = 16, ONNX_RUN_OUT = 16 };

typedef struct onnx_step {
    const onnx_node *node;
    int n_in, n_out;
    const onnx_array *in[ONNX_RUN_IN]; // NULL: left out
    onnx_array out[ONNX_RUN_OUT];
    const env *env; // as onnx_runner_open
    arena *a;       // scratch
} onnx_step;

typedef bool onnx_step_fn(onnx_step *s); // false: these shapes or types do not fit

onnx_step_fn *onnx_step_find(const char *op); // NULL: it is none of ours

// Room for out[k], whose rank and dim are set.
float *onnx_step_f32(onnx_step *s, int k);
int64_t *onnx_step_i64(onnx_step *s, int k);
const onnx_attr *onnx_step_attr(const onnx_step *s, const char *name);
int64_t onnx_step_int(const onnx_step *s, const char *name, int64_t fallback);
int onnx_step_axis(int64_t axis, int rank); // -1: there is no such axis
// y [rows, n] += x [rows, k] w [k, n], or (turned) w [n, k].
void onnx_step_product(const onnx_step *s, const float *x, const float *w, bool turned,
                       int64_t rows, int64_t k, int64_t n, float *y);
bool onnx_step_broadcast(const onnx_array *a, const onnx_array *b, onnx_array *y);
// Steps of x in each axis of a shape over which it is broadcast, and where element i of that lies.
void onnx_step_strides(const onnx_array *x, int rank, int64_t *stride);
int64_t onnx_step_place(const onnx_array *y, int64_t i, const int64_t *stride);

onnx_step_fn onnx_run_matmul, onnx_run_gemm, onnx_run_lstm, onnx_run_conv, onnx_run_average_pool,
    onnx_run_global_average_pool, onnx_run_layer_norm, onnx_run_softmax;
onnx_step_fn onnx_run_binary, onnx_run_unary, onnx_run_cast, onnx_run_where, onnx_run_reduce;
onnx_step_fn onnx_run_dequantize, onnx_run_quantize, onnx_run_matmul_integer;
onnx_step_fn onnx_run_transpose, onnx_run_reshape, onnx_run_squeeze, onnx_run_unsqueeze,
    onnx_run_concat, onnx_run_slice, onnx_run_split, onnx_run_gather, onnx_run_expand,
    onnx_run_shape, onnx_run_range, onnx_run_trilu, onnx_run_identity, onnx_run_pad, onnx_run_dft;

#endif
