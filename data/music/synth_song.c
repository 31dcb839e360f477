// SPDX-License-Identifier: GPL-3.0-or-later
// synth_song.c: a synthetic piece as MIDI for a piano (synth.h): the notes that its sound is made
// of.
//
// What a MIDI player does with a velocity is roughly amplitude = (velocity / 127)^2, so a note of
// amplitude x (its own strength times the piece's loudness) has velocity 127 sqrt(x). Tempo, mode,
// register and articulation are in the notes; brightness and the player's tuning and timbre have no
// place in MIDI.
#include <math.h>

#include "data/midi/midi_write.h"
#include "data/music/synth.h"

// Sharps of the scale on this tonic: fifths away from C, or for minor from A; -5 .. 6.
static int sharps_of(const synth_piece *p)
{
    int fifths = (p->tonic + (p->major ? 0 : 3)) * 7 % 12;
    return fifths > 6 ? fifths - 12 : fifths;
}

static midi_note note_of(const synth_piece *p, const synth_note *n, double ticks_a_second)
{
    double velocity = 127 * sqrt(n->velocity * p->loudness);
    uint32_t start = (uint32_t)lrint(n->start * ticks_a_second),
             end = (uint32_t)lrint((n->start + n->length) * ticks_a_second);
    return (midi_note){.start = n->start,
                       .end = n->start + n->length,
                       .start_tick = start,
                       .end_tick = end > start ? end : start + 1,
                       .pitch = (uint8_t)n->pitch,
                       .velocity = (uint8_t)lrint(velocity < 1     ? 1
                                                  : velocity > 127 ? 127
                                                                   : velocity)};
}

midi_song *synth_song(arena *a, const synth_piece *p)
{
    midi_song *s = midi_blank(a, p->tempo, 4, 1, (size_t)p->n_notes);
    s->n_keys = 1;
    s->keys = NEW(a, midi_key, 1),
    *s->keys = (midi_key){.sharps = sharps_of(p), .minor = !p->major};
    for (int i = 0; i < p->n_notes; i++) {
        s->notes[i] = note_of(p, &p->notes[i], p->tempo / 60 * MIDI_WRITE_TICKS);
        s->seconds = fmax(s->seconds, s->notes[i].end);
    }
    s->n_notes = s->instruments->notes = (size_t)p->n_notes;
    return s;
}
