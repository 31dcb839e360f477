// SPDX-License-Identifier: GPL-3.0-or-later
// cloud.h: sound, notes and an emotion as a cloud of 1200 points in the order of time: what
// spectocloud_vit learns to draw. docs/spectocloud.md has a picture and where the numbers are from.
//
// The piece, T seconds, is cut into 64 slices. Of a slice's sound (bands b of power p_b, in mel
// frames)
//
//     L  loudness     1 + dB / 60 against the loudest slice, within [0, 1]
//     B  brightness   sum b p_b / sum p_b, as a share of the bands
//     F  change       sum |p_b - before| / sum (p_b + before)
//
// and of its notes but drums', a sixteenth of T around its middle, weighed by how long they sound
// there (of a slice without any: those of the slice before it, N = 0)
//
//     Y  pitch        (mean pitch - 36) / 72              V  mean velocity / 127
//     S  tension      deviation of the pitch / 12         R  (highest - lowest) / 48
//     N  density      onsets a second / 20
//
// all within [0, 1]. Between the middles of slices they are linear. Point i of P = 1200 stands
// where the share (i + 1/2) / P of the integral of 1/4 + 3/4 L is reached: x, the time in [0, 1],
// closer where it is loud. Around the music's place it is scattered by two numbers u, v of Roberts'
// R2 sequence, in which no draw is left to chance ("The unreasonable effectiveness of quasirandom
// sequences", 2018), with valence v_e, arousal a and intensity I of the emotion:
//
//     spread  s = (0.16 + 0.22 F) (1 + max(0, a) / 2) / 4         r = sqrt(-2 ln(1 - u))
//     y = Y + s r cos(2 pi v)                                     within [0, 1], as is z
//     z = 0.35 S + 0.25 N + 0.2 V + 0.2 R + s r sin(2 pi v) (1 + I) / 2
//     charge  c = 0.94 c of the slice before + 0.06 e             e = L (0.35 + 0.65 max(0, a))
//     glow    0.6 (1/2 + c) / (1 + (r / 1.8)^2)
//     red, green, blue = coolwarm((v_e + 1) / 2 + 0.3 (B - 1/2)) + 0.3 glow, at most 1
//     alpha   0.3 + 0.4 c
//     size    (1/2 + V + L / 2) (0.7 + 0.6 g) within [0.5, 2]     g: a third such sequence
//     depth   0.3 + 0.7 z^1.5
//
// The same inputs give the same cloud, so a network has no noise to match, and point i of a cloud
// stands beside point i of another: colours can be compared by index.
#ifndef KMIDI_DATA_MUSIC_CLOUD_H
#define KMIDI_DATA_MUSIC_CLOUD_H

#include "data/audio/mel.h"
#include "data/midi/midi.h"

enum { CLOUD_POINTS = 1200, CLOUD_SLICES = 64 };
// Numbers of a point, in their order.
enum {
    CLOUD_X,
    CLOUD_Y,
    CLOUD_Z,
    CLOUD_RED,
    CLOUD_GREEN,
    CLOUD_BLUE,
    CLOUD_ALPHA,
    CLOUD_SIZE,
    CLOUD_GLOW,
    CLOUD_DEPTH,
    CLOUD_WIDTH
};

// What is known of a slice, all within [0, 1].
typedef struct cloud_slice {
    double loudness, brightness, change;             // of the sound
    double pitch, tension, density, velocity, range; // of the notes
} cloud_slice;

typedef struct cloud_emotion {
    double valence, arousal, intensity; // [-1, 1] twice, [0, 1]
} cloud_emotion;

// The sound's half of the slices from mel frames [n][s->n_mels], n >= 1.
void cloud_hear(const mel_settings *s, const float *frames, int64_t n,
                cloud_slice out[CLOUD_SLICES]);
// The notes' half, of a piece that lasts so long.
void cloud_read(const midi_song *song, double seconds, cloud_slice out[CLOUD_SLICES]);
// The cloud, out [CLOUD_POINTS][CLOUD_WIDTH].
void cloud_make(const cloud_slice s[CLOUD_SLICES], const cloud_emotion *e, float *out);

#endif
