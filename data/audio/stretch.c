// SPDX-License-Identifier: GPL-3.0-or-later
// stretch.c: Rubber Band, offline and on this thread (stretch.h). Offline it reads the sound twice:
// it studies where things begin, then processes. What it gives is aligned with what it took and a
// sample more or less than asked at most, which is cut or filled here.
#include "data/audio/stretch.h"

#include <math.h>
#include <rubberband/rubberband-c.h>
#include <string.h>

enum { BLOCK = 8192 };

int64_t stretch_length(int64_t n, double time)
{
    int64_t m = llround((double)n * time);
    return m > 1 ? m : 1;
}

// All that is ready, as far as there is room; the rest is thrown away.
static int64_t drain(RubberBandState s, float *out, int64_t have, int64_t room)
{
    float rest[BLOCK];
    for (int ready; (ready = rubberband_available(s)) > 0;) {
        int64_t left = room - have;
        float *to = left > 0 ? out + have : rest;
        unsigned take = ready < BLOCK ? (unsigned)ready : BLOCK;
        take = left > 0 && (int64_t)take > left ? (unsigned)left : take;
        unsigned got = rubberband_retrieve(s, &to, take);
        if (!got)
            break;
        have += left > 0 ? (int64_t)got : 0;
    }
    return have;
}

bool stretch_run(const float *x, int64_t n, int rate, double time, double semitones, float *out,
                 err *e)
{
    int64_t m = stretch_length(n, time), have = 0;
    CHECK(n > 0 && n <= UINT32_MAX && time > 0);
    if (time == 1 && semitones == 0) {
        memcpy(out, x, (size_t)n * sizeof *out);
        return true;
    }
    if (rate < STRETCH_RATE_LEAST || rate > STRETCH_RATE_MOST)
        return err_set(e, ERR_VALUE,
                       "sound of %d Hz cannot be stretched or shifted, only of %d to %d Hz", rate,
                       STRETCH_RATE_LEAST, STRETCH_RATE_MOST);
    RubberBandOptions options = RubberBandOptionProcessOffline | RubberBandOptionEngineFiner |
                                RubberBandOptionThreadingNever;
    RubberBandState s = rubberband_new((unsigned)rate, 1, options, time, exp2(semitones / 12));
    rubberband_set_expected_input_duration(s, (unsigned)n);
    rubberband_set_max_process_size(s, BLOCK);
    for (int study = 1; study >= 0; study--)
        for (int64_t at = 0; at < n; at += BLOCK) {
            const float *from = x + at;
            unsigned count = n - at < BLOCK ? (unsigned)(n - at) : BLOCK;
            if (study)
                rubberband_study(s, &from, count, at + BLOCK >= n);
            else
                rubberband_process(s, &from, count, at + BLOCK >= n);
            have = drain(s, out, have, m);
        }
    have = drain(s, out, have, m);
    rubberband_delete(s);
    memset(out + have, 0, (size_t)(m - have) * sizeof *out);
    return true;
}

const char *stretch_library(void)
{
    return RUBBERBAND_VERSION;
}
