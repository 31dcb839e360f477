// SPDX-License-Identifier: GPL-3.0-or-later
// composer_tokens.c: a model of events plays, token by token (composer.h): what may follow is said
// by data/music/performance.h, what does by infer/sampler.h. A token is a step of the network and
// takes no memory; a new emotion takes some, for a moment, at a bar line.
//
// A bar has four quarters of the tempo, which places the bar lines and nothing else: how fast the
// music goes is the model's choice.
#include <math.h>
#include <string.h>

#include "base/hw.h"
#include "data/music/arrange.h"
#include "data/music/emotions.h"
#include "data/music/performance.h"
#include "infer/generate.h"
#include "perform/composer.h"

enum { LONGEST = 8, HISTORY = 2 * COMPOSER_CONTEXT }; // seconds of a note

typedef struct tokens_player {
    generator *g;
    sampler *s;
    performance now;
    const float *logits; // of the token that comes; NULL: none was asked for yet
    float *own;          // [count]
    int history[HISTORY], n;
    int last; // that the network has not heard yet; -1: none
    float vector[EMOTION_SIZE];
    bool begun;
} tokens_player;

// ---- Bars

static arrange_style style_of(const composer *c)
{
    return (arrange_style){
        .valence = c->mood.valence, .arousal = c->mood.arousal, .tempo = c->setup.tempo};
}

static double bar_seconds(const composer *c)
{
    arrange_style y = style_of(c);
    return ARRANGE_BEATS * 60 / arrange_tempo(&y);
}

static void feel(composer *c)
{
    tokens_player *p = c->self;
    emotion_vector(c->mood.valence, c->mood.arousal, c->mood.intensity, p->vector);
}

static bool next_bar(composer *c, err *e)
{
    tokens_player *p = c->self;
    if (composer_listen(c)) {
        feel(c);
        if (!generator_feel(p->g, p->vector, e))
            return false;
    }
    composer_bar(c, bar_seconds(c), ARRANGE_BEATS);
    return true;
}

// ---- Tokens

static void remember(tokens_player *p, int token)
{
    if (p->n == HISTORY) {
        memmove(p->history, p->history + HISTORY / 2, HISTORY / 2 * sizeof *p->history);
        p->n = HISTORY / 2;
    }
    p->history[p->n++] = token;
    p->last = token;
}

static void play(composer *c, int token)
{
    const tokens_player *p = c->self;
    int velocity = 1 + (p->now.velocity - TOKENS_VELOCITY) * TOKENS_BIN + TOKENS_BIN / 2;
    if (token < TOKENS_OFF)
        composer_put(c, c->made, MIDI_NOTE_ON, token, velocity < 127 ? velocity : 127);
    else if (token < TOKENS_SHIFT)
        composer_put(c, c->made, MIDI_NOTE_OFF, token - TOKENS_OFF, 0);
    c->made = (double)p->now.step / TOKENS_STEPS;
}

// The first token is a rule: nothing precedes a piece in training (docs/generate.md).
static int opening(const composer *c)
{
    arrange_style y = style_of(c);
    return TOKENS_VELOCITY + ((int)arrange_velocity(&y) - 1) / TOKENS_BIN;
}

static bool draw(composer *c, int *token, err *e)
{
    tokens_player *p = c->self;
    if (!(p->logits = p->g->next(p->g, &p->last, e)))
        return false;
    memcpy(p->own, p->logits, (size_t)p->g->count * sizeof *p->own);
    performance_forbid(&p->now, p->own);
    int from = p->n > COMPOSER_CONTEXT ? p->n - COMPOSER_CONTEXT : 0;
    return sampler_draw(p->s, p->own, p->history + from, p->n - from, token, e);
}

static composer_did step(composer *c, err *e)
{
    tokens_player *p = c->self;
    double since = hw_seconds();
    int token = 0;
    if (!score_room(c->score, 1) || !score_bar_room(c->score))
        return COMPOSER_IDLE;
    if (c->made >= c->bar_end && !next_bar(c, e))
        return COMPOSER_FAILED;
    if (!p->begun)
        token = opening(c);
    else if (!draw(c, &token, e))
        return COMPOSER_FAILED;
    p->begun = true;
    performance_take(&p->now, token);
    remember(p, token);
    play(c, token);
    atomic_fetch_add(&c->tokens, 1);
    atomic_fetch_add(&c->nanoseconds, (long long)(1e9 * (hw_seconds() - since)));
    return COMPOSER_WORKED;
}

static void close_tokens(composer *c)
{
    const tokens_player *p = c->self;
    generator_close(p->g);
}

// Pages, packed weights and code that a first token would wait for; then as if nothing had been.
static bool warm_up(tokens_player *p, err *e)
{
    bool ok = true;
    for (int i = 0; ok && i < 4; i++)
        ok = p->g->next(p->g, &i, e) != NULL;
    generator_begin(p->g);
    return ok;
}

bool composer_tokens_open(composer *c, err *e)
{
    const composer_setup *o = &c->setup;
    tokens_player *p = c->self = NEW(c->arena, tokens_player, 1);
    c->step = step;
    feel(c);
    int most = trained_context(o->player, COMPOSER_CONTEXT),
        context = most < COMPOSER_CONTEXT ? most : COMPOSER_CONTEXT;
    generator_setup how = {.emotion = p->vector,
                           .context = o->context ? o->context : context,
                           .precision = o->precision,
                           .pool = o->shared ? o->env->pool : NULL,
                           .kit = o->env->kit};
    if (!(p->g = generator_open(o->player->model, o->player->p, &how, c->arena, e)))
        return false;
    c->close = close_tokens;
    if (p->g->count != TOKENS_COUNT)
        return err_set(e, ERR_MISMATCH,
                       "'%s' is of %s, which plays no events; give its music to "
                       "--melody",
                       o->player->path, o->player->model->name);
    p->s = sampler_open(&o->sampling, p->g->count, c->arena);
    p->own = NEW(c->arena, float, (size_t)p->g->count);
    p->now.longest = LONGEST * TOKENS_STEPS;
    return warm_up(p, e);
}
