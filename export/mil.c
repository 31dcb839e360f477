// SPDX-License-Identifier: GPL-3.0-or-later
// mil.c: building the structs of mil.h in an arena.
#include "export/mil.h"

#include <ctype.h>
#include <string.h>

#include "base/f16.h"
#include "export/mil_format.h"

mil_program *mil_open(arena *a)
{
    mil_program *p = NEW(a, mil_program, 1);
    *p = (mil_program){.arena = a, .taken = {.arena = a}, .blob_bytes = MIL_PLACE, .summary = ""};
    p->meta.arena = a;
    return p;
}

int64_t mil_count(const mil_type *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= t->dim[i];
    return n;
}

int64_t mil_bytes(const mil_type *t)
{
    bool numbers = t->kind == MIL_F32 || t->kind == MIL_I32;
    return mil_count(t) * (t->kind == MIL_F16 ? 2 : numbers ? 4 : 0);
}

mil_type mil_stored(const mil_op *q)
{
    mil_type t = q->out->type;
    if (!strcmp(q->type, MIL_WIDENED))
        t.kind = MIL_F16;
    return t;
}

// ---- Names

void mil_reserve(mil_program *p, const char *name)
{
    CHECK(name_set_add(&p->taken, arena_strdup(p->arena, name)));
}

// `hint` with all that the format forbids as '_', and a number behind it where that is taken.
static const char *fresh(mil_program *p, const char *hint)
{
    char *name = arena_printf(p->arena, "%s%s", isdigit((unsigned char)*hint) ? "_" : "", hint);
    for (char *s = name; *s; s++)
        *s = (char)(isalnum((unsigned char)*s) ? *s : '_');
    const char *given = name;
    for (int k = 1; !name_set_add(&p->taken, given); k++)
        given = arena_printf(p->arena, "%s_%d", name, k);
    return given;
}

// ---- Operations

static void add(mil_program *p, const mil_op *op)
{
    if (p->n_ops == p->cap_ops) {
        int wider = p->cap_ops ? 2 * p->cap_ops : 256;
        mil_op *ops = NEW(p->arena, mil_op, (size_t)wider);
        if (p->n_ops)
            memcpy(ops, p->ops, (size_t)p->n_ops * sizeof *ops);
        p->ops = ops, p->cap_ops = wider;
    }
    p->ops[p->n_ops++] = *op;
}

const char *mil_input(mil_program *p, const char *name, const mil_type *t)
{
    CHECK(p->n_inputs < MIL_ARGS);
    mil_reserve(p, name);
    p->inputs[p->n_inputs] = (mil_value){arena_strdup(p->arena, name), *t};
    return p->inputs[p->n_inputs++].name;
}

void mil_output(mil_program *p, const char *name, const mil_type *t)
{
    CHECK(p->n_outputs < MIL_OUTS);
    p->outputs[p->n_outputs++] = (mil_value){arena_strdup(p->arena, name), *t};
}

// ---- Constants

static const char *add_constant(mil_program *p, const char *type, const char *name,
                                const mil_type *t, const void *data, int64_t blob)
{
    mil_op op = {.type = type, .n_out = 1, .data = data, .blob = blob};
    op.out = NEW(p->arena, mil_value, 1);
    *op.out = (mil_value){fresh(p, name), *t};
    add(p, &op);
    return op.out->name;
}

// The array that has these numbers already, as masks and angles of every layer have; NULL: none.
static const char *same_array(const mil_program *p, const char *type, const mil_type *t,
                              const void *data, size_t n)
{
    for (int i = 0; i < p->n_ops; i++) {
        const mil_op *q = &p->ops[i];
        const mil_type *u = q->blob && !strcmp(q->type, type) ? &q->out->type : NULL;
        if (u && u->kind == t->kind && u->rank == t->rank &&
            !memcmp(u->dim, t->dim, sizeof *t->dim * (size_t)t->rank) && !memcmp(q->data, data, n))
            return q->out->name;
    }
    return NULL;
}

static const char *add_array(mil_program *p, const char *type, const char *name, const mil_type *t,
                             const void *data, int64_t bytes)
{
    int64_t record = p->blob_bytes;
    const char *same = same_array(p, type, t, data, (size_t)bytes);
    if (same)
        return same;
    p->n_blobs++;
    p->blob_bytes += MIL_PLACE + (bytes + MIL_PLACE - 1) / MIL_PLACE * MIL_PLACE;
    return add_constant(p, type, name, t, data, record);
}

const char *mil_array(mil_program *p, const char *name, const mil_type *t, const void *data)
{
    return t->kind == MIL_I32 || t->rank == 0 ? add_constant(p, "const", name, t, data, 0)
                                              : add_array(p, "const", name, t, data, mil_bytes(t));
}

const char *mil_widened(mil_program *p, const char *name, const mil_type *t, const void *halves)
{
    return add_array(p, MIL_WIDENED, name, t, halves, mil_bytes(t) / 2);
}

mil_call mil_begin(mil_program *p, const char *type)
{
    return (mil_call){.program = p, .type = type};
}

void mil_put_tuple(mil_call *c, const char *arg, int n, const char *const *values)
{
    CHECK(c->n_args < MIL_ARGS);
    const char **copy = NEW(c->program->arena, const char *, (size_t)n);
    for (int i = 0; i < n; i++)
        copy[i] = values[i];
    c->args[c->n_args++] = (mil_arg){arg, n, copy};
}

void mil_put(mil_call *c, const char *arg, const char *value)
{
    mil_put_tuple(c, arg, 1, &value);
}

// A constant for this call alone, called after its type and argument.
static void put_constant(mil_call *c, const char *arg, const mil_type *t, const void *data)
{
    mil_program *p = c->program;
    const char *name = arena_printf(p->arena, "%s_%s", c->type, arg);
    mil_put(c, arg, add_constant(p, "const", name, t, data, 0));
}

void mil_put_bool(mil_call *c, const char *arg, bool v)
{
    bool *data = NEW(c->program->arena, bool, 1);
    *data = v;
    put_constant(c, arg, &(mil_type){.kind = MIL_BOOL}, data);
}

void mil_put_text(mil_call *c, const char *arg, const char *v)
{
    put_constant(c, arg, &(mil_type){.kind = MIL_STRING}, arena_strdup(c->program->arena, v));
}

static const int32_t *narrowed(arena *a, int n, const int64_t *v)
{
    int32_t *out = NEW(a, int32_t, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        out[i] = (int32_t)v[i];
    return out;
}

void mil_put_int(mil_call *c, const char *arg, int64_t v)
{
    put_constant(c, arg, &(mil_type){.kind = MIL_I32}, narrowed(c->program->arena, 1, &v));
}

void mil_put_ints(mil_call *c, const char *arg, int n, const int64_t *v)
{
    put_constant(c, arg, &(mil_type){MIL_I32, 1, {n}}, narrowed(c->program->arena, n, v));
}

void mil_put_float(mil_call *c, const char *arg, mil_kind kind, float v)
{
    void *data = arena_alloc(c->program->arena, 1, sizeof v);
    if (kind == MIL_F16)
        *(f16 *)data = f16_round(v);
    else
        *(float *)data = v;
    put_constant(c, arg, &(mil_type){.kind = kind}, data);
}

// ---- The end of a call

void mil_give_as(mil_call *c, const char *name, const mil_type *t)
{
    CHECK(c->n_out < MIL_OUTS);
    c->out[c->n_out++] = (mil_value){arena_strdup(c->program->arena, name), *t};
}

const char *mil_give(mil_call *c, const char *name, const mil_type *t)
{
    mil_give_as(c, fresh(c->program, name), t);
    return c->out[c->n_out - 1].name;
}

void mil_finish(const mil_call *c)
{
    arena *a = c->program->arena;
    mil_op op = {.type = arena_strdup(a, c->type), .n_args = c->n_args, .n_out = c->n_out};
    op.args = NEW(a, mil_arg, (size_t)c->n_args + 1);
    op.out = NEW(a, mil_value, (size_t)c->n_out + 1);
    for (int i = 0; i < c->n_args; i++)
        op.args[i] = (mil_arg){arena_strdup(a, c->args[i].name), c->args[i].n, c->args[i].values};
    for (int i = 0; i < c->n_out; i++)
        op.out[i] = c->out[i];
    add(c->program, &op);
}
