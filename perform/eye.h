// SPDX-License-Identifier: GPL-3.0-or-later
// eye.h: what is played, as clouds (docs/spectocloud.md), one whenever it is asked for: of the last
// `window` seconds, as if they were a whole piece.
//
//     eye *y = eye_open(&(eye_setup){.env = &env, .draws = trained, .window = 8}, &arena, e);
//     eye_bar(y, &bar), eye_event(y, &event);          // in order, those before the moment
//     eye_look(y, seconds, &cloud, e)                  // the moment: later each time
//     eye_close(y);
//
// It hears the tones of the messages (tones.h) as mel frames (serve/ear.h), and counts their notes;
// from both a spectocloud_vit makes the cloud, or, where there is none, the rule that it learnt
// (data/music/cloud.h). The emotion is that of the bar. Nothing is taken after it was opened, but
// what oneDNN takes within products.
#ifndef KMIDI_PERFORM_EYE_H
#define KMIDI_PERFORM_EYE_H

#include "base/env.h"
#include "data/music/cloud.h"
#include "infer/trained.h"
#include "perform/score.h"

enum { EYE_NOTES = 2048 }; // of a window; of more, the newest
#define EYE_LEAST 1.0      // seconds of a window
#define EYE_MOST  600.0

typedef struct eye_setup {
    const env *env;       // its kit; its pool where the network may use it
    const trained *draws; // a spectocloud_vit, after trained_mel; NULL: the rule
    double window;        // seconds
} eye_setup;

typedef struct eye_cloud {
    double from, to;         // the seconds that x 0 .. 1 stand for
    double valence, arousal; //
    bool blank;              // nothing was heard yet: no points
    float points[CLOUD_POINTS * CLOUD_WIDTH];
} eye_cloud;

typedef struct eye eye;

eye *eye_open(const eye_setup *o, arena *a, err *e) MUST_CHECK;
void eye_bar(eye *y, const score_bar *b);
void eye_event(eye *y, const score_event *x);
bool eye_look(eye *y, double now, eye_cloud *out, err *e) MUST_CHECK;
void eye_close(eye *y); // accepts NULL

#endif
