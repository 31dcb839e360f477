// SPDX-License-Identifier: GPL-3.0-or-later
// perform.h: music and pictures of it, made while they are heard and seen: tokens of MIDI two bars
// ahead, and in each sixtieth of a second a cloud.
//
//     perform *p = perform_open(&setup, &arena, e);
//     perform_start(p, e)
//     while (perform_runs(p) && ...)
//         perform_wish(p, &wish), perform_tend(p);            // twenty times a second or so
//     perform_stop(p, e);
//     midi_write("evening.mid", perform_song(p, &arena), e);
//     perform_close(p);
//
// A frame is a tick of 1 / fps. What is due within it goes to the port, each message with its own
// moment, one frame later; to the eye (eye.h), which hears it and draws the cloud; and the newest
// cloud that there is goes as pixels to the film (film.h). How the work is shared:
//
//     pipelined    composer, eye and frames have a thread each: while a frame is shown, the cloud
//     of
//                  the next is drawn. A frame never waits: where its cloud is late, the one before
//                  is shown again, moved on (canvas.h), and counted
//     parallel     in each frame composer and eye work side by side, and the frame waits for both
//     sequential   one after the other, on one thread
//
// In the latter two the composer has its share of each frame, budget.midi, but makes a token at
// least where one is needed.
//
// Budgets are those of KmiDi's dual runner (docs/perform.md), in milliseconds of a frame: what goes
// beyond is counted, not cut off. From perform_start on the threads of frames and eye take no
// memory; composing by rule does, a token under a new emotion, and libc's sort of what may be
// drawn.
#ifndef KMIDI_PERFORM_PERFORM_H
#define KMIDI_PERFORM_PERFORM_H

#include "perform/composer.h"
#include "perform/eye.h"
#include "perform/film.h"
#include "perform/meter.h"
#include "perform/port.h"
#include "perform/recorder.h"

typedef enum perform_strategy {
    PERFORM_PIPELINED,
    PERFORM_PARALLEL,
    PERFORM_SEQUENTIAL
} perform_strategy;

typedef struct perform_setup {
    const env *env;
    perform_strategy strategy;
    bool clockless; // as fast as it goes, sequential: every frame is drawn, none is late
    bool realtime;  // its threads ask for the scheduler's real-time class
    int fps;
    double seconds; // 0: until it is stopped
    composer_setup composer;
    eye_setup eye;
    midi_port *port; // NULL: none
    film *film;      // NULL: none
    int width, height;
} perform_setup;

typedef struct perform perform;

bool perform_strategy_find(const char *name, perform_strategy *out, err *e) MUST_CHECK;

// Two bars are made when it is open.
perform *perform_open(const perform_setup *o, arena *a, err *e) MUST_CHECK;
bool perform_start(perform *p, err *e) MUST_CHECK;
bool perform_runs(const perform *p); // false: its time is over, or something failed
// From a bar line on that is not made yet: the seconds until it is heard, at most. Negative: too
// many wishes at once.
double perform_wish(perform *p, const score_wish *w);
// Keeps what was played, counts what was measured; without a clock it makes frames for a moment.
void perform_tend(perform *p);
meter *perform_meter(perform *p);
bool perform_is_realtime(const perform *p); // it was asked for and granted
// All notes off; every thread ends. What failed while it ran is the error.
bool perform_stop(perform *p, err *e) MUST_CHECK;
double perform_seconds(const perform *p);      // that were played
midi_song *perform_song(perform *p, arena *a); // what was played
composer_counts perform_composed(perform *p);
void perform_close(perform *p); // accepts NULL

#endif
