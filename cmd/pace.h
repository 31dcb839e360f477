// SPDX-License-Identifier: GPL-3.0-or-later
// pace.h: how long the rest of a job takes, by its pace of late: what a job that goes on finds done
// already passes in a moment and says nothing of what is left.
#ifndef KMIDI_CMD_PACE_H
#define KMIDI_CMD_PACE_H

#include <stdint.h>

typedef struct pace {
    double started; // seconds, of any clock
    struct {
        double at;
        uint64_t done;
    } from, next; // the pace is that since `from`
} pace;

pace pace_start(double now, uint64_t done);
// To be told now and then; it keeps what lies a quarter to a half of the time back.
void pace_tell(pace *p, double now, uint64_t done);
// Seconds; below 0: nobody knows.
double pace_left(const pace *p, double now, uint64_t done, uint64_t total);

#endif
