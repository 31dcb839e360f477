// SPDX-License-Identifier: GPL-3.0-or-later
// emitter.c: names, constants and the order of nodes. Parameters keep their names; values in
// between are called after the op that makes them.
//
// A parameter becomes a constant when an op asks for its name; one that is only read by
// emit_param_values (LSTM gates) or emit_transposed (weights of linear layers over sequences) goes
// into the file in its rearranged form alone. Rearranged copies belong to the arena, parameters are
// shared.
#include "autograd/emitter.h"

#include <string.h>

#include "autograd/op.h"
#include "base/names.h"

// What nobody has asked for yet: how it is said, and, of a Transpose, of what.
typedef struct put_off {
    emit_fn *say;     // NULL: none
    const char *from; // NULL: the maker's input 0
    int rank;
    int64_t perm[RANK_MAX];
} put_off;

struct emitter {
    const emit_form *form;
    void *to;
    const graph *g;
    const params *p;
    arena *arena;
    name_set taken;
    const char **value;      // by tensor id: its name in the file, NULL while it has none
    const char **transposed; // by tensor id: the constant that is its transpose
    const char **call;       // by tensor id: the name it must get, NULL for any
    put_off *later;          // by tensor id
};

emitter *emitter_make(const emit_form *form, void *to, const graph *g, const params *p, arena *a)
{
    emitter *m = NEW(a, emitter, 1);
    size_t n = (size_t)graph_tensors(g) + 1;
    *m = (emitter){.form = form, .to = to, .g = g, .p = p, .arena = a, .taken = {.arena = a}};
    m->value = NEW(a, const char *, n);
    m->call = NEW(a, const char *, n);
    m->transposed = NEW(a, const char *, n);
    m->later = NEW(a, put_off, n);
    // A parameter's name is spoken for even if it appears only later.
    for (int i = 0; p && i < p->n; i++)
        (void)name_set_add(&m->taken, p->list[i].name);
    return m;
}

void emitter_bind(emitter *m, const tensor *t, const char *name)
{
    m->value[t->id] = arena_strdup(m->arena, name);
}

const char *emitter_name(const emitter *m, const tensor *t)
{
    CHECK(m->value[t->id]);
    return m->value[t->id];
}

bool emitter_reserve(emitter *m, const char *name)
{
    return name_set_add(&m->taken, arena_strdup(m->arena, name));
}

// ---- Values

static void put_constant(emitter *m, const char *name, emit_type type, const shape *s,
                         const void *data, size_t bytes)
{
    m->form->constant(m->to, &(emit_constant){name, type, *s, data, bytes});
}

static const void *tensor_bytes(const emitter *m, const tensor *t)
{
    return t->kind == TENSOR_PARAM   ? params_at(m->p, t->param)
           : t->kind == TENSOR_CONST ? t->data
                                     : NULL;
}

const char *emit_fresh(emitter *m, const char *hint)
{
    if (name_set_add(&m->taken, arena_strdup(m->arena, hint)))
        return arena_strdup(m->arena, hint);
    for (int k = 1;; k++) {
        char *name = arena_printf(m->arena, "%s_%d", hint, k);
        if (name_set_add(&m->taken, name))
            return name;
    }
}

// The name that t gets.
static const char *name_value(emitter *m, const tensor *t, const char *hint)
{
    if (!m->value[t->id])
        m->value[t->id] = m->call[t->id] ? m->call[t->id] : emit_fresh(m, hint);
    return m->value[t->id];
}

// Says what was put off for t, if anything was.
static bool say_now(emitter *m, const tensor *t)
{
    const put_off *by = &m->later[t->id];
    if (!by->say || m->value[t->id])
        return false;
    by->say(t->from, m);
    return true;
}

const char *emit_in(emitter *m, const node *n, int i)
{
    const tensor *t = n->in[i];
    if (!t)
        return "";
    if (m->value[t->id] || say_now(m, t))
        return m->value[t->id];
    const void *bytes = tensor_bytes(m, t);
    CHECK(bytes); // a computed value comes before its use, inputs are bound
    m->value[t->id] =
        t->kind == TENSOR_PARAM ? m->p->list[t->param].name : emit_fresh(m, "constant");
    put_constant(m, m->value[t->id], t->type == DT_I32 ? EMIT_I32 : EMIT_F32, &t->shape, bytes,
                 (size_t)shape_count(t->shape) * dtype_size(t->type));
    return m->value[t->id];
}

const char *emit_out(emitter *m, const node *n, int i)
{
    return name_value(m, n->out[i], n->op->name);
}

void emit_later(emitter *m, const node *n, emit_fn *say)
{
    for (int i = 0; i < n->n_out; i++)
        m->later[n->out[i]->id] = (put_off){.say = say};
}

static const char *permuted_from(emitter *m, const node *n)
{
    const put_off *by = &m->later[n->out[0]->id];
    return by->from ? by->from : emit_in(m, n, 0);
}

static void say_permuted(const node *n, emitter *m)
{
    const put_off *by = &m->later[n->out[0]->id];
    const char *from = permuted_from(m, n), *out = emit_out(m, n, 0);
    emit_node(m, "Transpose", 1, &from, 1, &out, 1,
              &(emit_attr){.name = "perm", .kind = EMIT_INTS, .ints = by->perm, .n = by->rank});
}

void emit_out_permuted(emitter *m, const node *n, const char *from, int rank, const int64_t perm[])
{
    put_off *by = &m->later[n->out[0]->id];
    *by = (put_off){say_permuted, from ? arena_strdup(m->arena, from) : NULL, rank, {0}};
    for (int k = 0; k < rank; k++)
        by->perm[k] = perm[k];
}

const char *emit_in_permuted(emitter *m, const node *n, int i, int rank, const int64_t perm[])
{
    const put_off *by = &m->later[n->in[i]->id];
    bool undone = by->say == say_permuted && by->rank == rank;
    for (int k = 0; undone && k < rank; k++)
        undone = by->perm[perm[k]] == k;
    if (undone)
        return permuted_from(m, n->in[i]->from);
    return emit_op(m, "Transpose", 1, (const char *[]){emit_in(m, n, i)}, 1,
                   &(emit_attr){.name = "perm", .kind = EMIT_INTS, .ints = perm, .n = rank});
}

const float *emit_param_values(emitter *m, const node *n, int i)
{
    return n->in[i] && n->in[i]->type == DT_F32 ? tensor_bytes(m, n->in[i]) : NULL;
}

// [rows, columns] -> [columns, rows]
static const float *transposed_values(emitter *m, const float *w, int64_t rows, int64_t columns)
{
    float *out = NEW(m->arena, float, (size_t)(rows * columns) + 1);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < columns; k++)
            out[k * rows + i] = w[i * columns + k];
    return out;
}

const char *emit_transposed(emitter *m, const node *n, int i)
{
    const tensor *t = n->in[i];
    const float *w = emit_param_values(m, n, i);
    CHECK(t->shape.rank == 2);
    if (!w) {
        const int64_t perm[] = {1, 0};
        return emit_op(m, "Transpose", 1, (const char *[]){emit_in(m, n, i)}, 1,
                       &(emit_attr){.name = "perm", .kind = EMIT_INTS, .ints = perm, .n = 2});
    }
    if (m->transposed[t->id])
        return m->transposed[t->id];
    shape s = shape_of(2, t->shape.d[1], t->shape.d[0]);
    const char *own = t->kind == TENSOR_PARAM ? m->p->list[t->param].name : "constant";
    m->transposed[t->id] = emit_fresh(m, arena_printf(m->arena, "%s.transposed", own));
    put_constant(m, m->transposed[t->id], EMIT_F32, &s,
                 transposed_values(m, w, t->shape.d[0], t->shape.d[1]),
                 (size_t)shape_count(s) * sizeof(float));
    return m->transposed[t->id];
}

// ---- Constants

const char *emit_i64(emitter *m, int n, const int64_t *values)
{
    int64_t *copy = NEW(m->arena, int64_t, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        copy[i] = values[i];
    const char *name = emit_fresh(m, "constant");
    shape s = {.rank = 1, .d = {n}};
    put_constant(m, name, EMIT_I64, &s, copy, (size_t)n * sizeof *copy);
    return name;
}

const char *emit_i64_scalar(emitter *m, int64_t value)
{
    int64_t *copy = NEW(m->arena, int64_t, 1);
    *copy = value;
    const char *name = emit_fresh(m, "constant");
    put_constant(m, name, EMIT_I64, &(shape){.rank = 0}, copy, sizeof *copy);
    return name;
}

const char *emit_f32(emitter *m, int rank, const int64_t *dims, const float *values)
{
    shape s = {.rank = rank};
    for (int i = 0; i < rank; i++)
        s.d[i] = dims[i];
    size_t n = (size_t)shape_count(s);
    float *copy = NEW(m->arena, float, n + 1);
    memcpy(copy, values, n * sizeof *copy);
    const char *name = emit_fresh(m, "constant");
    put_constant(m, name, EMIT_F32, &s, copy, n * sizeof *copy);
    return name;
}

// ---- Nodes

void emit_node(emitter *m, const char *op, int n_in, const char *const in[], int n_out,
               const char *const out[], int n_attr, const emit_attr *attrs)
{
    CHECK(n_out >= 1);
    m->form->node(m->to, &(emit_call){op, n_in, n_out, n_attr, in, out, attrs});
}

const char *emit_op(emitter *m, const char *op, int n_in, const char *const in[], int n_attr,
                    const emit_attr *attrs)
{
    const char *out = emit_fresh(m, op);
    emit_node(m, op, n_in, in, 1, &out, n_attr, attrs);
    return out;
}

// ---- The graph

// Marks the nodes that lead to t and have no value yet: from the last node to the first, since the
// order is topological.
static const bool *needed_nodes(emitter *m, const tensor *t)
{
    bool *wanted = NEW(m->arena, bool, (size_t)graph_tensors(m->g) + 1),
         *needed = NEW(m->arena, bool, (size_t)graph_nodes(m->g) + 1);
    wanted[t->id] = true;
    for (int i = graph_nodes(m->g) - 1; i >= 0; i--) {
        const node *q = graph_node(m->g, i);
        for (int k = 0; k < q->n_out; k++)
            needed[i] = needed[i] || (wanted[q->out[k]->id] && !m->value[q->out[k]->id] &&
                                      !m->later[q->out[k]->id].say);
        for (int k = 0; needed[i] && k < q->n_in; k++)
            if (q->in[k])
                wanted[q->in[k]->id] = true;
    }
    return needed;
}

void emitter_call(emitter *m, const tensor *t, const char *name)
{
    CHECK(emitter_reserve(m, name));
    m->call[t->id] = arena_strdup(m->arena, name);
}

bool emitter_reach(emitter *m, const tensor *t, err *e)
{
    const bool *needed = needed_nodes(m, t);
    for (int i = 0; i < graph_nodes(m->g); i++) {
        const node *q = graph_node(m->g, i);
        if (!needed[i])
            continue;
        if (!q->op->portable)
            return err_set(e, ERR_VALUE, "the operation '%s' has no %s form: %s", q->op->name,
                           m->form->name,
                           q->op->no_portable ? q->op->no_portable : "none is written");
        q->op->portable(q, m);
    }
    (void)say_now(m, t);
    return true;
}
