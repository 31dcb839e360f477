// SPDX-License-Identifier: GPL-3.0-or-later
// augment_tokens.c: a slice of performance events, transposed, stretched, louder or softer, thinner
// (augment_midi.h).
//
// One pass with two clocks: `time`, raw steps since the slice began, and `step`, where the written
// events stand. Before an event
//
//     step <- max(step, round(time * stretch))
//
// is written as shifts, so rounding never adds up. To know whether a note-off belongs to a dropped
// note, nothing is stored but two counts a pitch: the k-th note-off that has a note belongs to the
// k-th note-on, and whether that is dropped is a function of (pitch, k).
#include <math.h>
#include <string.h>

#include "data/loader/augment_midi.h"
#include "data/music/tokens.h"

enum { PITCHES = 128 };

typedef struct writer {
    const midi_draw *d;
    int by; // semitones
    uint16_t *out;
    size_t n, most;
    int64_t time, step;
    // of velocity: as the slice has it, as it is written; 0: not yet
    int asked, bin;
    uint32_t ons[PITCHES], offs[PITCHES]; // of raw pitches; offs: those that have a note
    int64_t struck[PITCHES];              // step of the last note-on that was written
} writer;

static void put(writer *w, int token)
{
    if (w->n < w->most)
        w->out[w->n++] = (uint16_t)token;
}

static void advance(writer *w, int64_t to)
{
    for (; to - w->step > TOKENS_STEPS; w->step += TOKENS_STEPS)
        put(w, TOKENS_SHIFT + TOKENS_STEPS - 1);
    if (to > w->step)
        put(w, TOKENS_SHIFT + (int)(to - w->step) - 1);
    w->step = to > w->step ? to : w->step;
}

static int64_t stretched(const writer *w)
{
    return llround((double)w->time * (double)w->d->stretch);
}

static bool dropped(const writer *w, int pitch, uint32_t k)
{
    return w->d->drop > 0 &&
           rng_uniform(w->d->notes, w->d->epoch, k * PITCHES + (uint32_t)pitch) < w->d->drop;
}

// Bin b holds the velocities above 4 b - 3.5 and below 4 b + 0.5; its middle is multiplied.
static int louder(const writer *w, int bin)
{
    int to = (int)floor(((TOKENS_BIN * bin - 1.5) * (double)w->d->velocity + 3.5) / TOKENS_BIN);
    return to < 1 ? 1 : to > TOKENS_BINS ? TOKENS_BINS : to;
}

static void strike(writer *w, int pitch)
{
    if (dropped(w, pitch, w->ons[pitch]++))
        return;
    advance(w, stretched(w));
    if (w->asked && louder(w, w->asked) != w->bin) {
        w->bin = louder(w, w->asked);
        put(w, TOKENS_VELOCITY + w->bin - 1);
    }
    w->struck[pitch] = w->step;
    put(w, TOKENS_ON + pitch + w->by);
}

static void release(writer *w, int pitch)
{
    if (w->offs[pitch] < w->ons[pitch] && dropped(w, pitch, w->offs[pitch]++))
        return;
    // a step behind the last note of its pitch, if not more: of notes in unison none may vanish
    int64_t to = stretched(w);
    advance(w, to > w->struck[pitch] ? to : w->struck[pitch] + 1);
    put(w, TOKENS_OFF + pitch + w->by);
}

static int token_pitch(uint16_t token)
{
    return token < TOKENS_OFF ? token : token - TOKENS_OFF;
}

// How far the whole slice can be transposed.
static int reach(int wanted, const uint16_t *in, size_t n)
{
    int low = PITCHES - 1, high = 0;
    for (size_t i = 0; i < n; i++)
        if (in[i] < TOKENS_SHIFT) {
            int pitch = token_pitch(in[i]);
            low = pitch < low ? pitch : low;
            high = pitch > high ? pitch : high;
        }
    return wanted < -low ? -low : wanted > PITCHES - 1 - high ? PITCHES - 1 - high : wanted;
}

static size_t transpose(int by, const uint16_t *in, size_t n, uint16_t *out, size_t most)
{
    n = n < most ? n : most;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint16_t)(in[i] < TOKENS_SHIFT ? in[i] + by : in[i]);
    return n;
}

size_t augment_tokens(const midi_draw *d, const uint16_t *in, size_t n, uint16_t *out, size_t most)
{
    int by = reach(d->transpose, in, n);
    if (d->stretch == 1 && d->velocity == 1 && d->drop == 0)
        return transpose(by, in, n, out, most);
    writer w = {.d = d, .by = by, .out = out, .most = most};
    memset(w.struck, 0xff, sizeof w.struck); // -1: before all
    for (size_t i = 0; i < n && w.n < most; i++) {
        int x = in[i];
        if (x >= TOKENS_VELOCITY)
            w.asked = x - TOKENS_VELOCITY + 1;
        else if (x >= TOKENS_SHIFT)
            w.time += x - TOKENS_SHIFT + 1;
        else if (x >= TOKENS_OFF)
            release(&w, x - TOKENS_OFF);
        else
            strike(&w, x);
    }
    return w.n;
}

size_t augment_tokens_raw(const augment_midi *s, size_t wanted)
{
    double shrink = s->stretch[0] > 0 && s->stretch[0] < 1 ? 1 - s->stretch[0] : 0;
    bool same = s->drop == 0 &&
                (s->stretch[1] == 0 || (s->stretch[0] == 1 && s->stretch[1] == 1)) &&
                (s->velocity[1] == 0 || (s->velocity[0] == 1 && s->velocity[1] == 1));
    return same ? wanted
                : wanted + (size_t)ceil((double)wanted * (1.0 / 16 + shrink + 2 * s->drop));
}
