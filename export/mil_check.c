// SPDX-License-Identifier: GPL-3.0-or-later
// mil_check.c: the structure of a program, and two of them side by side (mil.h).
#include <string.h>

#include "export/mil.h"

static bool defines(name_set *known, const mil_value *v, const char *path, err *e)
{
    if (!*v->name)
        return err_set(e, ERR_DAMAGED, "'%s': a value has no name", path);
    return name_set_add(known, v->name) ||
           err_set(e, ERR_DAMAGED, "'%s': '%s' is made twice", path, v->name);
}

static bool check_op(name_set *known, const mil_op *q, const char *path, err *e)
{
    if (!*q->type || !q->n_out)
        return err_set(e, ERR_DAMAGED, "'%s': an operation has no type, or makes nothing", path);
    for (int i = 0; i < q->n_args; i++)
        for (int k = 0; k < q->args[i].n; k++)
            if (*q->args[i].values[k] && !name_set_has(known, q->args[i].values[k]))
                return err_set(e, ERR_DAMAGED,
                               "'%s': %s '%s' reads '%s', which is not made before it", path,
                               q->type, q->out[0].name, q->args[i].values[k]);
    for (int i = 0; i < q->n_out; i++)
        if (!defines(known, &q->out[i], path, e))
            return false;
    return true;
}

bool mil_check(const mil_program *p, const char *path, err *e)
{
    arena a = {.name = "names"};
    name_set known = {.arena = &a};
    bool ok = p->n_outputs > 0 || err_set(e, ERR_DAMAGED, "'%s' has no output", path);
    for (int i = 0; ok && i < p->n_inputs; i++)
        ok = defines(&known, &p->inputs[i], path, e);
    for (int i = 0; ok && i < p->n_ops; i++)
        ok = check_op(&known, &p->ops[i], path, e);
    for (int i = 0; ok && i < p->n_outputs; i++)
        if (!name_set_has(&known, p->outputs[i].name))
            ok = err_set(e, ERR_DAMAGED, "'%s': nothing makes the output '%s'", path,
                         p->outputs[i].name);
    arena_free(&a);
    return ok;
}

// ---- Side by side

static bool same_type(const mil_type *t, const mil_type *u)
{
    return t->kind == u->kind && t->rank == u->rank &&
           !memcmp(t->dim, u->dim, sizeof *t->dim * (size_t)t->rank);
}

static bool same_value(const mil_value *v, const mil_value *w)
{
    return !strcmp(v->name, w->name) && same_type(&v->type, &w->type);
}

static bool same_data(const mil_op *q, const mil_op *o)
{
    if (!q->data || !o->data)
        return q->data == o->data;
    mil_type t = mil_stored(q);
    if (t.kind == MIL_STRING)
        return !strcmp(q->data, o->data);
    return !memcmp(q->data, o->data, t.kind == MIL_BOOL ? 1 : (size_t)mil_bytes(&t));
}

static bool same_op(const mil_op *q, const mil_op *o)
{
    bool same = !strcmp(q->type, o->type) && q->n_args == o->n_args && q->n_out == o->n_out &&
                q->blob == o->blob;
    for (int i = 0; same && i < q->n_args; i++) {
        same = !strcmp(q->args[i].name, o->args[i].name) && q->args[i].n == o->args[i].n;
        for (int k = 0; same && k < q->args[i].n; k++)
            same = !strcmp(q->args[i].values[k], o->args[i].values[k]);
    }
    for (int i = 0; same && i < q->n_out; i++)
        same = same_value(&q->out[i], &o->out[i]);
    return same && same_data(q, o);
}

int mil_differs(const mil_program *p, const mil_program *q)
{
    bool same = p->n_inputs == q->n_inputs && p->n_outputs == q->n_outputs &&
                p->n_blobs == q->n_blobs && p->blob_bytes == q->blob_bytes &&
                p->meta.n == q->meta.n;
    for (int i = 0; same && i < p->n_inputs; i++)
        same = same_value(&p->inputs[i], &q->inputs[i]);
    for (int i = 0; same && i < p->n_outputs; i++)
        same = same_value(&p->outputs[i], &q->outputs[i]);
    for (int i = 0; same && i < p->n_ops; i++)
        if (i >= q->n_ops || !same_op(&p->ops[i], &q->ops[i]))
            return i;
    return same && p->n_ops == q->n_ops ? -1 : p->n_ops;
}
