// SPDX-License-Identifier: GPL-3.0-or-later
// mil_run_internal.h: what the translations of mil_run_ops.c see of an operation, and how they say
// nodes (mil_run.c). Arguments are constants of the program mostly: they become attributes. A
// translation that does not find what it needs says no.
#ifndef KMIDI_EXPORT_MIL_RUN_INTERNAL_H
#define KMIDI_EXPORT_MIL_RUN_INTERNAL_H

#include "export/mil_run.h"

typedef struct mil_work {
    const mil_program *p;
    onnx_model *m;
    const mil_op *op;
    arena *arena;
    int fresh;
} mil_work;

// ---- What the operation says

const mil_arg *mil_arg_of(const mil_op *q, const char *name);      // NULL: there is none
const char *mil_value_of(const mil_work *w, const char *arg);      // NULL: none, or several
const mil_type *mil_type_of(const mil_work *w, const char *value); // NULL: nobody makes it
const mil_op *mil_constant_of(const mil_work *w, const char *arg, mil_kind kind);
const int64_t *mil_ints_of(mil_work *w, const char *arg, int *n); // NULL: they are not there
bool mil_int_of(mil_work *w, const char *arg, int64_t *v);
bool mil_float_of(const mil_work *w, const char *arg, float *v); // of either width
bool mil_is_set(const mil_work *w, const char *arg);
bool mil_says(const mil_work *w, const char *arg, const char *text);

// ---- Nodes. What comes out is the name of a value.

const char *mil_fresh(mil_work *w);
const char *mil_node(mil_work *w, const char *op, int n_in, const char *const *in, int n_attr,
                     const onnx_attr *attrs);
void mil_nodes(mil_work *w, const char *op, int n_in, const char *const *in, int n_out,
               const char **out, const onnx_attr *attr); // of several outputs, which get names
const char *mil_two(mil_work *w, const char *op, const char *x, const char *y);
const char *mil_one(mil_work *w, const char *op, const char *x, const onnx_attr *attr);
onnx_attr mil_int_attr(const char *name, int64_t v);
onnx_attr mil_ints_attr(const char *name, int n, const int64_t *v);
// A constant that lives as long as the model.
const char *mil_tensor(mil_work *w, int type, int rank, const int64_t *dim, const void *data);
const char *mil_number(mil_work *w, float v);
const char *mil_whole(mil_work *w, int n, const int64_t *v);
void mil_give_node(mil_work *w, int k, const char *y); // the k-th output, rounded to its kind

typedef struct mil_translation {
    const char *type; // NULL behind the last
    bool (*say)(mil_work *w);
} mil_translation;

extern const mil_translation mil_translations[]; // mil_run_ops.c

#endif
