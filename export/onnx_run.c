// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_run.c: values by name, which nodes lead from one to another, and how long numbers are kept
// (onnx_run.h).
#include "export/onnx_run.h"

#include <stdlib.h>
#include <string.h>

#include "base/f16.h"

// ---- Values

typedef struct value {
    const char *name;
    onnx_array x;
    bool there, fixed; // fixed: a constant
    int last;          // the node that reads it last
} value;

struct onnx_runner {
    const onnx_model *model;
    const env *env;
    value *values;
    int n_values;
    int *in, *out; // of all nodes, one behind the other: which values; -1: left out
    int *in_at, *out_at;
    bool *done, *needed; // of nodes: computed when it was opened; in this run
};

static int find(const onnx_runner *r, const char *name)
{
    for (int i = r->n_values - 1; i >= 0; i--)
        if (!strcmp(r->values[i].name, name))
            return i;
    return -1;
}

bool onnx_runner_find(const onnx_runner *r, const char *name)
{
    return find(r, name) >= 0;
}

static void drop(value *v)
{
    if (v->there && v->x.block && --v->x.block->users == 0)
        free(v->x.block);
    v->there = false;
}

static void put(value *v, const onnx_array *x)
{
    drop(v);
    v->x = *x, v->there = true;
    if (x->block)
        x->block->users++;
}

// As the file has it, little-endian, into one of the three kinds; false: of another type.
static bool constant(const onnx_tensor *t, arena *a, onnx_array *x)
{
    *x = onnx_array_f32(t->rank, t->dim, NULL);
    size_t n = (size_t)x->n, each = n ? t->bytes / n : 0;
    float *f = t->type == ONNX_FLOAT || t->type == ONNX_FLOAT16 ? NEW(a, float, n + 1) : NULL;
    int64_t *i = t->type == ONNX_INT64 || t->type == ONNX_INT32 ? NEW(a, int64_t, n + 1) : NULL;
    x->f = f, x->i = i, x->b = t->type == ONNX_INT8 ? t->data : NULL;
    if (!t->data || (n && t->bytes != n * each) || (!f && !i && !x->b))
        return false;
    for (size_t k = 0; k < n; k++) {
        const uint8_t *from = (const uint8_t *)t->data + k * each;
        f16 half = 0;
        int32_t narrow = 0;
        if (t->type == ONNX_FLOAT && each == sizeof *f)
            memcpy(&f[k], from, sizeof *f);
        else if (t->type == ONNX_FLOAT16 && each == sizeof half)
            memcpy(&half, from, sizeof half), f[k] = f16_widen(half);
        else if (t->type == ONNX_INT64 && each == sizeof *i)
            memcpy(&i[k], from, sizeof *i);
        else if (t->type == ONNX_INT32 && each == sizeof narrow)
            memcpy(&narrow, from, sizeof narrow), i[k] = narrow;
        else if (t->type != ONNX_INT8 || each != 1)
            return false;
    }
    return true;
}

// ---- Nodes

// An operation makes all that it can give; a node may name fewer.
static void complete(const onnx_runner *r, const onnx_step *s, int at, bool ok)
{
    for (int i = 0; i < ONNX_RUN_OUT; i++) {
        int k = i < s->node->n_out ? r->out[r->out_at[at] + i] : -1;
        value scratch = {0}, *v = k < 0 ? &scratch : &r->values[k];
        put(v, &s->out[i]);
        if (!ok || v == &scratch)
            drop(v);
    }
}

static bool run_node(onnx_runner *r, int at, arena *scratch, err *e)
{
    const onnx_node *n = &r->model->nodes[at];
    onnx_step_fn *run = onnx_step_find(n->op);
    onnx_step *s = NEW(scratch, onnx_step, 1);
    *s = (onnx_step){.node = n, .n_in = n->n_in, .n_out = n->n_out, .env = r->env, .a = scratch};
    if (!run)
        return err_set(e, ERR_VALUE, "the operation %s cannot be run here", n->op);
    bool ok = n->n_in > 0 && r->in[r->in_at[at]] >= 0;
    for (int i = 0; i < n->n_in; i++) {
        const value *v = r->in[r->in_at[at] + i] < 0 ? NULL : &r->values[r->in[r->in_at[at] + i]];
        if (v && !v->there)
            return err_set(e, ERR_VALUE, "node '%s' (%s) needs '%s', which is not given", n->name,
                           n->op, v->name);
        s->in[i] = v ? &v->x : NULL;
    }
    ok = ok && run(s);
    complete(r, s, at, ok);
    return ok || err_set(e, ERR_VALUE, "node '%s' (%s) does not fit its inputs", n->name, n->op);
}

// What nobody reads behind this node.
static void forget(onnx_runner *r, int at)
{
    const onnx_node *n = &r->model->nodes[at];
    for (int i = 0; i < n->n_in; i++) {
        int k = r->in[r->in_at[at] + i];
        if (k >= 0 && !r->values[k].fixed && r->values[k].last == at)
            drop(&r->values[k]);
    }
}

// ---- A model

static int add_value(onnx_runner *r, const char *name)
{
    r->values[r->n_values] = (value){.name = name};
    return r->n_values++;
}

static bool add_constants(onnx_runner *r, arena *a, err *e)
{
    for (int i = 0; i < r->model->n_tensors; i++) {
        const onnx_tensor *t = &r->model->tensors[i];
        value *v = &r->values[add_value(r, t->name)];
        v->there = v->fixed = true;
        if (!constant(t, a, &v->x))
            return err_set(e, ERR_VALUE, "the constant '%s' is of a type that cannot be run here",
                           t->name);
    }
    return true;
}

static bool add_nodes(onnx_runner *r, err *e)
{
    int in = 0, out = 0;
    for (int i = 0; i < r->model->n_inputs; i++)
        (void)add_value(r, r->model->inputs[i].name);
    for (int i = 0; i < r->model->n_nodes; i++) {
        const onnx_node *n = &r->model->nodes[i];
        if (n->n_in > ONNX_RUN_IN || n->n_out > ONNX_RUN_OUT)
            return err_set(e, ERR_VALUE, "node '%s' (%s) does not fit its inputs", n->name, n->op);
        r->in_at[i] = in, r->out_at[i] = out;
        for (int k = 0; k < n->n_in; k++) {
            r->in[in++] = *n->in[k] ? find(r, n->in[k]) : -1;
            if (*n->in[k] && r->in[in - 1] < 0)
                return err_set(e, ERR_VALUE, "node '%s' (%s) needs '%s', which is not there",
                               n->name, n->op, n->in[k]);
        }
        for (int k = 0; k < n->n_out; k++)
            r->out[out++] = *n->out[k] ? add_value(r, n->out[k]) : -1;
    }
    return true;
}

// Weights in fewer bits are widened once, not in each run.
static bool fold(onnx_runner *r, err *e)
{
    bool ok = true;
    for (int i = 0; ok && i < r->model->n_nodes; i++) {
        const onnx_node *n = &r->model->nodes[i];
        bool fixed = onnx_step_find(n->op) && n->n_in > 0;
        for (int k = 0; fixed && k < n->n_in; k++)
            fixed = r->in[r->in_at[i] + k] < 0 || r->values[r->in[r->in_at[i] + k]].fixed;
        if (!fixed)
            continue;
        arena scratch = {.name = "onnx"};
        ok = run_node(r, i, &scratch, e);
        arena_free(&scratch);
        for (int k = 0; ok && k < n->n_out; k++)
            if (r->out[r->out_at[i] + k] >= 0)
                r->values[r->out[r->out_at[i] + k]].fixed = true;
        r->done[i] = true;
    }
    return ok;
}

onnx_runner *onnx_runner_open(const onnx_model *m, const env *v, arena *a, err *e)
{
    onnx_runner *r = NEW(a, onnx_runner, 1);
    size_t in = 0, out = 0, nodes = (size_t)m->n_nodes + 1;
    for (int i = 0; i < m->n_nodes; i++)
        in += (size_t)m->nodes[i].n_in, out += (size_t)m->nodes[i].n_out;
    *r = (onnx_runner){.model = m, .env = v};
    r->values = NEW(a, value, (size_t)m->n_tensors + (size_t)m->n_inputs + out + 1);
    r->in = NEW(a, int, in + 1), r->out = NEW(a, int, out + 1);
    r->in_at = NEW(a, int, nodes), r->out_at = NEW(a, int, nodes);
    r->done = NEW(a, bool, nodes), r->needed = NEW(a, bool, nodes);
    if (add_constants(r, a, e) && add_nodes(r, e) && fold(r, e))
        return r;
    onnx_runner_close(r);
    return NULL;
}

void onnx_runner_close(onnx_runner *r)
{
    for (int i = 0; r && i < r->n_values; i++)
        drop(&r->values[i]);
}

// ---- A run

// From the last node to the first: one is needed where something that it makes is asked for and
// not given. What is read for the last time, and where.
static void mark(onnx_runner *r, int n_out, const onnx_named *out)
{
    for (int i = 0; i < r->n_values; i++)
        r->values[i].last = -1;
    for (int i = 0; i < n_out; i++)
        if (find(r, out[i].name) >= 0)
            r->values[find(r, out[i].name)].last = r->model->n_nodes;
    for (int i = r->model->n_nodes - 1; i >= 0; i--) {
        const onnx_node *n = &r->model->nodes[i];
        r->needed[i] = false;
        for (int k = 0; k < n->n_out && !r->done[i]; k++) {
            int v = r->out[r->out_at[i] + k];
            r->needed[i] =
                r->needed[i] || (v >= 0 && r->values[v].last >= 0 && !r->values[v].there);
        }
        for (int k = 0; k < n->n_in && r->needed[i]; k++) {
            int v = r->in[r->in_at[i] + k];
            if (v >= 0 && r->values[v].last < 0)
                r->values[v].last = i;
        }
    }
}

static void copy_out(const onnx_array *from, onnx_array *to, arena *a)
{
    size_t n = (size_t)from->n;
    *to = *from, to->block = NULL;
    if (from->f)
        to->f = memcpy(NEW(a, float, n + 1), from->f, n * sizeof *from->f);
    if (from->i)
        to->i = memcpy(NEW(a, int64_t, n + 1), from->i, n * sizeof *from->i);
}

static bool take_inputs(onnx_runner *r, int n_in, const onnx_named *in, err *e)
{
    for (int i = 0; i < n_in; i++) {
        int k = find(r, in[i].name);
        if (k < 0)
            return err_set(e, ERR_VALUE, "there is no value '%s' in it", in[i].name);
        put(&r->values[k], &in[i].x);
    }
    return true;
}

static bool run_nodes(onnx_runner *r, arena *scratch, err *e)
{
    for (int i = 0; i < r->model->n_nodes; i++) {
        arena_mark m = arena_save(scratch);
        if (r->needed[i] && !run_node(r, i, scratch, e))
            return false;
        if (r->needed[i])
            forget(r, i);
        arena_rewind(scratch, m);
    }
    return true;
}

bool onnx_runner_go(onnx_runner *r, int n_in, const onnx_named *in, int n_out, onnx_named *out,
                    arena *a, err *e)
{
    arena scratch = {.name = "onnx"};
    bool ok = take_inputs(r, n_in, in, e);
    mark(r, n_out, out);
    ok = ok && run_nodes(r, &scratch, e);
    for (int i = 0; ok && i < n_out; i++) {
        int k = find(r, out[i].name);
        if (k < 0 || !r->values[k].there)
            ok = err_set(e, ERR_VALUE, "there is no value '%s' in it", out[i].name);
        else
            copy_out(&r->values[k].x, &out[i].x, a);
    }
    for (int i = 0; i < r->n_values; i++)
        if (!r->values[i].fixed)
            drop(&r->values[i]);
    arena_free(&scratch);
    return ok;
}

bool onnx_run(const onnx_model *m, const onnx_array *in, onnx_array *out, arena *a, err *e)
{
    onnx_runner *r = onnx_runner_open(m, NULL, a, e);
    onnx_named *given = NEW(a, onnx_named, (size_t)m->n_inputs + 1),
               y = {.name = m->n_outputs ? m->outputs[0].name : ""};
    for (int i = 0; i < m->n_inputs; i++)
        given[i] = (onnx_named){m->inputs[i].name, in[i]};
    bool ok = r && onnx_runner_go(r, m->n_inputs, given, 1, &y, a, e);
    *out = y.x;
    onnx_runner_close(r);
    return ok;
}
