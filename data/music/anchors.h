// SPDX-License-Identifier: GPL-3.0-or-later
// anchors.h: what the music is like, on the wall where a cloud (cloud.h) begins: points that stand
// still, each for one state of the music, and lit while the music is in it.
//
// They are those of KmiDi's renderer (music_brain/visualization/spectocloud.py): five families on
// a grid of what each is about, g and h from 0 to 1,
//
//     harmony   y = 0.2 + 0.6 g   z = 0.3 + 0.4 h   g tension, three h of complexity
//     rhythm    y = 0.3 + 0.4 g   z = 0.6 + 0.3 h   g density, two h of regularity
//     dynamics  y = 0.5           z = g             g energy
//     timbre    y = g             z = 0.5           g brightness
//     texture   y = z = 0.7 + 0.2 g                 g complexity
//
// and in each frame of 0.2 s the five likest, exp(-(x - g)^2 / (2 0.1^2)), are as active as they
// are like it, or stay as active as they were, which falls by 0.15 a frame. Known of the music are
// tension, density, velocity as energy and, where it was heard, brightness: complexity and
// regularity light nothing, as they do there.
//
//     anchor wall[ANCHORS_MOST];
//     int n = anchors_make(ANCHORS_NORMAL, wall);
//     anchors_light(wall, n, &(anchor_music){slices, seconds, true, true}, 12.4);
#ifndef KMIDI_DATA_MUSIC_ANCHORS_H
#define KMIDI_DATA_MUSIC_ANCHORS_H

#include "data/music/cloud.h"

enum { ANCHORS_MOST = 253 }; // of the dense ones: 26 x 3 + 25 x 2 + 50 + 50 + 25

typedef enum anchor_density { ANCHORS_SPARSE, ANCHORS_NORMAL, ANCHORS_DENSE } anchor_density;
typedef enum anchor_about {
    ANCHOR_TENSION,
    ANCHOR_DENSITY,
    ANCHOR_ENERGY,
    ANCHOR_BRIGHTNESS,
    ANCHOR_COMPLEXITY,
    ANCHOR_ABOUTS
} anchor_about;

typedef struct anchor {
    anchor_about about;
    double at;     // g: how much of it, [0, 1]
    double y, z;   // [0, 1]
    double active; // [0, 1]
} anchor;

typedef struct anchor_music {
    const cloud_slice *slices; // [CLOUD_SLICES]
    double seconds;            // that they last
    bool notes, sound;         // which halves of them are there
} anchor_music;

int anchors_make(anchor_density density, anchor out[ANCHORS_MOST]); // how many; none is active
// As they are `until` seconds behind the beginning.
void anchors_light(anchor *wall, int n, const anchor_music *m, double until);

#endif
