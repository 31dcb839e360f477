// SPDX-License-Identifier: GPL-3.0-or-later
// compose.c: the parts in their order (compose.h).
#include "compose/compose.h"

#include <math.h>
#include <string.h>

#include "compose/band.h"
#include "compose/melody.h"
#include "compose/player.h"
#include "data/music/chords.h"
#include "data/music/emotions.h"
#include "data/music/groove.h"
#include "infer/generate.h"
#include "infer/voice.h"

typedef struct work {
    composition *c;
    const song_plan *plan;
    float vector[EMOTION_SIZE];
    form form;
    melody_setting setting;
    int *pitches;
    arrangement *r;
} work;

// ---- Melody

static void by_plan(void *user, const int *tokens, int n, float *logits)
{
    const work *w = user;
    for (int pitch = 0; pitch < 128; pitch++) {
        double x = melody_weight(&w->setting, (size_t)n, pitch, tokens);
        if (x > 0 && n > 0)
            x *= melody_step(&w->setting, (size_t)n, n > 1 ? tokens[n - 2] : -1, tokens[n - 1],
                             pitch);
        logits[pitch] = x > 0 ? logits[pitch] + (float)log(x) : -INFINITY;
    }
}

// One thread, as infer/piece_notes.c: a step is small, and the bytes do not depend on --threads.
static bool draw_melody(work *w, err *e)
{
    const composition *c = w->c;
    arena *a = c->arena;
    generate_job job = {.n = (int)w->form.n, .forbid = by_plan, .user = w, .tokens = w->pitches};
    generator_setup how = {.emotion = w->vector, .precision = PRECISION_FP32, .kit = c->env->kit};
    generator *g = generator_open(c->melody->model, c->melody->p, &how, a, e);
    job.by = g ? sampler_open(&c->sampling, g->count, a) : NULL;
    bool ok = g && generate(g, &job, 1, c->env, e);
    generator_close(g);
    w->c->drawn += (size_t)job.drawn;
    return ok;
}

static bool make_melody(work *w, err *e)
{
    arena *a = w->c->arena;
    w->form = form_of(a, w->plan);
    w->setting = (melody_setting){w->plan, &w->form, melody_scales(a, w->plan)};
    w->pitches = NEW(a, int, w->form.n + 1);
    w->r = band_open(a, w->plan, w->form.n);
    if (w->c->melody && !draw_melody(w, e))
        return false;
    if (!w->c->melody)
        melody_draw(&w->setting, a, w->pitches);
    band_melody(w->r, &w->form, w->pitches);
    arrange_settle(w->r);
    return true;
}

// ---- Harmony

// The share of the melody of a bar that is of a chord, at least 0.05.
static double carried(const work *w, int bar, uint16_t chord)
{
    double on = 0, all = 0;
    for (size_t i = w->form.first[bar]; i < w->form.first[bar + 1]; i++) {
        all += w->form.slots[i].quarters;
        on += mask_has(chord, w->pitches[i]) ? w->form.slots[i].quarters : 0;
    }
    return all > 0 ? fmax(0.05, on / all) : 1;
}

static void by_mode(void *user, int bar, float *logits)
{
    const work *w = user;
    uint16_t mode = mode_mask(w->plan->root, w->plan->mode);
    int own = chord_to_id(w->plan->chords[bar]);
    for (int id = 0; id < CHORD_NONE; id++) {
        uint16_t chord = chord_mask(chord_from_id(id));
        bool fits = id == own || !(chord & ~mode);
        logits[id] = fits ? logits[id] + 2 * (float)log(carried(w, bar, chord)) : -INFINITY;
    }
}

static bool make_harmony(work *w, err *e)
{
    composition *c = w->c;
    const song_plan *p = w->plan;
    int *ids = NULL;
    c->chords = p->chords;
    if (c->harmony) {
        voice_chords how = {
            .emotion = w->vector, .sampling = &c->sampling, .weigh = by_mode, .user = w};
        if (!voice_draw_chords(c->harmony, c->env->kit, &how, w->r, &ids, e))
            return false;
        c->chords = NEW(c->arena, chord_symbol, (size_t)p->bars);
        for (int bar = 0; bar < p->bars; bar++)
            c->chords[bar] = bar + 1 == p->bars || ids[bar] == CHORD_NONE ||
                                     ids[bar] == chord_to_id(p->chords[bar])
                                 ? p->chords[bar]
                                 : chord_from_id(ids[bar]);
    }
    band_accompany(w->r, p, &w->form, c->chords);
    arrange_settle(w->r);
    return true;
}

// ---- How it is played

static bool make_expression(work *w, err *e)
{
    const composition *c = w->c;
    float groove[GROOVE];
    band_groove(w->plan, groove);
    if (c->groove && !voice_groove(c->groove, c->env->kit, w->vector, groove, e))
        return false;
    arrange_groove(w->r, groove);
    if (c->dynamics)
        return voice_dynamics(c->dynamics, c->env->kit, w->r, e);
    band_dynamics(w->r, w->plan, &w->form);
    return true;
}

bool compose(composition *c, err *e)
{
    work w = {.c = c, .plan = c->plan};
    c->sampling.seed = c->plan->seed, c->drawn = 0;
    emotion_vector(c->plan->valence, c->plan->arousal, c->plan->intensity, w.vector);
    if (c->player && c->plan->bars < COMPOSE_EVENTS_LEAST)
        return err_set(e, ERR_USAGE, "a player needs %d bars or more, and the plan has %d",
                       COMPOSE_EVENTS_LEAST, c->plan->bars);
    bool ok = make_melody(&w, e) && make_harmony(&w, e) && make_expression(&w, e);
    if (ok && c->player)
        ok = (w.r = player_go_on(c, w.r, w.vector, w.setting.scale, e)) != NULL;
    c->song = ok ? w.r->song : NULL;
    return ok;
}

json *compose_chords(const composition *c)
{
    const song_plan *p = c->plan;
    json *list = json_array();
    char name[CHORD_TEXT];
    for (int i = 0; i < p->bars; i++) {
        chord_print(c->chords[i], key_sharps(p->root, p->mode), name);
        json_push_str(list, name);
    }
    return list;
}
