// SPDX-License-Identifier: GPL-3.0-or-later
// piece_events.c: all parts of a piece, event by event (data/music/performance.h).
#include <math.h>
#include <string.h>

#include "base/hw.h"
#include "data/features/feature.h"
#include "data/music/performance.h"
#include "infer/generate.h"
#include "infer/piece.h"

enum { CONTEXT = 1024 }; // where a checkpoint does not say

typedef struct hearing {
    performance now;
    int taken;     // events that `now` knows
    int64_t begin; // the step behind the prompt
    int64_t end;   // the step at which the piece is long enough
    const piece *piece;
} hearing;

static void hear(hearing *h, const int *tokens, int n)
{
    for (; h->taken < n; h->taken++)
        performance_take(&h->now, tokens[h->taken]);
}

static void by_grammar(void *user, const int *tokens, int n, float *logits)
{
    hearing *h = user;
    hear(h, tokens, n);
    performance_forbid(&h->now, logits);
    if (h->piece->restrain)
        h->piece->restrain(h->piece->user, (double)(h->now.step - h->begin) / TOKENS_STEPS, logits);
}

static bool long_enough(void *user, const int *tokens, int n)
{
    hearing *h = user;
    hear(h, tokens, n);
    return h->now.step >= h->end;
}

// The prompt as the shards of the checkpoint had it.
static bool prompt_events(piece *p, feature_rows *rows, err *e)
{
    hear_feature own;
    if (!hear_settings(p->by->hear.settings, p->by->path, "tokens", p->arena, &own, e))
        return false;
    if (!feature_resolve(own.def, own.settings, e))
        return err_trail(e, "feature settings of '%s'", p->by->path);
    feature *f = feature_open(own.def, own.settings, e);
    bool ok = f && feature_song(f, p->prompt, p->arena, rows, e);
    feature_close(f);
    return ok;
}

// What is heard first: the end of the prompt, as much as the context holds; without one a loudness
// that fits the emotion.
static int *opening(piece *p, int context, err *e)
{
    feature_rows rows = {0};
    if (p->prompt && !prompt_events(p, &rows, e))
        return NULL;
    int64_t n = rows.n < context ? rows.n : context;
    int *out = NEW(p->arena, int, (size_t)n + 1);
    for (int64_t i = 0; i < n; i++)
        out[i] = ((const uint16_t *)rows.data)[rows.n - n + i];
    p->prompt_events = rows.n;
    if (n == 0)
        out[n++] = TOKENS_VELOCITY + ((int)arrange_velocity(&p->style) - 1) / TOKENS_BIN;
    p->heard = (int)n;
    return out;
}

// The events behind the prompt, in the loudness that was in force.
static bool keep_piece(piece *p, const int *tokens, int n, int velocity, double seconds, err *e)
{
    uint16_t *events = NEW(p->arena, uint16_t, (size_t)n + 1);
    performance_style style = {
        .tempo = arrange_tempo(&p->style), .seconds = seconds, .program = p->style.program};
    events[0] = (uint16_t)velocity;
    for (int i = 0; i < n; i++)
        events[1 + i] = (uint16_t)tokens[i];
    p->song = performance_song(p->arena, velocity ? events : events + 1,
                               (size_t)n + (velocity ? 1 : 0), &style, e);
    return p->song != NULL;
}

static bool perform(piece *p, const int *prompt, int context, double seconds, err *e)
{
    arena *a = p->arena;
    hearing h = {.now.longest = (int64_t)(p->longest * TOKENS_STEPS + 1e-9), .piece = p};
    hear(&h, prompt, p->heard);
    int velocity = h.now.velocity;
    h.begin = h.now.step;
    h.end = h.now.step + (int64_t)ceil(seconds * TOKENS_STEPS);
    generate_job job = {.prompt = prompt,
                        .n_prompt = p->heard,
                        .forbid = by_grammar,
                        .done = long_enough,
                        .user = &h};
    job.n = (int)(PIECE_EVENTS_A_SECOND * (seconds + 1));
    job.tokens = NEW(a, int, (size_t)p->heard + (size_t)job.n);
    double since = hw_seconds();
    generator_setup how = {.emotion = p->vector,
                           .context = context,
                           .precision = p->precision,
                           .pool = p->env->pool,
                           .kit = p->env->kit};
    generator *g = generator_open(p->by->model, p->by->p, &how, a, e);
    bool ok = g && generate(g, sampler_open(&p->sampling, g->count, a), &job, p->env, e);
    generator_close(g);
    p->took = hw_seconds() - since, p->drawn = (size_t)job.drawn;
    p->dense = ok && h.now.step < h.end;
    return ok && keep_piece(p, job.tokens + p->heard, job.drawn, velocity, seconds, e);
}

bool piece_of_events(piece *p, err *e)
{
    double bar = 60 * ARRANGE_BEATS / arrange_tempo(&p->style),
           seconds = p->seconds > 0 ? p->seconds : p->bars * bar;
    int context = trained_context(p->by, CONTEXT);
    p->bars = (int)ceil(seconds / bar - 0.01);
    const int *prompt = opening(p, context, e);
    return prompt && perform(p, prompt, context, seconds, e);
}
