// SPDX-License-Identifier: GPL-3.0-or-later
// piece_events.c: all parts of a piece, event by event (data/music/performance.h).
#include <math.h>
#include <string.h>

#include "base/hw.h"
#include "data/features/feature.h"
#include "data/music/key.h"
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
    for (int pitch = 0; pitch < 128; pitch++)
        if (pitch < h->piece->up || pitch >= 128 + h->piece->up)
            logits[TOKENS_ON + pitch] = -INFINITY;
    if (h->piece->restrain)
        h->piece->restrain(h->piece->user, (double)(h->now.step - h->begin) / TOKENS_STEPS, logits);
}

static bool long_enough(void *user, const int *tokens, int n)
{
    hearing *h = user;
    hear(h, tokens, n);
    return h->now.step >= h->end;
}

// The song, all but its drums, so many semitones higher.
static const midi_song *lift(arena *a, const midi_song *s, int semitones)
{
    midi_song *out = NEW(a, midi_song, 1);
    *out = *s;
    out->notes = NEW(a, midi_note, s->n_notes + 1);
    for (size_t i = 0; i < s->n_notes; i++) {
        out->notes[i] = s->notes[i];
        if (!s->instruments[s->notes[i].instrument].is_drum)
            out->notes[i].pitch = (uint8_t)(s->notes[i].pitch + semitones);
    }
    return out;
}

// The prompt as the shards of the checkpoint had it. Where they had all songs in C, what is played
// goes back by as much.
static bool prompt_events(piece *p, feature_rows *rows, err *e)
{
    hear_feature own;
    if (!hear_settings(p->by->hear.settings, p->by->path, "tokens", p->arena, &own, e))
        return false;
    tokens_settings *o = own.settings;
    p->up = o->to_c ? key_to_c(p->prompt, p->tonic - 1) : 0;
    o->to_c = false;
    if (!p->prompt)
        return true;
    if (!feature_resolve(own.def, own.settings, e))
        return err_trail(e, "feature settings of '%s'", p->by->path);
    feature *f = feature_open(own.def, own.settings, e);
    bool ok = f && feature_song(f, lift(p->arena, p->prompt, p->up), p->arena, rows, e);
    feature_close(f);
    return ok;
}

// What is heard first: the end of the prompt, as much as the context holds; without one a loudness
// that fits the emotion.
static int *opening(piece *p, int context, err *e)
{
    feature_rows rows = {0};
    if (!prompt_events(p, &rows, e))
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
        events[1 + i] = (uint16_t)(tokens[i] - (tokens[i] < TOKENS_SHIFT ? p->up : 0));
    p->song = performance_song(p->arena, velocity ? events : events + 1,
                               (size_t)n + (velocity ? 1 : 0), &style, e);
    return p->song != NULL;
}

// A lane's piece on its way.
typedef struct player {
    piece *p;
    hearing hearing;
    int velocity;   // in force behind the prompt
    double seconds; // that it lasts
} player;

static bool sit_down(player *l, generate_job *job, int context, err *e)
{
    piece *p = l->p;
    hearing *h = &l->hearing;
    double bar = 60 * ARRANGE_BEATS / arrange_tempo(&p->style);
    l->seconds = p->seconds > 0 ? p->seconds : p->bars * bar;
    p->bars = (int)ceil(l->seconds / bar - 0.01);
    const int *prompt = opening(p, context, e);
    if (!prompt)
        return false;
    *h = (hearing){.now.longest = (int64_t)(p->longest * TOKENS_STEPS + 1e-9), .piece = p};
    hear(h, prompt, p->heard);
    l->velocity = h->now.velocity;
    h->begin = h->now.step;
    h->end = h->now.step + (int64_t)ceil(l->seconds * TOKENS_STEPS);
    *job = (generate_job){.prompt = prompt,
                          .n_prompt = p->heard,
                          .n = (int)(PIECE_EVENTS_A_SECOND * (l->seconds + 1)),
                          .forbid = by_grammar,
                          .done = long_enough,
                          .user = h};
    job->tokens = NEW(p->arena, int, (size_t)p->heard + (size_t)job->n);
    job->by = sampler_open(&p->sampling, TOKENS_COUNT, p->arena);
    return true;
}

static generator *open_lanes(const piece *p, int n, int context, err *e)
{
    float *emotions = NEW(p->arena, float, (size_t)n *EMOTION_SIZE);
    for (int k = 0; k < n; k++)
        memcpy(emotions + k * EMOTION_SIZE, p[k].vector, sizeof p->vector);
    generator_setup how = {.emotion = emotions,
                           .lanes = n,
                           .guidance = p->guidance,
                           .context = context,
                           .precision = p->precision,
                           .pool = p->env->pool,
                           .kit = p->env->kit};
    return generator_open(p->by->model, p->by->p, &how, p->arena, e);
}

// The time of all, by the tokens of each.
static void share_time(piece *p, int n, double took)
{
    size_t all = 0;
    for (int k = 0; k < n; k++)
        all += p[k].drawn + (size_t)p[k].heard;
    for (int k = 0; k < n; k++)
        p[k].took = all ? took * (double)(p[k].drawn + (size_t)p[k].heard) / (double)all : 0;
}

static bool perform(piece *p, int n, player *l, generate_job *jobs, int context, err *e)
{
    double since = hw_seconds();
    generator *g = open_lanes(p, n, context, e);
    bool ok = g && generate(g, jobs, n, p->env, e);
    generator_close(g);
    for (int k = 0; k < n; k++)
        p[k].drawn = (size_t)jobs[k].drawn;
    share_time(p, n, hw_seconds() - since);
    for (int k = 0; ok && k < n; k++) {
        p[k].dense = l[k].hearing.now.step < l[k].hearing.end;
        ok = keep_piece(&p[k], jobs[k].tokens + p[k].heard, jobs[k].drawn, l[k].velocity,
                        l[k].seconds, e);
    }
    return ok;
}

bool piece_of_events(piece *p, int n, err *e)
{
    int context = trained_context(p->by, CONTEXT);
    player *l = NEW(p->arena, player, (size_t)n);
    generate_job *jobs = NEW(p->arena, generate_job, (size_t)n);
    for (int k = 0; k < n; k++) {
        l[k].p = &p[k];
        if (!sit_down(&l[k], &jobs[k], context, e))
            return false;
    }
    return perform(p, n, l, jobs, context, e);
}
