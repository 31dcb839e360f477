// SPDX-License-Identifier: GPL-3.0-or-later
// perform_internal.h: a performance, for perform.c and perform_frame.c.
//
//     composer's thread           score.events, score.bars            --> frames' thread
//     frames' thread              to_eye, lines; asked, ticked        --> eye's thread
//     eye's thread                clouds (4)                          --> frames' thread
//     frames' thread              the film's four frames; the port; the meter's ring
#ifndef KMIDI_PERFORM_PERFORM_INTERNAL_H
#define KMIDI_PERFORM_PERFORM_INTERNAL_H

#include "perform/bell.h"
#include "perform/canvas.h"
#include "perform/perform.h"

enum { PERFORM_CLOUDS = 4, PERFORM_TO_EYE = 1024 };

typedef struct perform_cloud {
    eye_cloud cloud;
    float ms; // that it took
} perform_cloud;

struct perform {
    perform_setup setup;
    arena *arena;
    score score;
    composer *composer;
    eye *eye; // NULL: there is no film
    canvas *canvas;
    recorder *recorder;
    meter *meter;
    ring to_eye, lines, clouds;
    bell ticked;
    unsigned seen; // of `ticked`, by the eye
    threads *pair; // of the parallel strategy
    pthread_t frames_thread, eye_thread, composer_thread;
    bool frames_started, eye_started, composer_started, realtime;
    double begin, ended;         // hw_seconds at tick 0; seconds since, when the last frame ended
    int64_t tick;                // the next frame
    atomic_llong asked, playing; // the newest tick that the eye, that the composer knows of
    atomic_bool over, failed;
    err fault;
    const perform_cloud *shown; // held in the ring; NULL: none yet
    int skipped;                // ticks before this frame that had none
    double token_seconds;       // of composer_told, before this frame
    uint8_t sounds[16][128];    // notes that the port was told to play
};

// One frame, of p->tick; the next one is not counted up.
void perform_frame(perform *p);
// Until it has time (false), or the budget is spent.
bool perform_compose(perform *p, double budget_ms);
void perform_look(perform *p); // the cloud of the newest tick
void perform_hush(perform *p); // all notes off
void perform_fail(perform *p, const err *why);
double perform_period(const perform *p);

#endif
