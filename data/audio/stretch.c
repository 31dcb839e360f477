// SPDX-License-Identifier: GPL-3.0-or-later
// stretch.c: Rubber Band, offline and on this thread (stretch.h). Offline it reads the sound twice:
// it studies where things begin, then processes. What it gives is aligned with what it took and a
// sample more or less than asked at most, which is cut or filled here. Opened at the first sound:
// linked, it and the C++ library behind it would cost every command a millisecond.
#include "data/audio/stretch.h"

#include <math.h>
#include <rubberband/rubberband-c.h>
#include <string.h>

#include "base/library.h"

typedef struct rubber_band {
    __typeof__(rubberband_new) *make;
    __typeof__(rubberband_delete) *drop;
    __typeof__(rubberband_set_expected_input_duration) *expect;
    __typeof__(rubberband_set_max_process_size) *set_most;
    __typeof__(rubberband_study) *study;
    __typeof__(rubberband_process) *process;
    __typeof__(rubberband_available) *available;
    __typeof__(rubberband_retrieve) *retrieve;
} rubber_band;

static const library_function functions[] = {
    {"rubberband_new", offsetof(rubber_band, make)},
    {"rubberband_delete", offsetof(rubber_band, drop)},
    {"rubberband_set_expected_input_duration", offsetof(rubber_band, expect)},
    {"rubberband_set_max_process_size", offsetof(rubber_band, set_most)},
    {"rubberband_study", offsetof(rubber_band, study)},
    {"rubberband_process", offsetof(rubber_band, process)},
    {"rubberband_available", offsetof(rubber_band, available)},
    {"rubberband_retrieve", offsetof(rubber_band, retrieve)},
};
static const library librubberband = {"Rubber Band", LIBRARY_FILES("rubberband", "2"), functions,
                                      sizeof functions / sizeof *functions};

enum { BLOCK = 8192 };

int64_t stretch_length(int64_t n, double time)
{
    int64_t m = llround((double)n * time);
    return m > 1 ? m : 1;
}

// All that is ready, as far as there is room; the rest is thrown away.
static int64_t drain(const rubber_band *r, RubberBandState s, float *out, int64_t have,
                     int64_t room)
{
    float rest[BLOCK];
    for (int ready; (ready = r->available(s)) > 0;) {
        int64_t left = room - have;
        float *to = left > 0 ? out + have : rest;
        unsigned take = ready < BLOCK ? (unsigned)ready : BLOCK;
        take = left > 0 && (int64_t)take > left ? (unsigned)left : take;
        unsigned got = r->retrieve(s, &to, take);
        if (!got)
            break;
        have += left > 0 ? (int64_t)got : 0;
    }
    return have;
}

static void run(const rubber_band *r, RubberBandState s, const float *x, int64_t n, float *out,
                int64_t m)
{
    int64_t have = 0;
    r->expect(s, (unsigned)n);
    r->set_most(s, BLOCK);
    for (int study = 1; study >= 0; study--)
        for (int64_t at = 0; at < n; at += BLOCK) {
            const float *from = x + at;
            unsigned count = n - at < BLOCK ? (unsigned)(n - at) : BLOCK;
            (study ? r->study : r->process)(s, &from, count, at + BLOCK >= n);
            have = drain(r, s, out, have, m);
        }
    have = drain(r, s, out, have, m);
    memset(out + have, 0, (size_t)(m - have) * sizeof *out);
}

bool stretch_ready(err *e)
{
    rubber_band r;
    return library_open(&librubberband, &r, e);
}

bool stretch_run(const float *x, int64_t n, int rate, double time, double semitones, float *out,
                 err *e)
{
    rubber_band r;
    CHECK(n > 0 && n <= UINT32_MAX && time > 0);
    if (time == 1 && semitones == 0) {
        memcpy(out, x, (size_t)n * sizeof *out);
        return true;
    }
    if (rate < STRETCH_RATE_LEAST || rate > STRETCH_RATE_MOST)
        return err_set(e, ERR_VALUE,
                       "sound of %d Hz cannot be stretched or shifted, only of %d to %d Hz", rate,
                       STRETCH_RATE_LEAST, STRETCH_RATE_MOST);
    if (!library_open(&librubberband, &r, e))
        return false;
    RubberBandOptions options = RubberBandOptionProcessOffline | RubberBandOptionEngineFiner |
                                RubberBandOptionThreadingNever;
    RubberBandState s = r.make((unsigned)rate, 1, options, time, exp2(semitones / 12));
    run(&r, s, x, n, out, stretch_length(n, time));
    r.drop(s);
    return true;
}

const char *stretch_library(void)
{
    return RUBBERBAND_VERSION;
}
