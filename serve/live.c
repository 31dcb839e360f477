// SPDX-License-Identifier: GPL-3.0-or-later
// live.c: see live.h.
#include "serve/live.h"

#include <math.h>
#include <string.h>

#include "base/hw.h"
#include "infer/session.h"
#include "serve/ear.h"

struct live {
    live_setup setup;
    session *s;
    kit kit;
    feature *feature; // NULL: it takes no sound
    ear *ear;
    float *frame;
    int64_t takes, width;
};

bool live_hears(const model_def *m)
{
    return model_mel(m) != NULL;
}

// What is read of an answer: the output, and of a probe the probabilities.
static unsigned gives_of(const trained *t)
{
    return SESSION_OUT | (t->classes ? SESSION_PROBABILITIES : 0);
}

// A frame, a note or a vector at a time, in a network without a cache that grows.
bool live_offers(const model_def *m)
{
    if (model_caches(m) || m->output.rank > 3)
        return false;
    for (int i = 0; i < m->n_inputs; i++)
        if (m->inputs[i].rank > 3 || (m->inputs[i].rank == 3 && !m->step))
            return false;
    return true;
}

static int64_t port_numbers(const port *q)
{
    int64_t n = 1;
    for (int i = 0; i < q->rank; i++)
        n *= q->sym[i] ? 1 : q->dim[i];
    return n;
}

static bool open_ear(live *l, arena *a, err *e)
{
    const trained *t = l->setup.trained;
    if (!(l->feature = feature_open(t->feature, t->mel, e)))
        return false;
    l->ear = ear_open(l->feature, l->setup.rate, a);
    l->frame = NEW(a, float, (size_t)l->feature->width);
    l->takes = l->setup.block;
    return true;
}

static session *open_session(live *l, arena *a, err *e)
{
    const trained *t = l->setup.trained;
    l->kit = (kit){.width = variant_best(), .products = gemm_alone()};
    return session_open(&(session_setup){.model = t->model,
                                         .params = t->p,
                                         .gives = gives_of(t),
                                         .classes = t->classes,
                                         .steps = t->model->step != NULL,
                                         .stay = true,
                                         .kit = &l->kit},
                        a, e);
}

// Pages, tables and code that a first call would wait for.
static void warm_up(live *l)
{
    float in[EAR_BLOCK] = {0};
    arena a = {.name = "warm-up"};
    float *out = NEW(&a, float, (size_t)(live_most(l) * l->width));
    uint64_t mode = hw_float_mode();
    for (int i = 0; i < 64; i++)
        (void)live_process(l, in, l->takes < EAR_BLOCK ? l->takes : EAR_BLOCK, out);
    for (int i = 0; i < 4; i++)
        session_go(l->s);
    hw_float_mode_back(mode);
    live_reset(l);
    arena_free(&a);
}

live *live_open(const live_setup *o, arena *a, err *e)
{
    const model_def *m = o->trained->model;
    live *l = NEW(a, live, 1);
    *l = (live){.setup = *o};
    if (!live_offers(m)) {
        err_set(e, ERR_MISMATCH,
                "%s does not answer in real time; emotion_recognizer, melody_transformer, "
                "harmony_predictor, groove_predictor and dynamics_engine do",
                m->name);
        return NULL;
    }
    for (int i = 0; i < m->n_inputs; i++)
        l->takes += port_numbers(&m->inputs[i]);
    l->width = port_numbers(&m->output) + o->trained->classes;
    if ((live_hears(m) && !open_ear(l, a, e)) || !(l->s = open_session(l, a, e))) {
        live_close(l);
        return NULL;
    }
    warm_up(l);
    return l;
}

void live_close(live *l)
{
    if (!l)
        return;
    session_close(l->s);
    feature_close(l->feature);
    l->s = NULL, l->feature = NULL;
}

void live_reset(live *l)
{
    session_begin(l->s);
    if (l->ear)
        ear_reset(l->ear);
}

int64_t live_takes(const live *l)
{
    return l->takes;
}

int64_t live_width(const live *l)
{
    return l->width;
}

int64_t live_most(const live *l)
{
    return l->ear ? ear_most(l->ear, l->setup.block) : 1;
}

double live_latency(const live *l)
{
    return l->ear ? ear_latency(l->ear) : 0;
}

double live_hop(const live *l)
{
    return l->ear ? ear_hop(l->ear) : 0;
}

// ---- A call

static bool all_finite(const float *x, int64_t n)
{
    float worst = 0; // x - x is 0, or no number
    for (int64_t i = 0; i < n; i++)
        worst += x[i] - x[i];
    return worst == 0;
}

static void answer(live *l, float *out)
{
    const trained *t = l->setup.trained;
    int64_t n = l->width - t->classes;
    if (l->setup.forget)
        session_begin(l->s);
    session_go(l->s);
    memcpy(out, session_data(l->s, l->s->net->out), (size_t)n * sizeof *out);
    if (t->classes)
        memcpy(out + n, session_data(l->s, l->s->probabilities), (size_t)t->classes * sizeof *out);
}

static int hear(live *l, const float *x, int64_t n, float *out)
{
    const trained *t = l->setup.trained;
    float *in = session_data(l->s, l->s->net->in[0]);
    int made = 0;
    for (int64_t k; n > 0; x += k, n -= k) {
        k = n < EAR_BLOCK ? n : EAR_BLOCK;
        for (ear_push(l->ear, x, k); ear_next(l->ear, l->frame); made++) {
            loader_row(l->frame, 1, 0, 1, l->feature->width, t->hear.mean, t->hear.deviation, in);
            answer(l, out + made * l->width);
        }
    }
    return made;
}

// Ids are whole numbers in the port's range.
static bool ids_fit(const port *q, const float *x)
{
    for (int64_t i = 0; i < port_numbers(q); i++)
        if (x[i] != floorf(x[i]) || x[i] < (float)q->low || x[i] >= (float)q->below)
            return false;
    return true;
}

static bool inputs_fit(const live *l, const float *x)
{
    const model_def *m = l->setup.trained->model;
    for (int i = 0; i < m->n_inputs; x += port_numbers(&m->inputs[i++]))
        if (m->inputs[i].type == DT_I32 && !ids_fit(&m->inputs[i], x))
            return false;
    return true;
}

static void put(live *l, const float *x)
{
    const network *net = l->s->net;
    for (int i = 0; i < net->model->n_inputs; i++) {
        int64_t n = port_numbers(&net->model->inputs[i]);
        void *in = session_data(l->s, net->in[i]);
        for (int64_t k = 0; k < n; k++, x++)
            if (net->model->inputs[i].type == DT_I32)
                ((int32_t *)in)[k] = (int32_t)*x;
            else
                ((float *)in)[k] = *x;
    }
}

// The caller's thread computes as it did before, afterwards.
int live_process(live *l, const float *in, int64_t n, float *out)
{
    if (!all_finite(in, n) || (!l->ear && !inputs_fit(l, in)))
        return -1;
    int made = 1;
    uint64_t mode = hw_float_mode();
    hw_flush_denormals();
    if (l->ear)
        made = hear(l, in, n, out);
    else
        put(l, in), answer(l, out);
    hw_float_mode_back(mode);
    return made;
}
