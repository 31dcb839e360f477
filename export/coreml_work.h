// SPDX-License-Identifier: GPL-3.0-or-later
// coreml_work.h: a network in portable nodes (an ONNX model whose sizes are all numbers) on its way
// into a program of Core ML.
//
//     coreml_work *w = coreml_work_open(model, program, MIL_F16, &arena, e);
//     const char *y = coreml_say(w, coreml_find(w, "embedding"), MIL_F32);
//
// Nodes are translated when what they make is asked for, so that a translation may look behind its
// inputs (an activation that is one operation in Core ML) and leave out what it does itself.
//
// A value is said in a kind: what is computed in halves may be asked for in f32. What only changes
// shapes (Reshape, Squeeze ..) makes no operation: such a value is another's numbers, `same`, and
// its shape matters only to who reads it. So the maps of seven axes between two reshapes, which
// Core ML does not have, never appear.
#ifndef KMIDI_EXPORT_COREML_WORK_H
#define KMIDI_EXPORT_COREML_WORK_H

#include "export/mil.h"
#include "export/onnx_file.h"
#include "export/onnx_rules.h"

enum { COREML_KINDS = 3 };

typedef struct coreml_value {
    const char *name;
    onnx_known like; // its shape, and integers where they are known
    bool whole;      // it holds integers
    bool wide;       // it is computed in f32 whatever the rest is in
    const onnx_node *from;
    // numbers of a constant, one of the two; neither: it is computed
    const float *floats;
    const int64_t *ints;
    struct coreml_value *same;      // whose numbers it has in a shape of its own; NULL: nobody's
    const char *said[COREML_KINDS]; // its name in the program, by kind; NULL: not said yet
} coreml_value;

typedef struct coreml_work {
    arena *arena;
    mil_program *program;
    mil_kind form; // of what is computed: MIL_F32 or MIL_F16
    bool halved;   // weights stand in halves, whatever they are computed with in
    coreml_value *values;
    int n_values;
    const coreml_value **slots; // open addressing, by name
    size_t n_slots;
    err *e;
    bool failed; // `e` says why; what comes out then means nothing
} coreml_work;

// Every value with its shape; constants of constants computed (coreml_fold.c).
coreml_work *coreml_work_open(const onnx_model *m, mil_program *p, mil_kind form, arena *a, err *e);
coreml_value *coreml_find(const coreml_work *w, const char *name);
bool coreml_fixed(const coreml_value *v); // a constant
int64_t coreml_count(const coreml_value *v);
mil_kind coreml_kind(const coreml_work *w, const coreml_value *v); // in which it is computed

// Its name in the program; "" where that failed.
const char *coreml_say(coreml_work *w, coreml_value *v, mil_kind kind);
// The same numbers in another shape, as long.
const char *coreml_say_as(coreml_work *w, coreml_value *v, mil_kind kind, int rank,
                          const int64_t *dim);
// v has the numbers of `of` in a shape of its own.
void coreml_same(coreml_work *w, coreml_value *v, coreml_value *of);
// A value that no node has, of this shape; it must be said before it is read.
coreml_value *coreml_fresh(coreml_work *w, const char *name, int rank, const int64_t *dim);
// v is this name in the program.
void coreml_said(coreml_value *v, mil_kind kind, const char *name);
// The next output of a call is v, in `kind`.
void coreml_give(coreml_work *w, mil_call *c, coreml_value *v, mil_kind kind);
void coreml_fail(coreml_work *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// ---- coreml_fold.c: what a node makes of constants, where it is one that this can do; of sizes.
void coreml_fold(coreml_work *w, const onnx_node *n);
// ---- coreml.c: says what a node makes (coreml_ops.h).
void coreml_translate(coreml_work *w, const onnx_node *n);

#endif
