// SPDX-License-Identifier: GPL-3.0-or-later
// mil.h: a Core ML program in plain structs (MIL, Apple's intermediate language of ML programs),
// and its package on disk. https://apple.github.io/coremltools/docs-guides/source/ml-programs.html
//
// A program is a list of operations, each with named arguments; a constant is an operation of its
// own, "const". Arrays of numbers lie in a file beside the program (mil_file.c), all of them:
// Core ML aborts on halves that stand in a program itself.
//
//     mil_program *p = mil_open(&arena);
//     const char *x = mil_input(p, "x", &(mil_type){MIL_F32, 2, {1, 8}});
//     mil_call c = mil_begin(p, "softmax");
//     mil_put(&c, "x", x);
//     mil_put_int(&c, "axis", -1);
//     const char *y = mil_give(&c, "y", &(mil_type){MIL_F32, 2, {1, 8}});
//     mil_finish(&c);
//     mil_output(p, y, ...);
//     mil_write(p, "softmax.mlpackage", &bytes, e)
//
// What is passed in is copied, except the numbers of arrays, which live as long as the program.
#ifndef KMIDI_EXPORT_MIL_H
#define KMIDI_EXPORT_MIL_H

#include "base/meta.h"
#include "base/names.h"

#define MIL_WIDENED "constexpr_cast" // a constant of F32 whose numbers are halves

enum { MIL_RANK = 5, MIL_ARGS = 16, MIL_OUTS = 8 }; // 5: the most axes that Core ML has

// Numbers of the format's DataType.
typedef enum mil_kind {
    MIL_BOOL = 1,
    MIL_STRING = 2,
    MIL_F16 = 10,
    MIL_F32 = 11,
    MIL_I32 = 23
} mil_kind;

typedef struct mil_type {
    mil_kind kind;
    int rank;
    int64_t dim[MIL_RANK];
} mil_type;

typedef struct mil_value {
    const char *name;
    mil_type type;
} mil_value;

typedef struct mil_arg {
    const char *name;
    int n;
    const char **values; // names; several: a tuple
} mil_arg;

typedef struct mil_op {
    const char *type;
    int n_args, n_out;
    mil_arg *args;
    mil_value *out;
    const void *data; // of a constant: text, bool, int32_t, float, or f16, as mil_stored says
    int64_t blob;     // where its record lies in the file of numbers; 0: in the program itself
} mil_op;

typedef struct mil_program {
    arena *arena;
    name_set taken;
    int n_ops, cap_ops, n_inputs, n_outputs;
    mil_op *ops;
    mil_value inputs[MIL_ARGS], outputs[MIL_OUTS];
    int n_blobs;
    int64_t blob_bytes; // of the file of numbers so far, with its head
    const char *summary;
    model_meta meta;   // for who opens the model
    int specification; // of a package that was read
} mil_program;

mil_program *mil_open(arena *a);
int64_t mil_count(const mil_type *t); // elements
int64_t mil_bytes(const mil_type *t); // of them as numbers in a file; 0: of words and truths
mil_type mil_stored(const mil_op *q); // of a constant's data: halves where they are widened

// ---- Building. A name that comes out is what the format allows ([A-Za-z_][A-Za-z0-9_]*), and new.
void mil_reserve(mil_program *p, const char *name); // of an output, so that nobody takes it
const char *mil_input(mil_program *p, const char *name, const mil_type *t);
void mil_output(mil_program *p, const char *name, const mil_type *t);
// An array of F16 (f16), F32 or I32 numbers, "weight" or whatever it is called.
const char *mil_array(mil_program *p, const char *name, const mil_type *t, const void *data);

// One of F32 whose numbers (f16) are widened when the program is loaded.
const char *mil_widened(mil_program *p, const char *name, const mil_type *t, const void *halves);

typedef struct mil_call {
    mil_program *program;
    const char *type;
    int n_args, n_out;
    mil_arg args[MIL_ARGS];
    mil_value out[MIL_OUTS];
} mil_call;

mil_call mil_begin(mil_program *p, const char *type);
void mil_put(mil_call *c, const char *arg, const char *value);
void mil_put_tuple(mil_call *c, const char *arg, int n, const char *const *values);
void mil_put_bool(mil_call *c, const char *arg, bool v);
void mil_put_text(mil_call *c, const char *arg, const char *v);
void mil_put_int(mil_call *c, const char *arg, int64_t v);
void mil_put_ints(mil_call *c, const char *arg, int n, const int64_t *v);
void mil_put_float(mil_call *c, const char *arg, mil_kind kind, float v);
// The next output; its name.
const char *mil_give(mil_call *c, const char *name, const mil_type *t);
// The next output under exactly this name, which was reserved.
void mil_give_as(mil_call *c, const char *name, const mil_type *t);
void mil_finish(const mil_call *c); // behind all operations so far

// ---- The package: a folder PATH with Manifest.json, which is there when all else is. Replaces
// what was there under these names. *bytes: of the program
// and its numbers.
bool mil_write(const mil_program *p, const char *path, int64_t *bytes, err *e) MUST_CHECK;

bool mil_is_package(const char *path); // a folder that is called so
// mil_read.c: any package, however damaged; owned by `a`. A constant of a kind that has no place
// above has no data. ERR_FORMAT: no ML program; ERR_DAMAGED names what is wrong.
mil_program *mil_read(const char *path, arena *a, err *e) MUST_CHECK;
// The same from memory: the model, and its file of numbers.
mil_program *mil_decode(const char *path, const void *model, size_t n, const void *blobs,
                        size_t n_blobs, arena *a, err *e) MUST_CHECK;

// mil_check.c: names in order and given once, arguments that are there, sizes that can be, outputs
// that something makes.
bool mil_check(const mil_program *p, const char *path, err *e) MUST_CHECK;
// The first operation in which the two differ, or -1; `q` read back must be what was written.
int mil_differs(const mil_program *p, const mil_program *q);

#endif
