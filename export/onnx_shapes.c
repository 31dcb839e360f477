// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_shapes.c: the type and shape of every value in a model that is about to be written, for
// readers and tools that want them given.
//
// Free dimensions have no size, and what becomes of them on the way (frames of samples, rows of a
// batch of windows) is arithmetic that the nodes themselves do, on small vectors of integers. So
// the model is followed three times with sizes put in: twice with large primes that are far apart,
// so that the windows of a waveform are not as many, once with small numbers, so that it is shorter
// than a window: else frames and frames with zeros in front would seem the same. A dimension that
// is the same each time is fixed; one that is not is named by what it is a multiple or a sum of,
// else "frames". What no rule knows is left out.
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "export/onnx.h"
#include "export/onnx_rules.h"

enum { RUNS = 3, SYMBOLS = 64 };

typedef struct entry {
    const char *name;
    int type;
    onnx_known v[RUNS];
} entry;

typedef struct symbol {
    const char *name;
    int64_t size[RUNS];
} symbol;

typedef struct table {
    arena *a;
    entry **slot; // open addressing
    size_t cap;
    symbol symbols[SYMBOLS];
    int n_symbols, n_free; // those of the inputs come first
} table;

static entry *look_up(table *t, const char *name)
{
    size_t h = 14695981039346656037u;
    for (const char *s = name; *s; s++)
        h = (h ^ (uint8_t)*s) * 1099511628211u;
    for (size_t i = h & (t->cap - 1);; i = (i + 1) & (t->cap - 1)) {
        if (!t->slot[i]) {
            t->slot[i] = NEW(t->a, entry, 1);
            *t->slot[i] = (entry){.name = name};
            for (int r = 0; r < RUNS; r++)
                t->slot[i]->v[r].rank = t->slot[i]->v[r].n = -1;
        }
        if (!strcmp(t->slot[i]->name, name))
            return t->slot[i];
    }
}

// ---- The nodes

static void apply(table *t, const onnx_node *n, int r)
{
    static const onnx_known none = {.rank = 0, .n = -1};
    rule_call c = {.node = n};
    if (n->n_in > RULE_IN || n->n_out > RULE_OUT)
        return;
    for (int i = 0; i < n->n_in; i++) {
        c.in[i] = *n->in[i] ? &look_up(t, n->in[i])->v[r] : &none;
        if (c.in[i]->rank < 0)
            return;
    }
    for (int i = 0; i < n->n_out; i++)
        c.out[i] = &look_up(t, n->out[i])->v[r];
    onnx_rule_apply(&c);
}

static void follow(table *t, const onnx_node *n)
{
    int type = !strcmp(n->op, "Cast")    ? (int)onnx_attr_value(n, "to", ONNX_FLOAT)
               : !strcmp(n->op, "Shape") ? ONNX_INT64
               : !strcmp(n->op, "LessOrEqual") || !strcmp(n->op, "Equal")
                   ? ONNX_BOOL
                   : look_up(t, n->in[!strcmp(n->op, "Where")])->type;
    for (int i = 0; i < n->n_out; i++)
        if (*n->out[i])
            look_up(t, n->out[i])->type = type;
    for (int r = 0; r < RUNS; r++)
        apply(t, n, r);
}

// ---- What is known before

static void add_tensor(table *t, const onnx_tensor *q)
{
    entry *e = look_up(t, q->name);
    e->type = q->type;
    for (int r = 0; r < RUNS; r++) {
        onnx_known *v = &e->v[r];
        v->rank = q->rank;
        memcpy(v->dim, q->dim, sizeof v->dim);
        if (q->type == ONNX_INT64 && q->rank <= 1 && q->bytes <= sizeof v->data)
            v->n = (int)(q->bytes / sizeof *v->data), memcpy(v->data, q->data, q->bytes);
    }
}

static const symbol *symbol_of(table *t, const char *name)
{
    static const int64_t sizes[][RUNS] = {
        {1009, 1013, 2}, {1000003, 3000017, 2003}, {10007, 10009, 3}, {5003, 5009, 5}};
    for (int i = 0; i < t->n_symbols; i++)
        if (!strcmp(t->symbols[i].name, name))
            return &t->symbols[i];
    CHECK((size_t)t->n_symbols < sizeof sizes / sizeof *sizes);
    symbol *s = &t->symbols[t->n_symbols];
    *s = (symbol){.name = name};
    memcpy(s->size, sizes[t->n_symbols++], sizeof s->size);
    t->n_free = t->n_symbols;
    return s;
}

static void add_input(table *t, const onnx_value *q)
{
    entry *e = look_up(t, q->name);
    e->type = q->type;
    for (int r = 0; r < RUNS; r++) {
        e->v[r].rank = q->rank;
        for (int k = 0; k < q->rank; k++)
            e->v[r].dim[k] = q->sym[k] ? symbol_of(t, q->sym[k])->size[r] : q->dim[k];
    }
}

// ---- Names of what came out

static const char *add_symbol(table *t, const char *name, const int64_t size[RUNS])
{
    if (t->n_symbols < SYMBOLS) {
        symbol *s = &t->symbols[t->n_symbols++];
        *s = (symbol){.name = name};
        memcpy(s->size, size, sizeof s->size);
    }
    return name;
}

// A whole multiple of one free size or of two, or one and something.
static const char *composed(table *t, const int64_t size[RUNS])
{
    for (int i = 0; i < t->n_free; i++)
        for (int j = -1; j < i; j++) {
            const symbol *a = &t->symbols[i], *b = j < 0 ? NULL : &t->symbols[j];
            int64_t k = size[0] / (a->size[0] * (b ? b->size[0] : 1)), plus = size[0] - a->size[0];
            bool times = k > 0, sum = !b;
            for (int r = 0; r < RUNS; r++) {
                times = times && size[r] == k * a->size[r] * (b ? b->size[r] : 1);
                sum = sum && size[r] - a->size[r] == plus;
            }
            if (times)
                return k > 1
                           ? arena_printf(t->a, "%lld*%s%s%s", (long long)k, b ? b->name : "",
                                          b ? "*" : "", a->name)
                           : arena_printf(t->a, "%s%s%s", b ? b->name : "", b ? "*" : "", a->name);
            if (sum)
                return arena_printf(t->a, "%s%+lld", a->name, (long long)plus);
        }
    return NULL;
}

static const char *name_of(table *t, const int64_t size[RUNS])
{
    int frames = 1;
    for (int i = 0; i < t->n_symbols; i++) {
        if (!memcmp(t->symbols[i].size, size, sizeof t->symbols[i].size))
            return t->symbols[i].name;
        frames += str_starts(t->symbols[i].name, "frames");
    }
    const char *name = composed(t, size);
    if (!name)
        name = frames > 1 ? arena_printf(t->a, "frames_%d", frames) : "frames";
    return add_symbol(t, name, size);
}

static void sizes_at(const entry *e, int k, int64_t size[RUNS])
{
    for (int r = 0; r < RUNS; r++)
        size[r] = e->v[r].dim[k];
}

// A free dimension of an output has the name that it was given.
static bool take_output(table *t, const onnx_value *q, err *e)
{
    const entry *found = look_up(t, q->name);
    int64_t size[RUNS];
    for (int k = 0; k < q->rank && found->v[0].rank == q->rank; k++) {
        sizes_at(found, k, size);
        bool fixed = size[0] == size[1] && size[1] == size[2];
        if (!q->sym[k] && (!fixed || size[0] != q->dim[k]))
            return err_set(e, ERR_INTERNAL, "output '%s': dimension %d is not %lld", q->name, k,
                           (long long)q->dim[k]);
        bool known = fixed;
        for (int i = 0; i < t->n_symbols; i++)
            known = known || !memcmp(t->symbols[i].size, size, sizeof size);
        if (q->sym[k] && !known)
            (void)add_symbol(t, q->sym[k], size);
    }
    return found->v[0].rank < 0 || found->v[0].rank == q->rank ||
           err_set(e, ERR_INTERNAL, "output '%s' has %d dimensions, not %d", q->name,
                   found->v[0].rank, q->rank);
}

static void put_info(table *t, onnx_model *m, const char *name)
{
    const entry *e = look_up(t, name);
    onnx_value info = {.name = name, .type = e->type, .rank = e->v[0].rank};
    int64_t size[RUNS];
    for (int r = 0; r < RUNS; r++)
        if (e->v[r].rank < 0)
            return;
    for (int k = 0; k < info.rank; k++) {
        sizes_at(e, k, size);
        for (int r = 0; r < RUNS; r++)
            if (size[r] < 0)
                return;
        info.dim[k] = size[0];
        if (size[0] != size[1] || size[1] != size[2])
            info.sym[k] = name_of(t, size);
    }
    onnx_add_info(m, info);
}

static bool is_output(const onnx_model *m, const char *name)
{
    for (int i = 0; i < m->n_outputs; i++)
        if (!strcmp(m->outputs[i].name, name))
            return true;
    return false;
}

bool onnx_shapes(onnx_model *m, err *e)
{
    arena a = {.name = "onnx shapes"};
    table t = {.a = &a, .cap = 1024};
    bool ok = true;
    while (t.cap < 8 * (size_t)(m->n_nodes + m->n_tensors + m->n_inputs + 1))
        t.cap *= 2;
    t.slot = NEW(&a, entry *, t.cap);
    for (int i = 0; i < m->n_tensors; i++)
        add_tensor(&t, &m->tensors[i]);
    for (int i = 0; i < m->n_inputs; i++)
        add_input(&t, &m->inputs[i]);
    for (int i = 0; i < m->n_nodes; i++)
        follow(&t, &m->nodes[i]);
    for (int i = 0; ok && i < m->n_outputs; i++)
        ok = take_output(&t, &m->outputs[i], e);
    m->n_infos = 0;
    for (int i = 0; ok && i < m->n_nodes; i++)
        for (int k = 0; k < m->nodes[i].n_out; k++)
            if (*m->nodes[i].out[k] && !is_output(m, m->nodes[i].out[k]))
                put_info(&t, m, m->nodes[i].out[k]);
    arena_free(&a);
    return ok;
}
