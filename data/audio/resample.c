// SPDX-License-Identifier: GPL-3.0-or-later
// resample.c: libsoxr, the one file that knows it (resample.h).
//
// A soxr stream belongs to one thread and holds a few hundred kilobytes, whatever its length. It
// yields a sample more or less than ceil(n * to / from) at the end; librosa cuts or fills to that
// length, and so does this.
#include "data/audio/resample.h"

#include <soxr.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_BLOCK = 16384 };

struct resampler {
    soxr_t soxr;
    int from, to;
    int64_t taken, given; // samples
    float out[OUT_BLOCK];
};

int64_t resample_length(int64_t n, int from, int to)
{
    return n / from * to + (n % from * to + from - 1) / from;
}

resampler *resampler_open(int from, int to, err *e)
{
    soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
    soxr_error_t why = NULL;
    resampler *r = calloc(1, sizeof *r);
    if (!r) {
        err_set(e, ERR_MEMORY, "no memory to resample from %d to %d Hz; free some", from, to);
        return NULL;
    }
    *r = (resampler){.from = from, .to = to};
    r->soxr = soxr_create(from, to, 1, &why, NULL, &quality, NULL);
    if (why) {
        err_set(e, ERR_VALUE, "cannot resample from %d to %d Hz: %s", from, to, why);
        resampler_close(r);
        return NULL;
    }
    return r;
}

void resampler_close(resampler *r)
{
    if (!r)
        return;
    soxr_delete(r->soxr);
    free(r);
}

// At most `limit` samples in all may have been given afterwards.
static bool give(resampler *r, size_t n, int64_t limit, resample_sink *sink, void *user, err *e)
{
    int64_t room = limit > r->given ? limit - r->given : 0;
    if ((int64_t)n > room)
        n = (size_t)room;
    r->given += (int64_t)n;
    return n == 0 || sink(user, r->out, n, e);
}

static bool run(resampler *r, const float *x, size_t n, int64_t limit, resample_sink *sink,
                void *user, err *e)
{
    for (size_t done = OUT_BLOCK; n > 0 || done == OUT_BLOCK;) {
        size_t used = 0;
        soxr_error_t why = soxr_process(r->soxr, x, n, x ? &used : NULL, r->out, OUT_BLOCK, &done);
        if (why)
            return err_set(e, ERR_INTERNAL, "resampling from %d to %d Hz stopped: %s", r->from,
                           r->to, why);
        if (!give(r, done, limit, sink, user, e))
            return false;
        n -= used;
        x = x ? x + used : NULL;
    }
    return true;
}

bool resampler_push(resampler *r, const float *x, size_t n, resample_sink *sink, void *user, err *e)
{
    r->taken += (int64_t)n;
    return n == 0 || run(r, x, n, INT64_MAX, sink, user, e);
}

bool resampler_finish(resampler *r, resample_sink *sink, void *user, err *e)
{
    int64_t whole = resample_length(r->taken, r->from, r->to);
    if (r->taken && !run(r, NULL, 0, whole, sink, user, e))
        return false;
    memset(r->out, 0, sizeof r->out);
    while (r->given < whole)
        if (!give(r, OUT_BLOCK, whole, sink, user, e))
            return false;
    return true;
}

const char *resample_library(void)
{
    return soxr_version();
}
