// SPDX-License-Identifier: GPL-3.0-or-later
// augment_midi.h: the same music a little higher, slower, louder or thinner, on the rows of song
// shards, while they are loaded.
//
// A draw is a function of (seed, epoch, position), so that a resumed run draws the same. Its four
// numbers mean
//
//     transpose   semitones, a whole number, every one of the range as likely
//     stretch     times are multiplied by it: 1.05 is 5 % slower (note-seq's stretch factor; a
//                 "rate" is 1 / stretch)
//     velocity    velocities are multiplied by it, and end at 1 and 127
//     drop        this share of the notes, each on its own, is left out
//
// The kinds and their usual ranges are those of Oore et al., "This Time with Feeling" (2018): up to
// 3 semitones or 6, and 0.95 to 1.05. As in note-seq's augment_note_sequence no note is ever lost
// by transposing: where one would leave the 128 pitches, the slice is transposed only as far as all
// of it fits. What a slice cannot know, its beginning and its end, is treated so that nothing wrong
// is learnt: see augment_tokens.
//
//     augment_midi s = {.transpose = {-5, 6}, .stretch = {0.95, 1.05}, .velocity = {0.9, 1.1},
//         .drop = 0.05};
//     midi_draw d = augment_midi_draw(&s, seed, epoch, position);
//     int64_t raw = augment_tokens_raw(&s, T + 1);        // so many tokens of the shard
//     n = augment_tokens(&d, in, raw, out, T + 1);
//
// All functions are pure, allocate nothing and take microseconds. They trust their rows (shard.h
// has checked them). Where music is described by time (stretch) or pitch, all that is said of it
// changes with it; what is left alone is said at each function.
#ifndef KMIDI_DATA_LOADER_AUGMENT_MIDI_H
#define KMIDI_DATA_LOADER_AUGMENT_MIDI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"

// What a configuration asks for. All zeros is nothing: a stretch or velocity of {0, 0} counts as
// {1, 1}.
typedef struct augment_midi {
    int transpose[2];               // lowest, highest; -127..127
    double stretch[2], velocity[2]; // lowest, highest; above 0
    double drop;                    // [0, 1)
} augment_midi;

typedef struct midi_draw {
    int transpose;
    float stretch, velocity, drop;
    rng notes; // by which notes are dropped
    uint64_t epoch;
} midi_draw;

bool augment_midi_asked(const augment_midi *s); // anything at all
midi_draw augment_midi_draw(const augment_midi *s, uint64_t seed, uint64_t epoch,
                            uint64_t position);

// A slice of tokens (tokens.h, dialect note-seq-388) into at most `most` tokens of out, which is
// another array. Returns how many there are.
//
// Transposing alone maps token for token. Otherwise times and velocities are written anew before
// the events they belong to, as the encoder writes them: time is counted from the slice's
// beginning, multiplied, and rounded only then, so that no error adds up; a note that began in the
// slice still lasts a step at least; a velocity stands only where it differs from the last. Time
// and velocity that wait for an event behind the end of the slice are left out.
//
// A dropped note takes its note-off with it (first in, first out, as tokens_decode has it). The
// note-off of a note that began before the slice stays, and a note whose velocity was given before
// the slice keeps it.
size_t augment_tokens(const midi_draw *d, const uint16_t *in, size_t n, uint16_t *out, size_t most);
// How many tokens a slice should have so that `wanted` come out of it nearly always: fewer remain
// where time shrinks or notes are dropped.
size_t augment_tokens_raw(const augment_midi *s, size_t wanted);

// Pitches of a melody, in place. Transposes; a row of pitches has neither times nor velocities, and
// dropping would change its intervals.
void augment_melody(const midi_draw *d, uint16_t *pitches, size_t n);
// A row of the column "harmony" (harmony.h's 64 numbers and the chord's id), in place. Transposes:
// the four rows of pitch classes and the chord's root.
void augment_harmony(const midi_draw *d, float *row);
// The 32 statistics of midi_stats.h, in place: transpose, stretch and velocity. A number that was
// cut at 1 stays there.
void augment_stats(const midi_draw *d, float *stats);
// A row of the column "dynamics" (32 statistics, then a curve of 16), in place: the statistics, and
// the curve by velocity.
void augment_dynamics(const midi_draw *d, float *row);

#endif
