// SPDX-License-Identifier: GPL-3.0-or-later
// generator.c: a session of steps, asked for one token of each lane at a time: notes of the melody
// model, events of the transformer, and whatever else a model says that it makes.
//
// A step reads each weight once for all lanes, 90 MB of the full transformer, 45 as bf16 or 23 as
// int8, and as much of each lane's cache as is filled: of one lane, memory is what it waits for.
// Guided lanes have two rows each, those that are told an emotion before those that are told none.
#include <string.h>

#include "autograd/op.h"
#include "data/music/emotions.h"
#include "infer/generate.h"
#include "infer/session.h"

#define PLAUSIBLE 2.302585F // ln 10
#define BEHIND    1e4F      // more than logits differ by

typedef struct stepper {
    generator base;
    arena memory;
    session *s;
    const port *port; // of the token
    int32_t *token;   // [rows]: where they go
    float *blank;     // [lanes, count] zeros: what is said before the first token
    double guidance;  // 1: a row for each lane; else two
    float *guided;    // [lanes, count]
    float *told;      // [rows, 64]
} stepper;

static const port *token_port(const model_def *m)
{
    for (int i = 0; i < m->n_inputs; i++)
        if (m->inputs[i].type == DT_I32)
            return &m->inputs[i];
    return NULL;
}

static void take(stepper *g, const int32_t *tokens)
{
    size_t lanes = (size_t)g->base.lanes;
    for (size_t row = 0; row < (size_t)g->s->net->dims.batch; row += lanes)
        memcpy(g->token + row, tokens, lanes * sizeof *tokens);
    session_go(g->s);
}

void generator_begin(generator *base)
{
    stepper *g = base->self;
    session_begin(g->s);
}

static bool fit(const stepper *g, const int *tokens, err *e)
{
    const port *q = g->port;
    for (int k = 0; k < g->base.lanes; k++)
        if (tokens[k] < q->low || tokens[k] >= q->below)
            return err_set(e, ERR_VALUE, "%d is no %s; they are numbered from 0 to %d", tokens[k],
                           g->s->setup.model->makes == MAKES_NOTES ? "note" : "event",
                           q->below - 1);
    return true;
}

// From no emotion through one and on, of what is plausible under the emotion: a tenth as likely as
// the likeliest (Li et al., "Contrastive decoding", 2023). What is not stays behind all else, in
// its own order; or a chance difference between two small probabilities would grow into a wrong
// note.
static void guide_lane(float *out, const float *told, const float *untold, int n, double guidance)
{
    float most = told[0];
    for (int i = 1; i < n; i++)
        most = told[i] > most ? told[i] : most;
    for (int i = 0; i < n; i++)
        out[i] = told[i] >= most - PLAUSIBLE
                     ? (float)(untold[i] + guidance * ((double)told[i] - untold[i]))
                     : told[i] - BEHIND;
}

static const float *guide(stepper *g)
{
    int n = g->base.count, lanes = g->base.lanes;
    const float *told = session_data(g->s, g->s->net->out);
    if (g->guidance == 1)
        return told;
    for (int k = 0; k < lanes; k++)
        guide_lane(g->guided + k * n, told + k * n, told + (lanes + k) * n, n, g->guidance);
    return g->guided;
}

static const float *next(generator *base, const int *tokens, err *e)
{
    stepper *g = base->self;
    if (tokens[0] == -1 && g->port->low > -1 && g->s->length == 0)
        return g->blank;
    if (!fit(g, tokens, e))
        return NULL;
    take(g, tokens);
    return guide(g);
}

static void close_stepper(generator *base)
{
    stepper *g = base->self;
    arena memory = g->memory;
    session_close(g->s);
    arena_free(&memory);
}

// What each row is told.
static bool tell(stepper *g, const float *emotion, err *e)
{
    size_t n = (size_t)g->s->net->dims.batch * EMOTION_SIZE;
    if (!g->told)
        g->told = NEW(&g->memory, float, n);
    memcpy(g->told, emotion, (size_t)g->base.lanes * EMOTION_SIZE * sizeof *g->told);
    return session_hear(g->s, "emotion", g->told, e);
}

bool generator_feel(generator *base, const float *emotion, err *e)
{
    return tell(base->self, emotion, e);
}

static bool open_session(stepper *g, const model_def *m, params *p, const generator_setup *o,
                         err *e)
{
    session_setup how = {.model = m,
                         .params = p,
                         .gives = SESSION_OUT,
                         .batch = g->base.lanes * (g->guidance == 1 ? 1 : 2),
                         .steps = true,
                         .rows = o->context > 1 ? o->context - 1 : 0, // and the token itself
                         .slides = true,
                         .weights = o->precision,
                         .pool = o->pool,
                         .kit = o->kit};
    g->s = session_open(&how, &g->memory, e);
    if (!g->s || !tell(g, o->emotion, e))
        return false;
    CHECK(!session_grows(g->s) || o->context >= 2);
    g->token = session_input(g->s, g->port->name);
    return true;
}

bool generator_makes(const model_def *m)
{
    return m->makes == MAKES_NOTES || m->makes == MAKES_EVENTS;
}

const char *generator_models(const char *between, arena *a)
{
    const char *list = "";
    for (int i = 0; i < model_count(); i++)
        if (generator_makes(model_at(i)))
            list = arena_printf(a, "%s%s%s", list, *list ? between : "", model_at(i)->name);
    return list;
}

generator *generator_open(const model_def *m, params *p, const generator_setup *o, arena *a, err *e)
{
    if (!generator_makes(m)) {
        err_set(e, ERR_MISMATCH, "%s makes no music; give %s", m->name,
                generator_models(" or ", a));
        return NULL;
    }
    stepper *g = NEW(a, stepper, 1);
    int count = (int)m->output.dim[m->output.rank - 1], lanes = o->lanes ? o->lanes : 1;
    *g = (stepper){.memory = {.name = "generator"},
                   .port = token_port(m),
                   .guidance = o->guidance > 0 ? o->guidance : 1};
    CHECK(lanes >= 1 && lanes * (g->guidance == 1 ? 1 : 2) <= FEW_ROWS);
    g->base = (generator){
        .count = count, .lanes = lanes, .next = next, .close = close_stepper, .self = g};
    g->blank = NEW(&g->memory, float, (size_t)count *(size_t)lanes);
    g->guided = NEW(&g->memory, float, (size_t)count *(size_t)lanes);
    if (open_session(g, m, p, o, e))
        return &g->base;
    close_stepper(&g->base);
    return NULL;
}

void generator_close(generator *g)
{
    if (g)
        g->close(g);
}

int64_t generator_weight_bytes(const generator *g)
{
    const stepper *s = g->self;
    return session_weight_bytes(s->s);
}
