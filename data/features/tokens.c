// SPDX-License-Identifier: GPL-3.0-or-later
// tokens.c: a song as the events of tokens.h, event for event as note-seq makes them
// (docs/tokens.md has the rules and their sources).
//
//     notes -> the pedal lengthens them -> starts and ends in steps of 10 ms -> on and off events
//     in order -> time and velocity between
//
// The pedal, from note-seq's apply_sustain_control_changes: while it is down, a note's end waits
// for the next strike of its pitch by the same instrument, or for the pedal to come up. A strike
// under the pedal also ends a note that is still held; of two at the same moment the first is taken
// out. Drums know no pedal.
//
// step = floor(100 t + 1/2), the product rounded before the sum: a fused operation would now and
// then give another step than note-seq has.
#include <string.h>

#include "base/order.h"
#include "base/variant.h"
#include "data/features/feature.h"
#include "data/music/key.h"
#include "data/music/tokens.h"

enum { NONE = -1, GONE = -1 };

// What is left of a note.
typedef struct event {
    double end; // seconds, GONE when it was taken out
    uint32_t start_step, end_step;
    uint8_t pitch, bin;
} event;

typedef struct encoder {
    const midi_song *s;
    bool drums;
    int semitones; // that notes but drums are moved by
    arena *work;
    event *notes; // [n_notes] as in the song, then without those that are gone
    size_t n;
    uint16_t *out;
    size_t n_out;
} encoder;

// ---- The pedal

// The span in which the pedal is down at t, or NULL.
static const midi_pedal *span_at(const midi_song *s, const midi_instrument *in, double t)
{
    const midi_pedal *p = s->pedals + in->first_pedal;
    size_t lo = 0, hi = in->pedals;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (p[mid].end <= t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < in->pedals && p[lo].start <= t ? &p[lo] : NULL;
}

// next[i]: the first note behind note i that strikes its pitch again, by the same instrument and
// under the pedal, or NONE.
static int32_t *chain(const encoder *k)
{
    const midi_song *s = k->s;
    size_t keys = s->n_instruments * 128;
    int32_t *next = NEW(k->work, int32_t, s->n_notes), *head = NEW(k->work, int32_t, keys);
    memset(head, 0xff, keys * sizeof *head); // NONE
    for (size_t i = s->n_notes; i-- > 0;) {
        const midi_note *x = &s->notes[i];
        int32_t *h = &head[x->instrument * 128 + x->pitch];
        next[i] = *h;
        if (span_at(s, &s->instruments[x->instrument], x->start))
            *h = (int32_t)i;
    }
    return next;
}

static double lengthened(const midi_song *s, const midi_instrument *in, const int32_t *next,
                         size_t i)
{
    const midi_note *x = &s->notes[i];
    const midi_pedal *down = span_at(s, in, x->end);
    double end = down ? down->end : x->end, again = next[i] == NONE ? end : s->notes[next[i]].start;
    return again >= end ? end : again > x->start ? again : GONE;
}

static bool any_pedal(const midi_song *s)
{
    for (size_t i = 0; i < s->n_instruments; i++)
        if (s->instruments[i].pedals && !s->instruments[i].is_drum)
            return true;
    return false;
}

static void find_ends(encoder *k)
{
    const midi_song *s = k->s;
    const int32_t *next = any_pedal(s) ? chain(k) : NULL;
    for (size_t i = 0; i < s->n_notes; i++) {
        const midi_instrument *in = &s->instruments[s->notes[i].instrument];
        if (in->is_drum)
            k->notes[i].end = k->drums ? s->notes[i].end : GONE;
        else
            k->notes[i].end = in->pedals ? lengthened(s, in, next, i) : s->notes[i].end;
    }
}

// ---- Steps

static uint32_t step_of(double seconds)
{
    volatile double steps = seconds * TOKENS_STEPS;
    return (uint32_t)(steps + 0.5);
}

static void quantise(encoder *k)
{
    for (size_t i = 0; i < k->s->n_notes; i++) {
        const midi_note *x = &k->s->notes[i];
        double end = k->notes[i].end;
        if (end < 0)
            continue;
        event *ev = &k->notes[k->n++];
        bool drum = k->s->instruments[x->instrument].is_drum;
        *ev = (event){end, step_of(x->start), step_of(end),
                      (uint8_t)(x->pitch + (drum ? 0 : k->semitones)),
                      (uint8_t)((x->velocity - 1) / TOKENS_BIN + 1)};
        ev->end_step += ev->end_step == ev->start_step;
    }
}

// ---- Events

typedef struct state {
    uint32_t step;
    uint8_t bin;
} state;

static void emit(encoder *k, state *now, uint32_t step, int token, uint8_t bin)
{
    uint16_t *p = k->out + k->n_out;
    for (; step > now->step + TOKENS_STEPS; now->step += TOKENS_STEPS)
        *p++ = TOKENS_SHIFT + TOKENS_STEPS - 1;
    if (step > now->step)
        *p++ = (uint16_t)(TOKENS_SHIFT + (step - now->step) - 1);
    now->step = step;
    if (bin && bin != now->bin)
        *p++ = (uint16_t)(TOKENS_VELOCITY + bin - 1);
    now->bin = bin ? bin : now->bin;
    *p++ = (uint16_t)token;
    k->n_out = (size_t)(p - k->out);
}

// Ons are in order already. Of one step, the events of an earlier note come first.
static void merge(encoder *k, const order_item *offs)
{
    state now = {0, 0};
    for (size_t i = 0, j = 0; j < k->n;) {
        const event *on = &k->notes[i], *off = &k->notes[offs[j].index];
        if (i < k->n && (on->start_step < off->end_step ||
                         (on->start_step == off->end_step && i <= offs[j].index))) {
            emit(k, &now, on->start_step, TOKENS_ON + on->pitch, on->bin);
            i++;
        } else {
            emit(k, &now, off->end_step, TOKENS_OFF + off->pitch, 0);
            j++;
        }
    }
}

static bool encode(const feature *f, const midi_song *s, arena *a, feature_rows *out, err *e)
{
    arena work = {.name = "tokens"};
    const tokens_settings *o = f->settings;
    encoder k = {.s = s,
                 .drums = o->drums,
                 .semitones = o->to_c ? key_to_c(s, -1) : 0,
                 .work = &work,
                 .notes = NEW(&work, event, s->n_notes + 1)};
    (void)e;
    find_ends(&k);
    quantise(&k);
    order_item *offs = NEW(&work, order_item, 2 * k.n + 1);
    uint32_t last = 0;
    for (size_t i = 0; i < k.n; i++) {
        offs[i] = (order_item){k.notes[i].end_step, (uint32_t)i};
        last = k.notes[i].end_step > last ? k.notes[i].end_step : last;
    }
    order_items(offs, offs + k.n, k.n);
    // A note is an on, an off, a velocity and the last shift before each; the shifts of a second
    // before those are bounded by the time.
    k.out = NEW(a, uint16_t, 5 * k.n + last / TOKENS_STEPS + 1);
    merge(&k, offs);
    *out = (feature_rows){k.out, (int64_t)k.n_out};
    arena_free(&work);
    return true;
}

const feature_def VARIANT(feature_tokens) = {
    .name = "tokens",
    .help = "MIDI as performance events: notes on and off, time, velocity (docs/tokens.md)",
    .source = FEATURE_SONG,
    .table = tokens_table,
    .table_n = &tokens_table_n,
    .settings_size = sizeof(tokens_settings),
    .rows = {.type = FEATURE_U16, .width = 1, .least = 1, .below = TOKENS_COUNT},
    .song = encode,
};
