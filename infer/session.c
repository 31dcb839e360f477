// SPDX-License-Identifier: GPL-3.0-or-later
// session.c: the one place where a network for use is built, planned and run.
//
// Of a step, state inputs lie where they are from step to step; what a step leaves is copied behind
// the last row of one that grows, or over one that is replaced.
#include "infer/session.h"

#include <string.h>

#include "autograd/cache_bytes.h"
#include "autograd/passes/fuse.h"
#include "base/bf16.h"

// Every product of a step behind a cache waits for memory, of which two cores get twice as much as
// one; and a worker that is left out of a few nodes falls asleep.
enum { SHARE_NS = 4000 };

static int threads_of(const session_setup *o)
{
    return o->threads ? o->threads : threads_count(o->pool);
}

static model_dims dims_of(const session_setup *o, model_form form)
{
    return (model_dims){.batch = o->batch ? o->batch : 1,
                        .time = o->time ? o->time : 1,
                        .classes = o->classes,
                        .adapters = o->adapters,
                        .form = form,
                        .rows = o->rows,
                        .row_type = o->weights == PRECISION_INT8   ? DT_I8
                                    : o->weights == PRECISION_BF16 ? DT_BF16
                                                                   : DT_F32};
}

static int list_outputs(session *s, tensor **list)
{
    network *n = s->net;
    int k = 0;
    if (s->setup.gives & SESSION_OUT)
        list[k++] = n->out;
    if (s->setup.gives & SESSION_LOGITS)
        list[k++] = n->logits;
    if (s->setup.gives & SESSION_PROBABILITIES)
        list[k++] = s->probabilities = model_probabilities(n);
    for (int i = 0; i < n->n_states; i++)
        if (n->state[i].out)
            list[k++] = n->state[i].out;
    return k;
}

static bool make_plan(session *s, err *e)
{
    const session_setup *o = &s->setup;
    tensor **outs = NEW(s->arena, tensor *, 3 + MODEL_STATES);
    plan_options p = {.kit = o->kit,
                      .threads = threads_of(o),
                      .share_ns = session_grows(s) ? SHARE_NS : 0,
                      .outputs = outs,
                      .n_outputs = list_outputs(s, outs),
                      .params = o->params,
                      .weights_stay = o->steps || o->stay};
    if (o->weights != PRECISION_FP32 && graph_ok(s->net->g, e))
        precision_weights(s->net->g, o->weights);
    if (p.weights_stay && graph_ok(s->net->g, e))
        fuse_forms(s->net->g);
    s->plan = graph_ok(s->net->g, e) ? plan_make(s->net->g, &p, s->arena, e) : NULL;
    return s->plan != NULL;
}

session *session_plan(const session_setup *o, arena *a, err *e)
{
    session *s = NEW(a, session, 1);
    model_dims d = dims_of(o, o->steps ? FORM_REST : FORM_WHOLE);
    *s = (session){.setup = *o, .arena = a};
    s->net = model_build(o->model, o->params, &d, a, e);
    if (s->net && !o->params->weights)
        params_layout(o->params);
    return s->net && make_plan(s, e) ? s : NULL;
}

bool session_start(session *s, threads *pool, err *e)
{
    s->run = run_open(s->plan, s->setup.params, pool, s->arena, e);
    if (s->run)
        session_begin(s);
    return s->run != NULL;
}

session *session_open(const session_setup *o, arena *a, err *e)
{
    session *s = session_plan(o, a, e);
    return s && session_start(s, o->pool, e) ? s : NULL;
}

void session_close(session *s)
{
    if (s)
        run_close(s->run), s->run = NULL;
}

void *session_input(session *s, const char *name)
{
    return run_input(s->run, name);
}

void *session_data(session *s, const tensor *t)
{
    return run_data(s->run, t);
}

// ---- Steps

static size_t bytes_of(const tensor *t)
{
    return (size_t)shape_count(t->shape) * sizeof(float);
}

// Rows [B, T, D] behind the first `length` of [B, C, D], which may be bf16. Attention does not mind
// in which order rows lie, since their keys are turned: so one that slides goes round.
static void append(session *s, const model_state *t)
{
    const shape *to = &t->in->shape, *from = &t->out->shape;
    int64_t row = to->d[2], some = from->d[1] * row;
    const float *out = run_data(s->run, t->out);
    void *rows = run_data(s->run, t->in);
    for (int64_t b = 0; b < to->d[0]; b++, out += some) {
        int64_t at = (b * to->d[1] + s->length % to->d[1]) * row;
        bf16 *restrict narrow = (bf16 *)rows + at;
        if (t->in->type == DT_F32)
            memcpy((float *)rows + at, out, (size_t)some * sizeof *out);
        else
            for (int64_t i = 0; i < some; i++)
                narrow[i] = bf16_round(out[i]);
    }
}

// The row [B, 1, D] as whole numbers (cache_bytes.h), each head by itself.
static void append_bytes(session *s, const model_state *t)
{
    int64_t rows = s->setup.rows, row = s->length % rows, d = t->out->shape.d[2] / t->heads,
            heads = t->in->shape.d[0] * t->heads, each = t->in->shape.d[2];
    const float *x = run_data(s->run, t->out);
    float *scale = (float *)run_data(s->run, t->scales) + row;
    int8_t *to = run_data(s->run, t->in);
    for (int64_t h = 0; h < heads; h++)
        scale[h * rows] = t->values ? cache_put_value(to + h * each, row, x + h * d, d, rows)
                                    : cache_put_key(to + h * each, row, x + h * d, d);
}

static void carry(session *s)
{
    const network *n = s->net;
    for (int i = 0; i < n->n_states; i++) {
        const model_state *t = &n->state[i];
        if (t->kind == STATE_GROWS && t->scales)
            append_bytes(s, t);
        else if (t->kind == STATE_GROWS)
            append(s, t);
        else if (t->kind == STATE_REPLACED)
            memcpy(run_data(s->run, t->in), run_data(s->run, t->out), bytes_of(t->in));
    }
    s->length += n->dims.time;
}

void session_go(session *s)
{
    bool steps = s->setup.steps;
    CHECK(!session_full(s) && !(s->setup.slides && s->net->dims.time != 1));
    if (s->net->length)
        *(int32_t *)run_data(s->run, s->net->length) = (int32_t)s->length;
    run_go(s->run, &(run_pass){.same_weights = (steps || s->setup.stay) && s->began}, NULL);
    s->began = true;
    if (steps)
        carry(s);
}

void session_begin(session *s)
{
    const network *n = s->net;
    s->length = 0;
    for (int i = 0; i < n->n_states; i++)
        if (n->state[i].kind == STATE_REPLACED)
            memset(run_data(s->run, n->state[i].in), 0, bytes_of(n->state[i].in));
}

bool session_grows(const session *s)
{
    return s->net->length != NULL;
}

bool session_full(const session *s)
{
    return session_grows(s) && !s->setup.slides && s->length + s->net->dims.time > s->setup.rows;
}

// ---- What is heard once

static model_state *find_state(network *n, const char *name)
{
    for (int i = 0; i < n->n_states; i++)
        if (!strcmp(n->state[i].name, name))
            return &n->state[i];
    return NULL;
}

// States that are given, of one item, from its inputs that are heard once.
static void give_one(session *s, session *once, int64_t item)
{
    const network *n = once->net;
    for (int i = 0; i < n->model->n_inputs; i++)
        if (n->in[i]) {
            size_t bytes = bytes_of(n->in[i]);
            memcpy(run_data(once->run, n->in[i]), (const char *)s->once[i] + (size_t)item * bytes,
                   bytes);
        }
    run_step(once->run, 0, 0, false);
    for (int i = 0; i < n->n_states; i++) {
        const model_state *from = &n->state[i], *to = find_state(s->net, from->name);
        size_t bytes = bytes_of(from->out);
        memcpy((char *)run_data(s->run, to->in) + (size_t)item * bytes,
               run_data(once->run, from->out), bytes);
    }
}

// An item at a time, which so gets the bits that it gets alone.
static bool give(session *s, arena *a, err *e)
{
    model_dims d = dims_of(&s->setup, FORM_ONCE);
    session once = {.setup = s->setup, .arena = a};
    d.batch = 1;
    network *n = once.net = model_build(s->setup.model, s->setup.params, &d, a, e);
    once.setup.gives = 0, once.setup.weights = PRECISION_FP32, once.setup.threads = 1;
    if (!n || !n->n_states)
        return n != NULL;
    if (!make_plan(&once, e) || !(once.run = run_open(once.plan, n->p, NULL, a, e)))
        return false;
    for (int64_t item = 0; item < s->net->dims.batch; item++)
        give_one(s, &once, item);
    session_close(&once);
    return true;
}

static size_t port_bytes(const session *s, const port *q)
{
    int64_t count = s->net->dims.batch;
    for (int i = 1; i < q->rank; i++)
        count *= q->dim[i];
    return (size_t)count * sizeof(float);
}

// Once all that is heard once was heard.
static bool hear_once(session *s, int k, const float *values, err *e)
{
    const model_def *m = s->setup.model;
    size_t bytes = port_bytes(s, &m->inputs[k]);
    if (!s->once[k])
        s->once[k] = NEW(s->arena, char, bytes);
    memcpy(s->once[k], values, bytes);
    for (int i = 0; i < m->n_inputs; i++)
        if (m->inputs[i].once && !s->once[i])
            return true;
    arena a = {.name = "once"};
    bool ok = give(s, &a, e);
    arena_free(&a);
    return ok;
}

bool session_hear(session *s, const char *input, const float *values, err *e)
{
    const model_def *m = s->setup.model;
    for (int i = 0; i < m->n_inputs; i++)
        if (!strcmp(m->inputs[i].name, input)) {
            const tensor *t = s->net->in[i];
            if (!t)
                return hear_once(s, i, values, e);
            memcpy(run_data(s->run, t), values, bytes_of(t));
            return true;
        }
    return err_set(e, ERR_INTERNAL, "model %s has no input '%s'", m->name, input);
}

static int64_t weight_bytes(const tensor *w, precision p)
{
    int64_t n = shape_count(w->shape);
    if (!precision_narrows(p, w))
        return n * (int64_t)sizeof(float);
    return p == PRECISION_BF16 ? n * (int64_t)sizeof(bf16)
                               : n + w->shape.d[0] * (int64_t)sizeof(float);
}

int64_t session_weight_bytes(const session *s)
{
    const params *p = s->setup.params;
    int64_t bytes = 0;
    for (int k = 0; k < p->n; k++) {
        const tensor *weight = NULL;
        for (int i = 0; !weight && i < graph_tensors(s->net->g); i++) {
            const tensor *t = graph_tensor(s->net->g, i);
            weight = t->kind == TENSOR_PARAM && t->param == k ? t : NULL;
        }
        bytes += weight ? weight_bytes(weight, s->setup.weights) : 0;
    }
    return bytes;
}
