// SPDX-License-Identifier: GPL-3.0-or-later
// generator.c: a session of steps, asked for one token of each lane at a time: notes of the melody
// model, events of the transformer, and whatever else a model says that it makes.
//
// A step reads each weight once for all lanes, 90 MB of the full transformer or 45 as bf16, and as
// much of each lane's cache as is filled: of one lane, memory is what it waits for.
#include <string.h>

#include "autograd/op.h"
#include "infer/generate.h"
#include "infer/session.h"

typedef struct stepper {
    generator base;
    arena memory;
    session *s;
    const port *port; // of the token
    int32_t *token;   // [lanes]: where they go
    int32_t *heard;   // [context, lanes]: the tokens in a growing state
    float *blank;     // [lanes, count] zeros: what is said before the first token
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
    if (session_grows(g->s))
        memcpy(g->heard + (size_t)g->s->length * lanes, tokens, lanes * sizeof *tokens);
    memcpy(g->token, tokens, lanes * sizeof *tokens);
    session_go(g->s);
}

// The later half of what was heard, from position 0 on.
static void begin_again(stepper *g)
{
    int context = (int)g->s->setup.rows, from = context - context / 2;
    session_begin(g->s);
    for (int i = from; i < context; i++)
        take(g, g->heard + i * g->base.lanes);
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

static const float *next(generator *base, const int *tokens, err *e)
{
    stepper *g = base->self;
    if (tokens[0] == -1 && g->port->low > -1 && g->s->length == 0)
        return g->blank;
    if (!fit(g, tokens, e))
        return NULL;
    if (session_full(g->s))
        begin_again(g);
    take(g, tokens);
    return session_data(g->s, g->s->net->out);
}

static void close_stepper(generator *base)
{
    stepper *g = base->self;
    arena memory = g->memory;
    session_close(g->s);
    arena_free(&memory);
}

static bool open_session(stepper *g, const model_def *m, params *p, const generator_setup *o,
                         err *e)
{
    session_setup how = {.model = m,
                         .params = p,
                         .gives = SESSION_OUT,
                         .batch = g->base.lanes,
                         .steps = true,
                         .rows = o->context,
                         .narrow = o->precision == PRECISION_BF16,
                         .pool = o->pool,
                         .kit = o->kit};
    g->s = session_open(&how, &g->memory, e);
    if (!g->s || !session_hear(g->s, "emotion", o->emotion, e))
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
        err_set(e, ERR_MISMATCH, "a %s makes no music; give a %s", m->name,
                generator_models(" or a ", a));
        return NULL;
    }
    stepper *g = NEW(a, stepper, 1);
    int count = (int)m->output.dim[m->output.rank - 1], lanes = o->lanes ? o->lanes : 1;
    CHECK(lanes >= 1 && lanes <= FEW_ROWS);
    *g = (stepper){.memory = {.name = "generator"}, .port = token_port(m)};
    g->base = (generator){
        .count = count, .lanes = lanes, .next = next, .close = close_stepper, .self = g};
    g->heard = NEW(&g->memory, int32_t, (size_t)(o->context + 1) * (size_t)lanes);
    g->blank = NEW(&g->memory, float, (size_t)count *(size_t)lanes);
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
