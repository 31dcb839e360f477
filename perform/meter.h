// SPDX-License-Identifier: GPL-3.0-or-later
// meter.h: how a performance goes: what each frame took, counted by one thread, read by another;
// every second a line, alerts, and at its end the whole.
//
//     meter_frame(m, &frame)                     // real time
//     meter_take(m);                             // the other thread: what came since
//     if (meter_take_second(m, seconds, tokens, &s))  // a second is over
//         ... s.fps, s.frame_ms ...
//
// Times are kept to a hundredth of a millisecond, up to a second: percentiles are of those.
#ifndef KMIDI_PERFORM_METER_H
#define KMIDI_PERFORM_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

// Parts of a frame, and the milliseconds that each may take of 16.67.
typedef enum meter_part { METER_MIDI, METER_CLOUD, METER_DRAW, METER_REST, METER_PARTS } meter_part;
typedef struct meter_budget {
    const char *name;
    double ms;
} meter_budget;
extern const meter_budget meter_budgets[METER_PARTS];

typedef struct meter_frame {
    float whole;             // ms, from the tick that it is of to its end
    float part[METER_PARTS]; // ms; negative: not measured in this frame
    bool fresh;              // its cloud is new
    bool late;               // its end lies behind the next tick
    int skipped;             // ticks before it that had no frame
} meter_frame;

typedef struct meter_second {
    double at; // seconds since the beginning
    double fps, frame_ms, p99_ms;
    double memory_gb;    // of this process
    double memory_share; // of what it may have, all that is in use
    double tokens;       // a second
} meter_second;

typedef struct meter_times {
    long long n;
    double mean, p50, p99, most;
    double over; // share of them above the budget
} meter_times;

typedef struct meter meter;

meter *meter_open(arena *a);
bool meter_put(meter *m,
               const meter_frame *f); // false: the other thread is asleep, it is not counted
void meter_take(meter *m);
bool meter_take_second(meter *m, double now, double tokens, meter_second *out);

typedef struct meter_sum {
    long long frames, fresh, late, skipped;
    double fps;
    meter_times whole, part[METER_PARTS];
} meter_sum;
meter_sum meter_all(const meter *m, double period); // ms: what a whole frame may take

#endif
