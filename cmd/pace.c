// SPDX-License-Identifier: GPL-3.0-or-later
// pace.c: two marks, each time as far apart as the job is old (pace.h).
#include "cmd/pace.h"

static const double FIRST = 1; // second, before which there is no mark

pace pace_start(double now, uint64_t done)
{
    return (pace){now, {now, done}, {now, done}};
}

void pace_tell(pace *p, double now, uint64_t done)
{
    double age = now - p->started;
    if (age < FIRST || now - p->next.at < age / 2)
        return;
    p->from = p->next;
    p->next.at = now;
    p->next.done = done;
}

double pace_left(const pace *p, double now, uint64_t done, uint64_t total)
{
    if (done <= p->from.done || total < done)
        return -1;
    return (now - p->from.at) / (double)(done - p->from.done) * (double)(total - done);
}
