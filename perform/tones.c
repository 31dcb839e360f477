// SPDX-License-Identifier: GPL-3.0-or-later
// tones.c: sixty-four tones that begin and end within blocks (tones.h).
#include "perform/tones.h"

#include <math.h>
#include <string.h>

#include "data/midi/midi.h"
#include "data/music/additive.h"

#define LOUD 0.3

typedef struct tone {
    bool sounds;
    int channel, pitch;
    int64_t wait, left; // samples until it begins; until it is let go, from now; -1: not known
    additive_tone own;
} tone;

struct tones {
    int rate, program[MIDI_CHANNELS], oldest;
    tone list[TONES_MOST];
};

tones *tones_open(int rate, arena *a)
{
    tones *t = NEW(a, tones, 1);
    t->rate = rate;
    return t;
}

static tone *place(tones *t)
{
    for (int i = 0; i < TONES_MOST; i++)
        if (!t->list[i].sounds)
            return &t->list[i];
    t->oldest = (t->oldest + 1) % TONES_MOST;
    return &t->list[t->oldest];
}

static void strike(tones *t, int channel, int pitch, int velocity, int64_t from_now)
{
    tone *x = place(t);
    double loud = velocity / 127.0;
    additive_voice v = additive_voice_of(velocity, additive_rings(t->program[channel]));
    additive_note n = {.length = INFINITY, .pitch = pitch, .gain = LOUD * loud * loud};
    *x = (tone){.sounds = true, .channel = channel, .pitch = pitch, .wait = from_now, .left = -1};
    additive_begin(&x->own, &v, &n, t->rate);
}

static void let_go(tones *t, int channel, int pitch, int64_t from_now)
{
    for (tone *x = t->list; x < t->list + TONES_MOST; x++)
        if (x->sounds && x->left < 0 && x->channel == channel && x->pitch == pitch)
            x->left = from_now;
}

void tones_event(tones *t, const score_event *x, int64_t from_now)
{
    int kind = x->bytes[0] & 0xf0, channel = x->bytes[0] & 15;
    if (kind == MIDI_PROGRAM)
        t->program[channel] = x->bytes[1];
    else if (channel == MIDI_DRUMS)
        return;
    else if (kind == MIDI_NOTE_ON)
        strike(t, channel, x->bytes[1], x->bytes[2], from_now);
    else if (kind == MIDI_NOTE_OFF)
        let_go(t, channel, x->bytes[1], from_now);
}

// Its length is known once the moment to let go is.
static void run(tone *x, int rate, float *out, int64_t n)
{
    int64_t from = x->wait < n ? x->wait : n;
    if (x->left >= 0 && isinf(x->own.length)) {
        int64_t lasts = x->own.at + (x->left > x->wait ? x->left - x->wait : 0);
        x->own.length = (double)lasts / rate;
    }
    x->wait -= from;
    if (from < n)
        additive_run(&x->own, out + from, n - from);
    x->sounds = (double)x->own.at / rate < x->own.length + x->own.voice.release;
}

void tones_play(tones *t, float *x, int64_t n)
{
    memset(x, 0, (size_t)n * sizeof *x);
    for (int i = 0; i < TONES_MOST; i++)
        if (t->list[i].sounds)
            run(&t->list[i], t->rate, x, n);
}
