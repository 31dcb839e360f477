// SPDX-License-Identifier: GPL-3.0-or-later
// run.c: pointers are resolved once, then a step is a loop over calls.
#include "autograd/run.h"

#include <string.h>

#include "autograd/op.h"
#include "base/hw.h"

typedef struct move {
    const float *from;
    float *to;
    int64_t n;
    bool write; // of plan_step
} move;

typedef struct slot {
    void (*forward)(const call *c); // NULL: a gradient's move
    call c;
    move m;
    bool once; // of plan_step
} slot;

struct run {
    const plan *plan;
    const params *params;
    kit kit;
    char *memory;
    size_t bytes;
    slot *slots;
    int n;
    int *step; // slot -> plan step (views have no slot)
};

static void *locate(const run *r, const tensor *t)
{
    const place *w = &r->plan->places[t->id];
    const tensor *root = graph_tensor(r->plan->graph, w->root);
    switch (w->kind) {
    case PLACE_ARENA:
        return r->memory + w->offset;
    case PLACE_WEIGHTS:
        return (char *)r->params->weights + w->offset;
    case PLACE_GRADS:
        return (char *)r->params->grads + w->offset;
    case PLACE_CONST:
        return (void *)(uintptr_t)root->data; // kernels only read it
    case PLACE_NONE:
        break;
    }
    return NULL;
}

static slot node_slot(const run *r, const plan_step *st, threads *pool)
{
    slot s = {.forward = st->op->forward, .once = st->once};
    s.c = (call){.n = st->node,
                 .attrs = st->node->attrs,
                 .work = r->memory + r->plan->arena_bytes,
                 .pool = pool,
                 .threads = st->threads,
                 .kit = &r->kit};
    for (int k = 0; k < st->node->n_in; k++)
        s.c.in[k] = st->node->in[k] ? locate(r, st->node->in[k]) : NULL;
    for (int k = 0; k < st->node->n_out; k++)
        s.c.out[k] = locate(r, st->node->out[k]);
    return s;
}

static slot move_slot(const run *r, const plan_step *st)
{
    const param *p = &r->params->list[st->param];
    if (st->write)
        return (slot){.m = {locate(r, st->grad), r->params->weights + p->offset, p->count, true}};
    return (slot){.m = {locate(r, st->grad), r->params->grads + p->goffset, p->count, false}};
}

run *run_open(const plan *pl, const params *p, threads *pool, arena *a, err *e)
{
    run *r = NEW(a, run, 1);
    r->plan = pl;
    r->params = p;
    r->kit = pl->kit;
    r->bytes = (size_t)plan_bytes(pl) + 64;
    r->memory = base_pages(r->bytes);
    if (!r->memory) {
        (void)err_set(
            e, ERR_MEMORY,
            "no memory for %zu bytes of activations; take a smaller batch or more accumulation",
            r->bytes);
        return NULL;
    }
    r->slots = NEW(a, slot, (size_t)pl->n_steps + 1);
    r->step = NEW(a, int, (size_t)pl->n_steps + 1);
    for (int s = 0; s < pl->n_steps; s++) {
        const plan_step *st = &pl->steps[s];
        if (st->node && (st->node->op->flags & OP_VIEW))
            continue;
        r->step[r->n] = s;
        r->slots[r->n++] = st->node ? node_slot(r, st, pool) : move_slot(r, st);
    }
    hw_flush_denormals();
    return r;
}

void run_multiply_by(run *r, const gemm_ways *w)
{
    r->kit.products = *w;
}

void run_close(run *r)
{
    if (!r)
        return;
    base_pages_free(r->memory, r->bytes);
    r->memory = NULL;
}

void *run_input(run *r, const char *name)
{
    const tensor *t = graph_find_input(r->plan->graph, name);
    return t ? locate(r, t) : NULL;
}

void *run_data(run *r, const tensor *t)
{
    return locate(r, t);
}

static void run_move(const run *r, const move *m)
{
    if (m->write || r->plan->options.grad_mode == GRAD_STORE) {
        memcpy(m->to, m->from, sizeof(float) * (size_t)m->n);
        return;
    }
    for (int64_t i = 0; i < m->n; i++)
        m->to[i] += m->from[i];
}

static void run_slot(const run *r, slot *s, const run_pass *p)
{
    if (!s->forward) {
        if (!s->m.write || p->write)
            run_move(r, &s->m);
        return;
    }
    s->c.seed = p->seed;
    s->c.step = p->step;
    s->c.part = p->part;
    s->c.training = p->training;
    s->forward(&s->c);
}

static void go_timed(run *r, const run_pass *p, run_span *spans)
{
    memset(spans, 0, sizeof *spans * (size_t)r->plan->n_steps);
    double now = hw_seconds();
    for (int i = 0; i < r->n; i++) {
        if (p->same_weights && r->slots[i].once)
            continue;
        double begin = now;
        run_slot(r, &r->slots[i], p);
        now = hw_seconds();
        spans[r->step[i]] = (run_span){begin, now};
    }
}

void run_go(run *r, const run_pass *p, run_span *spans)
{
    if (spans) {
        go_timed(r, p, spans);
        return;
    }
    for (int i = 0; i < r->n; i++)
        if (!p->same_weights || !r->slots[i].once)
            run_slot(r, &r->slots[i], p);
}

void run_step(run *r, uint64_t seed, uint64_t step, bool training)
{
    run_go(r, &(run_pass){.seed = seed, .step = step, .training = training}, NULL);
}
