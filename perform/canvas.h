// SPDX-License-Identifier: GPL-3.0-or-later
// canvas.h: a cloud as pixels, seen as `kmidi predict` draws it (data/music/cloud_write.h): time to
// the right, pitch upwards, tension towards the viewer, each point a core and the light around it.
//
//     canvas *c = canvas_open(640, 360, &arena);
//     canvas_draw(c, points, 0.01f, rgb);        // rgb [360][640][3]
//
// What lies behind is drawn first. `past` is how far time has gone on since the cloud was made, as
// a share of its window: the points move to the left by as much and fade at the edge, so that a
// cloud that is a frame late does not stutter. Takes nothing after it was opened.
#ifndef KMIDI_PERFORM_CANVAS_H
#define KMIDI_PERFORM_CANVAS_H

#include <stdint.h>

#include "base/arena.h"

enum { CANVAS_LEAST = 16, CANVAS_MOST = 4096 }; // pixels of a side

typedef struct canvas canvas;

canvas *canvas_open(int width, int height, arena *a);
// points [CLOUD_POINTS][CLOUD_WIDTH]; NULL: the night alone
void canvas_draw(canvas *c, const float *points, float past, uint8_t *rgb);

#endif
