// SPDX-License-Identifier: GPL-3.0-or-later
// eye.c: a line of frames and a list of notes, of which the window is always in one piece (eye.h).
#include "perform/eye.h"

#include <math.h>
#include <string.h>

#include "base/larger.h"
#include "data/music/emotions.h"
#include "data/music/midi_stats.h"
#include "infer/painter.h"
#include "perform/tones.h"
#include "serve/ear.h"

enum { SCRATCH = 1 << 20, TICKS = 480 }; // bytes for the statistics; ticks of a quarter

struct eye {
    eye_setup setup;
    const mel_settings *mel;
    feature *feature;
    ear *ear;
    tones *tones;
    painter *painter; // NULL: the rule
    // Frames: the last `most` at least lie in one piece, ending at [n]
    float *frames; // [2 * most][bands], as the network wants them, or as they are for the rule
    float *frame;  // [bands]
    int64_t most, n, all;
    int64_t heard;            // samples
    midi_note *notes, *shown; // [EYE_NOTES] by start; end INFINITY: it sounds
    size_t n_notes;
    midi_instrument players[MIDI_CHANNELS];
    midi_tempo tempo;
    midi_metre metre;
    midi_song song;
    score_bar bar;
    arena scratch;
    float emotion[EMOTION_SIZE];
};

// ---- Opening

static bool take_feature(eye *y, arena *a, err *e)
{
    const trained *d = y->setup.draws;
    const feature_def *def = d ? d->feature : feature_find("mel", e);
    void *settings = d || !def ? NULL : feature_settings(def, a);
    if (!d && (!def || !feature_set(def, settings, "preset", "librosa", e) ||
               !feature_resolve(def, settings, e)))
        return false;
    y->mel = d ? d->mel : settings;
    return (y->feature = feature_open(def, y->mel, e)) != NULL;
}

static void blank_song(eye *y)
{
    for (int i = 0; i < MIDI_CHANNELS; i++)
        y->players[i] = (midi_instrument){
            .channel = (uint8_t)i, .is_drum = i == MIDI_DRUMS, .track = (uint16_t)i};
    y->tempo = (midi_tempo){.us_per_quarter = 5e5};
    y->metre = (midi_metre){.numerator = 4, .denominator = 4};
    y->song = (midi_song){.instruments = y->players,
                          .n_instruments = MIDI_CHANNELS,
                          .tempos = &y->tempo,
                          .n_tempos = 1,
                          .metres = &y->metre,
                          .n_metres = 1,
                          .ticks_per_quarter = TICKS};
}

eye *eye_open(const eye_setup *o, arena *a, err *e)
{
    eye *y = NEW(a, eye, 1);
    *y = (eye){.setup = *o, .scratch = {.name = "statistics"}};
    if (!take_feature(y, a, e) ||
        (o->draws && !(y->painter = painter_open(o->draws, o->env, a, e)))) {
        eye_close(y);
        return NULL;
    }
    int bands = y->mel->n_mels;
    y->ear = ear_open(y->feature, y->feature->rate, a);
    y->tones = tones_open(y->feature->rate, a);
    y->most = (int64_t)(o->window * y->feature->rate / (double)y->feature->hop) + 1;
    y->frames = NEW(a, float, (size_t)(2 * y->most * bands));
    y->frame = NEW(a, float, (size_t)bands);
    y->notes = NEW(a, midi_note, EYE_NOTES), y->shown = NEW(a, midi_note, EYE_NOTES);
    (void)arena_alloc(&y->scratch, SCRATCH, 1);
    arena_reset(&y->scratch);
    blank_song(y);
    return y;
}

void eye_close(eye *y)
{
    if (!y)
        return;
    painter_close(y->painter);
    feature_close(y->feature);
    arena_free(&y->scratch);
}

// ---- What is played

void eye_bar(eye *y, const score_bar *b)
{
    y->bar = *b;
    y->tempo.us_per_quarter = 1e6 * b->seconds / b->beats;
    y->metre.numerator = b->beats;
    emotion_vector(b->valence, b->arousal, b->intensity, y->emotion);
}

static void begin_note(eye *y, const score_event *x)
{
    if (y->n_notes == EYE_NOTES)
        memmove(y->notes, y->notes + 1, --y->n_notes * sizeof *y->notes);
    y->notes[y->n_notes++] = (midi_note){.start = x->at,
                                         .end = INFINITY,
                                         .instrument = x->bytes[0] & 15,
                                         .pitch = x->bytes[1],
                                         .velocity = x->bytes[2]};
}

static void end_note(eye *y, const score_event *x)
{
    for (size_t i = y->n_notes; i-- > 0;) {
        midi_note *n = &y->notes[i];
        if (isinf(n->end) && n->pitch == x->bytes[1] && n->instrument == (x->bytes[0] & 15)) {
            n->end = larger(x->at, n->start + 1e-3);
            return;
        }
    }
}

void eye_event(eye *y, const score_event *x)
{
    int kind = x->bytes[0] & 0xf0;
    double from_now = x->at * y->feature->rate - (double)y->heard;
    tones_event(y->tones, x, from_now > 0 ? (int64_t)from_now : 0);
    if (kind == MIDI_PROGRAM)
        y->players[x->bytes[0] & 15].program = x->bytes[1];
    else if (kind == MIDI_NOTE_ON)
        begin_note(y, x);
    else if (kind == MIDI_NOTE_OFF)
        end_note(y, x);
}

// ---- Sound

static void keep_frame(eye *y)
{
    const trained *d = y->setup.draws;
    int bands = y->mel->n_mels;
    size_t row = (size_t)bands;
    if (y->n == 2 * y->most) {
        y->n = y->most - 1;
        memmove(y->frames, y->frames + (size_t)(y->most + 1) * row,
                (size_t)y->n * row * sizeof(float));
    }
    float *to = y->frames + (size_t)y->n * row;
    if (d)
        loader_row(y->frame, 1, 0, 1, bands, d->hear.mean, d->hear.deviation, to);
    else
        memcpy(to, y->frame, row * sizeof *to);
    y->n++, y->all++;
}

static void hear(eye *y, int64_t until)
{
    float x[EAR_BLOCK];
    for (int64_t k; y->heard < until; y->heard += k) {
        k = until - y->heard < EAR_BLOCK ? until - y->heard : EAR_BLOCK;
        tones_play(y->tones, x, k);
        for (ear_push(y->ear, x, k); ear_next(y->ear, y->frame);)
            keep_frame(y);
    }
}

// ---- Notes

static void forget(eye *y, double from)
{
    size_t kept = 0;
    for (size_t i = 0; i < y->n_notes; i++)
        if (y->notes[i].end > from)
            y->notes[kept++] = y->notes[i];
    y->n_notes = kept;
}

// The window as a song that begins at `from`; ticks count from its last bar line before, so that
// beats are where they are.
static void show(eye *y, double from, double to)
{
    midi_song *s = &y->song;
    double quarter = y->tempo.us_per_quarter / 1e6, bar = y->bar.seconds,
           grid = bar > 0 ? from - (y->bar.at + bar * floor((from - y->bar.at) / bar)) : 0;
    s->notes = y->shown, s->n_notes = 0;
    s->seconds = to - from;
    for (size_t i = 0; i < y->n_notes; i++) {
        midi_note n = y->notes[i];
        if (n.start >= to)
            continue;
        n.start = larger(0, n.start - from), n.end = (n.end < to ? n.end : to) - from;
        n.end = larger(n.end, n.start + 1e-3);
        n.start_tick = (uint32_t)llrint((n.start + grid) / quarter * TICKS);
        n.end_tick = (uint32_t)llrint((n.end + grid) / quarter * TICKS);
        n.end_tick += n.end_tick == n.start_tick;
        s->notes[s->n_notes++] = n;
    }
}

// ---- The cloud

static bool by_network(eye *y, int64_t n, float *points, err *e)
{
    float midi[MIDI_STATS];
    midi_stats(&y->scratch, &y->song, midi);
    loader_squeeze(y->frames + (y->n - n) * y->mel->n_mels, n, y->mel->n_mels, CLOUD_SLICES,
                   painter_picture(y->painter));
    return painter_paint(y->painter, midi, y->emotion, points, e);
}

static void by_rule(eye *y, int64_t n, float *points)
{
    cloud_slice slices[CLOUD_SLICES];
    cloud_emotion feels = {y->emotion[0], y->emotion[1], y->emotion[2]};
    cloud_hear(y->mel, y->frames + (y->n - n) * y->mel->n_mels, n, slices);
    cloud_read(&y->song, y->song.seconds, slices);
    cloud_make(slices, &feels, points);
}

bool eye_look(eye *y, double now, eye_cloud *out, err *e)
{
    const feature *f = y->feature;
    hear(y, (int64_t)(now * f->rate));
    int64_t n = y->n < y->most ? y->n : y->most;
    double hop = (double)f->hop / f->rate;
    out->to = (double)y->all * hop, out->from = out->to - (double)n * hop;
    out->valence = y->bar.valence, out->arousal = y->bar.arousal;
    out->blank = n == 0;
    if (out->blank)
        return true;
    forget(y, out->from);
    show(y, out->from, out->to);
    if (y->painter)
        return by_network(y, n, out->points, e);
    by_rule(y, n, out->points);
    return true;
}
