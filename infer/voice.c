// SPDX-License-Identifier: GPL-3.0-or-later
// voice.c: a checkpoint, some rows in, some rows out; and what they mean for an arrangement
// (voice.h).
#include "infer/voice.h"

#include <math.h>
#include <string.h>

#include "data/midi/midi_cut.h"
#include "data/music/chords.h"
#include "data/music/groove.h"
#include "data/music/harmony.h"
#include "data/music/midi_stats.h"
#include "infer/session.h"
#include "infer/trained.h"

enum { EMOTION = 64, CONTEXT = EMOTION + HARMONY_CONTEXT, HARMONY_STREAM = 1 };

// in [rows, width of the model's input] through the model; out [rows, width of its output].
static bool run_rows(const trained *d, const kit *k, const float *in, int64_t rows, float *out,
                     arena *a, err *e)
{
    session_setup o = {
        .model = d->model, .params = d->p, .gives = SESSION_OUT, .batch = rows, .kit = k};
    session *s = session_open(&o, a, e);
    float sum = 0;
    if (!s)
        return false;
    const network *n = s->net;
    int64_t count = shape_count(n->out->shape);
    memcpy(session_data(s, n->in[0]), in, (size_t)shape_count(n->in[0]->shape) * sizeof *in);
    session_go(s);
    memcpy(out, session_data(s, n->out), (size_t)count * sizeof *out);
    session_close(s);
    for (int64_t i = 0; i < count; i++)
        sum += out[i] * 0;
    return sum == 0 ||
           err_set(e, ERR_NUMERIC,
                   "'%s': what the network answers is not finite; take another checkpoint",
                   d->path);
}

bool voice_fits(const trained *d, model_makes what, err *e)
{
    return d->model->makes == what ||
           err_set(e, ERR_MISMATCH, "'%s' is of %s, and one of %s is wanted here", d->path,
                   d->model->name, model_making(what)->name);
}

static bool ask(const trained *d, const kit *k, model_makes what, const float *in, int64_t rows,
                float *out, err *e)
{
    arena a = {.name = "voice"};
    bool ok = voice_fits(d, what, e) && run_rows(d, k, in, rows, out, &a, e);
    arena_free(&a);
    return ok;
}

bool voice_groove(const trained *by, const kit *k, const float *emotion, float *groove, err *e)
{
    return ask(by, k, MAKES_GROOVE, emotion, 1, groove, e);
}

// ---- Chords

static bool draw_chord(sampler *s, float *logits, int *chord, err *e)
{
    for (int i = CHORD_NONE; i < CHORD_IDS; i++)
        logits[i] = -INFINITY;
    return sampler_draw(s, logits, NULL, 0, chord, e);
}

bool voice_draw_chords(const trained *by, const kit *k, const voice_chords *how,
                       const arrangement *r, int **chords, err *e)
{
    song_harmony h = harmony_of(r->arena, r->song, HARMONY_BARS);
    float *in = NEW(r->arena, float, (h.n + 1) * CONTEXT),
          *logits = NEW(r->arena, float, (h.n + 1) * CHORD_IDS);
    sampler_options own = *how->sampling;
    own.penalty = 1, own.top_k = 0, own.stream = HARMONY_STREAM;
    sampler *s = sampler_open(&own, CHORD_IDS, r->arena);
    *chords = NEW(r->arena, int, (size_t)r->bars);
    for (int i = 0; i < r->bars; i++)
        (*chords)[i] = CHORD_NONE;
    for (size_t i = 0; i < h.n; i++) {
        memcpy(in + i * CONTEXT, how->emotion, EMOTION * sizeof *in);
        memcpy(in + i * CONTEXT + EMOTION, h.context + i * HARMONY_CONTEXT,
               HARMONY_CONTEXT * sizeof *in);
    }
    bool ok = h.n == 0 || ask(by, k, MAKES_CHORDS, in, (int64_t)h.n, logits, e);
    for (size_t i = 0; ok && i < h.n && i < (size_t)r->bars; i++)
        if (h.spans[i].sounds) {
            if (how->weigh)
                how->weigh(how->user, (int)i, logits + i * CHORD_IDS);
            ok = draw_chord(s, logits + i * CHORD_IDS, &(*chords)[i], e);
        }
    return ok;
}

bool voice_harmony(const trained *by, const kit *k, const float *emotion, const sampler_options *o,
                   arrangement *r, int **chords, err *e)
{
    voice_chords how = {.emotion = emotion, .sampling = o};
    if (!voice_draw_chords(by, k, &how, r, chords, e))
        return false;
    arrange_chords(r, *chords, r->bars);
    return true;
}

// ---- Dynamics

bool voice_dynamics(const trained *by, const kit *k, arrangement *r, err *e)
{
    song_dynamics d = dynamics_of(r->arena, r->song, DYNAMICS_BARS);
    float *in = NEW(r->arena, float, (d.n + 1) * MIDI_STATS),
          *curves = NEW(r->arena, float, (d.n + 1) * DYNAMICS);
    for (size_t i = 0; i < d.n; i++)
        midi_stats(
            r->arena,
            midi_cut(r->arena, r->song, d.phrases[i].tick, d.phrases[i].tick + d.phrases[i].ticks),
            in + i * MIDI_STATS);
    if (d.n && !ask(by, k, MAKES_DYNAMICS, in, (int64_t)d.n, curves, e))
        return false;
    for (size_t i = 0; i < d.n; i++)
        memcpy(d.phrases[i].curve, curves + i * DYNAMICS, sizeof d.phrases[i].curve);
    arrange_dynamics(r, d.phrases, d.n);
    return true;
}
