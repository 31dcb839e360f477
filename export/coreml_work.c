// SPDX-License-Identifier: GPL-3.0-or-later
// coreml_work.c: values by name, and how they are said in a program: constants in the file of
// numbers, shapes and kinds changed where a reader wants them so.
#include "export/coreml_work.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/f16.h"

enum { HALVED = 256 }; // weights from which on they are worth it, as of quantise.h

void coreml_fail(coreml_work *w, const char *fmt, ...)
{
    char text[256];
    va_list args;
    if (w->failed)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    w->failed = true;
    (void)err_set(w->e, ERR_VALUE, "%s", text);
}

// ---- Values

static const coreml_value **slot_of(const coreml_work *w, const char *name)
{
    size_t h = 14695981039346656037u;
    for (const char *s = name; *s; s++)
        h = (h ^ (uint8_t)*s) * 1099511628211u;
    size_t i = h & (w->n_slots - 1);
    while (w->slots[i] && strcmp(w->slots[i]->name, name))
        i = (i + 1) & (w->n_slots - 1);
    return &w->slots[i];
}

coreml_value *coreml_find(const coreml_work *w, const char *name)
{
    const coreml_value *v = *slot_of(w, name);
    CHECK(v);
    return (coreml_value *)v;
}

static coreml_value *add_value(coreml_work *w, const char *name)
{
    const coreml_value **slot = slot_of(w, name);
    CHECK(!*slot);
    coreml_value *v = &w->values[w->n_values++];
    *v = (coreml_value){.name = name, .like = {.rank = -1, .n = -1}};
    *slot = v;
    return v;
}

bool coreml_fixed(const coreml_value *v)
{
    return v->floats || v->ints;
}

static int64_t count_of(int rank, const int64_t *dim)
{
    int64_t n = 1;
    for (int k = 0; k < rank; k++)
        n *= dim[k];
    return n;
}

int64_t coreml_count(const coreml_value *v)
{
    return count_of(v->like.rank, v->like.dim);
}

mil_kind coreml_kind(const coreml_work *w, const coreml_value *v)
{
    return v->whole ? MIL_I32 : v->wide ? MIL_F32 : w->form;
}

coreml_value *coreml_fresh(coreml_work *w, const char *name, int rank, const int64_t *dim)
{
    coreml_value *v = NEW(w->arena, coreml_value, 1);
    *v = (coreml_value){.name = name, .like = {.rank = rank, .n = -1}};
    memcpy(v->like.dim, dim, sizeof *dim * (size_t)rank);
    return v;
}

// ---- The model

static void add_tensor(coreml_work *w, const onnx_tensor *t)
{
    coreml_value *v = add_value(w, t->name);
    int64_t n = count_of(t->rank, t->dim);
    v->like.rank = t->rank;
    memcpy(v->like.dim, t->dim, sizeof v->like.dim);
    v->whole = t->type != ONNX_FLOAT;
    if (!v->whole) {
        v->floats = t->data;
        return;
    }
    int64_t *ints = NEW(w->arena, int64_t, (size_t)n + 1);
    for (int64_t i = 0; i < n; i++)
        ints[i] =
            t->type == ONNX_INT64 ? ((const int64_t *)t->data)[i] : ((const int32_t *)t->data)[i];
    v->ints = ints;
    if (t->rank <= 1 && n <= RULE_DATA)
        memcpy(v->like.data, ints, (size_t)n * sizeof *ints), v->like.n = (int)n;
}

static bool is_whole(const coreml_work *w, const onnx_node *n)
{
    int64_t to = onnx_attr_value(n, "to", ONNX_FLOAT);
    return !strcmp(n->op, "Cast")    ? to == ONNX_INT64 || to == ONNX_INT32
           : !strcmp(n->op, "Shape") ? true
                                     : coreml_find(w, n->in[0])->whole;
}

// Shapes and kinds of a node's outputs, and their numbers where they are known.
static void add_node(coreml_work *w, const onnx_node *n)
{
    static const onnx_known none = {.rank = 0, .n = -1};
    rule_call c = {.node = n};
    CHECK(n->n_in <= RULE_IN && n->n_out <= RULE_OUT);
    for (int i = 0; i < n->n_in; i++)
        c.in[i] = *n->in[i] ? &coreml_find(w, n->in[i])->like : &none;
    for (int i = 0; i < n->n_out; i++) {
        coreml_value *v = add_value(w, n->out[i]);
        v->from = n, v->whole = is_whole(w, n);
        c.out[i] = &v->like;
    }
    onnx_rule_apply(&c);
    for (int i = 0; i < n->n_out; i++)
        if (c.out[i]->rank < 0)
            coreml_fail(w, "the operation '%s' has no CoreML form; export as onnx", n->op);
    if (!w->failed)
        coreml_fold(w, n);
}

coreml_work *coreml_work_open(const onnx_model *m, mil_program *p, mil_kind form, arena *a, err *e)
{
    coreml_work *w = NEW(a, coreml_work, 1);
    size_t most = (size_t)(m->n_tensors + m->n_inputs + 1);
    for (int i = 0; i < m->n_nodes; i++)
        most += (size_t)m->nodes[i].n_out;
    *w = (coreml_work){.arena = a, .program = p, .form = form, .e = e, .n_slots = 1024};
    while (w->n_slots < 2 * most)
        w->n_slots *= 2;
    w->slots = NEW(a, const coreml_value *, w->n_slots);
    w->values = NEW(a, coreml_value, most);
    for (int i = 0; i < m->n_tensors; i++)
        add_tensor(w, &m->tensors[i]);
    for (int i = 0; i < m->n_inputs; i++) {
        const onnx_value *q = &m->inputs[i];
        coreml_value *v = add_value(w, q->name);
        v->like.rank = q->rank;
        memcpy(v->like.dim, q->dim, sizeof v->like.dim);
        v->whole = q->type != ONNX_FLOAT;
    }
    for (int i = 0; i < m->n_nodes && !w->failed; i++)
        add_node(w, &m->nodes[i]);
    return w;
}

// ---- Saying a value

static int slot_of_kind(mil_kind kind)
{
    return kind == MIL_F32 ? 0 : kind == MIL_F16 ? 1 : 2;
}

void coreml_said(coreml_value *v, mil_kind kind, const char *name)
{
    v->said[slot_of_kind(kind)] = name;
}

static bool take_type(coreml_work *w, const char *name, mil_kind kind, int rank, const int64_t *dim,
                      mil_type *t)
{
    *t = (mil_type){.kind = kind, .rank = rank};
    if (rank > MIL_RANK)
        coreml_fail(w, "'%s' has %d axes, and CoreML has no more than %d; export as onnx", name,
                    rank, MIL_RANK);
    for (int k = 0; k < rank && !w->failed; k++)
        t->dim[k] = dim[k];
    return !w->failed;
}

void coreml_give(coreml_work *w, mil_call *c, coreml_value *v, mil_kind kind)
{
    mil_type t;
    if (take_type(w, v->name, kind, v->like.rank, v->like.dim, &t))
        coreml_said(v, kind, mil_give(c, v->name, &t));
}

// A mask's minus infinity becomes a number that is as far away: accelerators make a NaN of the
// difference of two infinities, and e^-30000 is nothing, too.
static float bounded(float x)
{
    enum { FAR = 30000 };
    return isinf(x) ? copysignf(FAR, x) : x;
}

static const void *numbers_in(coreml_work *w, const coreml_value *v, mil_kind kind)
{
    int64_t n = coreml_count(v);
    void *out = arena_alloc(w->arena, (size_t)n + 1, sizeof(float));
    for (int64_t i = 0; i < n; i++) {
        if (v->ints) {
            ((int32_t *)out)[i] = (int32_t)v->ints[i];
            continue;
        }
        float x = bounded(v->floats[i]);
        if (kind == MIL_F32)
            ((float *)out)[i] = x;
        else if (fabsf(x) <= F16_MOST)
            ((f16 *)out)[i] = f16_round(x);
        else
            coreml_fail(w, "'%s' holds %g, which is beyond the numbers of 16 bits; add --f32",
                        v->name, (double)x);
    }
    return out;
}

// It is a weight, not computed by a formula, and large enough to matter; or it loses nothing, as
// masks do.
static bool fits_halves(const coreml_value *v)
{
    int64_t n = coreml_count(v);
    if (!v->floats || v->like.rank < 2 || n < HALVED)
        return false;
    bool same = v->from != NULL;
    for (int64_t i = 0; same && i < n; i++)
        same = f16_widen(f16_round(bounded(v->floats[i]))) == bounded(v->floats[i]);
    return same || !v->from;
}

static const char *say_constant(coreml_work *w, coreml_value *v, mil_kind kind)
{
    mil_type t;
    if (!take_type(w, v->name, kind, v->like.rank, v->like.dim, &t))
        return "";
    bool widened = kind == MIL_F32 && w->halved && fits_halves(v);
    const void *numbers = numbers_in(w, v, widened ? MIL_F16 : kind);
    if (w->failed)
        return "";
    return widened ? mil_widened(w->program, v->name, &t, numbers)
                   : mil_array(w->program, v->name, &t, numbers);
}

static const char *say_cast(coreml_work *w, const coreml_value *v, const char *x, mil_kind kind)
{
    static const char *const names[] = {"fp32", "fp16", "int32"};
    mil_type t;
    if (!take_type(w, v->name, kind, v->like.rank, v->like.dim, &t))
        return "";
    mil_call c = mil_begin(w->program, "cast");
    mil_put(&c, "x", x);
    mil_put_text(&c, "dtype", names[slot_of_kind(kind)]);
    const char *y = mil_give(&c, v->name, &t);
    mil_finish(&c);
    return y;
}

static const char *say_reshaped(coreml_work *w, coreml_value *of, const char *name, mil_kind kind,
                                int rank, const int64_t *dim)
{
    mil_type t;
    const char *x = coreml_say(w, of, kind);
    if (!take_type(w, name, kind, rank, dim, &t))
        return "";
    mil_call c = mil_begin(w->program, "reshape");
    mil_put(&c, "x", x);
    mil_put_ints(&c, "shape", rank, dim);
    const char *y = mil_give(&c, name, &t);
    mil_finish(&c);
    return y;
}

static bool same_dims(const coreml_value *v, int rank, const int64_t *dim)
{
    return v->like.rank == rank && !memcmp(v->like.dim, dim, sizeof *dim * (size_t)rank);
}

// What a node makes, once it has been translated.
static void reach(coreml_work *w, const coreml_value *v)
{
    bool said = v->same || coreml_fixed(v);
    for (int i = 0; i < COREML_KINDS; i++)
        said = said || v->said[i];
    if (said || w->failed)
        return;
    CHECK(v->from);
    coreml_translate(w, v->from);
}

const char *coreml_say(coreml_work *w, coreml_value *v, mil_kind kind)
{
    const char **name = &v->said[slot_of_kind(kind)];
    reach(w, v);
    if (w->failed)
        return "";
    if (*name)
        return *name;
    if (coreml_fixed(v))
        *name = say_constant(w, v, kind);
    else if (v->same)
        *name = same_dims(v->same, v->like.rank, v->like.dim)
                    ? coreml_say(w, v->same, kind)
                    : say_reshaped(w, v->same, v->name, kind, v->like.rank, v->like.dim);
    else
        for (int i = 0; i < COREML_KINDS && !*name; i++)
            if (v->said[i])
                *name = say_cast(w, v, v->said[i], kind);
    return w->failed ? "" : *name;
}

const char *coreml_say_as(coreml_work *w, coreml_value *v, mil_kind kind, int rank,
                          const int64_t *dim)
{
    reach(w, v);
    if (same_dims(v, rank, dim))
        return coreml_say(w, v, kind);
    coreml_value *root = v->same ? v->same : v;
    return same_dims(root, rank, dim) ? coreml_say(w, root, kind)
                                      : say_reshaped(w, root, v->name, kind, rank, dim);
}

void coreml_same(coreml_work *w, coreml_value *v, coreml_value *of)
{
    reach(w, of);
    v->same = of->same ? of->same : of;
}
