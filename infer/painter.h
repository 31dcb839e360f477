// SPDX-License-Identifier: GPL-3.0-or-later
// painter.h: a trained spectocloud_vit in use: sound, notes and an emotion to a cloud of points, by
// the same picture that training saw (data/loader/examples/cloud.c).
//
//     painter *p = painter_open(d, &env, &arena, e);            // d: trained.h, after trained_mel
//     painter_draw(p, &(scene){samples, n, song, NULL, emotion}, points, e);
//     painter_close(p);
#ifndef KMIDI_INFER_PAINTER_H
#define KMIDI_INFER_PAINTER_H

#include "data/midi/midi.h"
#include "data/music/cloud.h"
#include "infer/trained.h"

typedef struct painter painter;

typedef struct scene {
    const float *samples; // [n] at the rate of d->mel, mono
    int64_t n;
    const midi_song *song; // NULL: its statistics are zeros, as of no music at all
    const float *midi;     // [32] the statistics themselves; NULL: those of the song
    const float *emotion;  // [64]
} scene;

// Keeps what it needs in `a`. ERR_MISMATCH: the model draws no clouds.
painter *painter_open(const trained *d, const env *v, arena *a, err *e) MUST_CHECK;
// points [CLOUD_POINTS][CLOUD_WIDTH]. ERR_VALUE where they are not numbers.
bool painter_draw(painter *p, const scene *s, float *points, err *e) MUST_CHECK;
void painter_close(painter *p); // accepts NULL

// The same of a picture that is there already, without taking memory (but for what oneDNN does):
// painter_picture [bands][CLOUD_SLICES] is filled, then painted, with midi [32] and emotion [64].
float *painter_picture(painter *p);
bool painter_paint(painter *p, const float *midi, const float *emotion, float *points,
                   err *e) MUST_CHECK;

#endif
