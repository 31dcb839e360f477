// SPDX-License-Identifier: GPL-3.0-or-later
// sky.h: the cloud of a piece (data/music/cloud.h): by a spectocloud_vit where one is open, else by
// the rule that it was trained on. Notes without a sound are played by the built-in synthesiser.
#ifndef KMIDI_SERVE_HTTP_SKY_H
#define KMIDI_SERVE_HTTP_SKY_H

#include "data/midi/midi.h"
#include "data/music/cloud.h"
#include "serve/http/route.h"

typedef struct sky {
    const midi_song *song; // NULL: none is known
    const char *sound;     // a file; NULL: the song is played
    double seconds;        // that the piece lasts; 0: as long as the sound
    cloud_emotion emotion;
    // set by sky_draw: the slices of its notes, where there are any, and of the sound, where the
    // rule heard it
    cloud_slice slices[CLOUD_SLICES];
    bool heard;
} sky;

// points [CLOUD_POINTS][CLOUD_WIDTH]; *by: who drew.
bool sky_draw(const house *h, sky *s, arena *a, float *points, const char **by, err *e) MUST_CHECK;

#endif
