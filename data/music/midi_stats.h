// SPDX-License-Identifier: GPL-3.0-or-later
// midi_stats.h: 32 numbers that say what kind of music a MIDI file is. What dynamics_engine and
// spectocloud_vit take.
//
//     float x[MIDI_STATS];
//     midi_stats(&scratch, song, x);
//     x[MIDI_STATS_TEMPO] * 200                   // quarters a minute
//
// All are 0 for a song without notes, each is 0 where there is nothing to measure (a song of drums
// has no pitch), none is ever NaN, and all lie in [0, 1] but two: the standard deviations 27 and 30
// stay below 0.51 and 1.34. Deviations are those of the whole (divided by n). Drums count for
// everything that is about strokes and time, not for what is about pitch and how long notes are
// held.
#ifndef KMIDI_DATA_MUSIC_MIDI_STATS_H
#define KMIDI_DATA_MUSIC_MIDI_STATS_H

#include "data/midi/midi.h"

// place, number, unit. With drums: d; without: -.
typedef enum midi_stat {
    MIDI_STATS_PITCH_CLASS = 0, // - 12 shares of sounding time, C first; they add up to 1
    MIDI_STATS_VELOCITY = 12,   // d mean velocity / 127
    MIDI_STATS_DENSITY = 13,    // d notes a second / 10, cut at 1
    MIDI_STATS_TEMPO = 14,      //   mean quarters a minute over time / 200, cut at 1 (bars.h)
    // d instruments that play / 8, cut at 1; (program, channel, track) is one
    MIDI_STATS_INSTRUMENTS = 15,
    MIDI_STATS_PROGRAMS = 16,   // - distinct programs / 16, cut at 1
    MIDI_STATS_DRUMS = 17,      //   notes of drums / notes
    MIDI_STATS_LENGTH = 18,     // - mean length of notes / 5 s, cut at 1
    MIDI_STATS_LENGTH_DEV = 19, // - its standard deviation / 5 s, cut at 1
    MIDI_STATS_RANGE = 20,      // - (highest - lowest pitch) / 127
    // - most notes that sound at one moment / 16, cut at 1; one that ends as another begins is over
    MIDI_STATS_TOGETHER = 21,
    MIDI_STATS_PITCH = 22, // - mean pitch / 127
    // d standard deviation of the times between successive moments of onset, s, cut at 1
    MIDI_STATS_INTERVAL_DEV = 23,
    MIDI_STATS_MAJOR = 24, // - correlation with the best major key (key.h)
    MIDI_STATS_MINOR = 25, // - with the best minor key
    // - mean of min(1, length / time to the instrument's next onset): 0.5 staccato, 1 legato
    MIDI_STATS_ARTICULATION = 26,
    MIDI_STATS_VELOCITY_DEV = 27, // d standard deviation of velocity / 127
    MIDI_STATS_OFF_BEAT = 28,     // d share of notes whose nearest sixteenth is no beat (bars.h)
    MIDI_STATS_PEDAL = 29,        //   share of the song's time in which some pedal is down
    MIDI_STATS_PITCH_DEV = 30,    // - standard deviation of pitch / 48
    MIDI_STATS_SILENCE = 31,      // d share of the song's time in which no note sounds
    MIDI_STATS = 32
} midi_stat;

// `scratch` is given back.
void midi_stats(arena *scratch, const midi_song *s, float out[MIDI_STATS]);

// Numbers behind some of them, not cut. Length over inter-onset interval as in Bresin and Battel,
// "Articulation strategies in expressive piano performance", Journal of New Music Research 29,
// 2000. 0 where no instrument plays twice.
double midi_articulation(arena *scratch, const midi_song *s);
// moments at which notes begin, drums too; notes that begin together are one
size_t midi_onsets(const midi_song *s);

#endif
