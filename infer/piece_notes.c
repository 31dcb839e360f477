// SPDX-License-Identifier: GPL-3.0-or-later
// piece_notes.c: a melody's pitches one by one, on a piano; rhythm and touch by rule, or by the
// models of groove, harmony and dynamics.
#include <math.h>

#include "base/hw.h"
#include "data/music/groove.h"
#include "data/music/melody.h"
#include "infer/generate.h"
#include "infer/piece.h"
#include "infer/voice.h"

enum { PROMPT_MOST = 4096, LOWEST = 21, HIGHEST = 108 }; // of a piano

static int *prompt_pitches(piece *p)
{
    size_t n = 0;
    const midi_note *top = p->prompt ? melody_top(p->arena, p->prompt, &n) : NULL;
    size_t from = n > PROMPT_MOST ? n - PROMPT_MOST : 0;
    int *pitches = NEW(p->arena, int, n - from + 1);
    for (size_t i = from; i < n; i++)
        pitches[i - from] = top[i].pitch;
    p->heard = (int)(n - from);
    return pitches;
}

static void piano_only(void *user, const int *tokens, int n, float *logits)
{
    (void)user, (void)tokens, (void)n;
    for (int i = 0; i < 128; i++)
        if (i < LOWEST || i > HIGHEST)
            logits[i] = -INFINITY;
}

// One thread: a step is a few small products, and the same bytes come whatever --threads says.
static bool draw_pitches(piece *p, arrangement *r, int **pitches, err *e)
{
    arena *a = p->arena;
    const int *prompt = prompt_pitches(p);
    generate_job job = {
        .prompt = prompt, .n_prompt = p->heard, .n = (int)r->n_slots, .forbid = piano_only};
    job.tokens = NEW(a, int, (size_t)p->heard + r->n_slots);
    double since = hw_seconds();
    generator_setup how = {.emotion = p->vector,
                           .guidance = p->guidance,
                           .precision = p->precision,
                           .kit = p->env->kit};
    generator *g = generator_open(p->by->model, p->by->p, &how, a, e);
    job.by = g ? sampler_open(&p->sampling, g->count, a) : NULL;
    bool ok = g && generate(g, &job, 1, p->env, e);
    generator_close(g);
    p->took = hw_seconds() - since, p->drawn = (size_t)job.drawn;
    *pitches = job.tokens + p->heard;
    return ok;
}

bool piece_of_notes(piece *p, err *e)
{
    float timing[GROOVE];
    int *pitches;
    if (p->groove && !voice_groove(p->groove, p->env->kit, p->vector, timing, e))
        return false;
    if (p->groove && p->style.tempo <= 0)
        p->style.tempo = fmin(fmax(200 * (double)timing[GROOVE_TEMPO], 40), 220);
    if (p->seconds > 0)
        p->bars = (int)fmax(1, round(p->seconds * arrange_tempo(&p->style) / 60 / ARRANGE_BEATS));
    if (p->bars > ARRANGE_BARS)
        return err_set(e, ERR_USAGE, "that are %d bars, and %d is the limit; give fewer seconds",
                       p->bars, ARRANGE_BARS);
    arrangement *r = arrange_open(p->arena, &p->style, p->bars);
    if (!draw_pitches(p, r, &pitches, e))
        return false;
    arrange_melody(r, pitches, r->n_slots);
    if (p->harmony &&
        !voice_harmony(p->harmony, p->env->kit, p->vector, &p->sampling, r, &p->chords, e))
        return false;
    if (p->groove)
        arrange_groove(r, timing);
    p->song = r->song;
    return !p->dynamics || voice_dynamics(p->dynamics, p->env->kit, r, e);
}
