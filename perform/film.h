// SPDX-License-Identifier: GPL-3.0-or-later
// film.h: frames on their way out, by a thread of its own: who draws never waits for who reads.
//
//     film *f = film_open(&(film_setup){.path = "-", .width = 640, .height = 360, .fps = 60}, a,
//     e);
//     film_frame *to = film_next(f);          // NULL: four frames wait; this one is not written
//     if (to) draw(to->rgb), film_push(f);
//     film_close(f, &frames, e)
//
// What it writes is said by the name:
//
//     NAME.y4m, -, a pipe   YUV4MPEG2, 4:4:4, which carries size and rate:
//                           ... | ffplay -     ... | ffmpeg -i - -c:v libx264 evening.mp4
//     NAME.rgb              bytes alone: ffmpeg -f rawvideo -pixel_format rgb24 -video_size 640x360
//                           -framerate 60 -i NAME.rgb
//     NAME.jsonl            a line a frame: {"frame", "time", "valence", "arousal", "points": [[x,
//                           y, z, red, green, blue, alpha, size, glow, depth], ...]}
//     a folder              frame-000001.ppm ...
//
// A film has a place for every frame of its rate. Where one was not drawn in time, or the reader
// was too slow, the one before it stands there again, so that picture and music stay together; of
// points and of files it is left out, and the numbers show it. A file gets its name when it is
// whole. A reader that goes away ends the film, not the music.
#ifndef KMIDI_PERFORM_FILM_H
#define KMIDI_PERFORM_FILM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

enum { FILM_AHEAD = 4 };

typedef struct film_setup {
    const char *path;
    int width, height, fps;
    bool wait; // film_next waits for a place: no frame is ever left out
} film_setup;

typedef struct film_frame {
    int64_t number; // from 0
    double time, valence, arousal;
    bool blank;    // there are no points
    uint8_t *rgb;  // [height][width][3]
    float *points; // [CLOUD_POINTS][CLOUD_WIDTH]
} film_frame;

typedef struct film film;

film *film_open(const film_setup *o, arena *a, err *e) MUST_CHECK;
void film_abandon(film *f);            // it never was: what lies at its path stays; accepts NULL
bool film_is_folder(const char *path); // what a film of that name is
bool film_wants_points(const film *f); // and no pixels
film_frame *film_next(film *f);
void film_push(film *f);
// What is still there is written. *frames: that were; ERR_IO where they could not all be.
bool film_close(film *f, int64_t *frames, err *e) MUST_CHECK;
bool film_gone(film *f); // the reader went away

#endif
