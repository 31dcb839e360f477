// SPDX-License-Identifier: GPL-3.0-or-later
// ear.c: a line of samples, of which the first `span` are a frame's; behind it they move up by a
// hop. What lies before the first sample is mirrored as soon as there is enough to mirror, or
// zeros.
#include "serve/ear.h"

#include <math.h>
#include <string.h>

struct ear {
    const feature *f;
    rate *rate; // NULL: samples come at the feature's
    int64_t sample_rate;
    float *line; // [size], `n` of them there
    int64_t n, size;
    int64_t skip; // samples that lie between frames: hop > span
    // of all frames so far: what depends on the whole (top_db, normalise) is of what was heard
    float most, loudest; // the latter of the last number of each frame
    normal_sums sums;
    bool mirrored; // what is before the first sample stands
    float *turned; // [rate_most]: a block at the feature's rate
    void *scratch;
};

ear *ear_open(const feature *f, int64_t sample_rate, arena *a)
{
    ear *r = NEW(a, ear, 1);
    *r = (ear){.f = f, .sample_rate = sample_rate};
    if (sample_rate != f->rate)
        r->rate = rate_open(sample_rate, f->rate, a);
    int64_t most = r->rate ? rate_most(r->rate) : EAR_BLOCK;
    // mirroring waits for as much as it mirrors
    r->size = f->span + f->before + most + 1;
    r->line = NEW(a, float, (size_t)r->size);
    r->turned = NEW(a, float, (size_t)most);
    r->scratch = NEW(a, char, f->scratch);
    r->sums = normal_open(f->width, f->width - f->level, a);
    ear_reset(r);
    return r;
}

void ear_reset(ear *r)
{
    if (r->rate)
        rate_reset(r->rate);
    memset(r->line, 0, (size_t)r->size * sizeof *r->line);
    r->n = r->f->before;
    r->skip = 0;
    r->most = r->loudest = -INFINITY;
    normal_reset(&r->sums);
    r->mirrored = !r->f->reflect || r->f->before == 0;
}

static void append(ear *r, const float *x, int64_t n)
{
    int64_t passed = r->skip < n ? r->skip : n;
    r->skip -= passed, x += passed, n -= passed;
    memcpy(r->line + r->n, x, (size_t)n * sizeof *x);
    r->n += n;
}

void ear_push(ear *r, const float *x, int64_t n)
{
    if (r->rate)
        n = rate_run(r->rate, x, n, r->turned), x = r->turned;
    append(r, x, n);
}

static void mirror(ear *r)
{
    int64_t before = r->f->before;
    for (int64_t k = 1; k <= before; k++)
        r->line[before - k] = r->line[before + k];
    r->mirrored = true;
}

static void finish(ear *r, float *frame)
{
    for (int i = 0; i < r->f->width; i++)
        r->most = frame[i] > r->most ? frame[i] : r->most;
    r->f->def->finish(r->f, frame, r->f->width, r->most);
    normal_add(&r->sums, frame, 1);
    normal_apply(&r->sums, r->f->normal, frame, 1);
    float *last = &frame[r->f->width - 1];
    r->loudest = *last > r->loudest ? *last : r->loudest;
    if (r->f->level)
        *last = r->loudest;
}

bool ear_next(ear *r, float *frame)
{
    const feature *f = r->f;
    if (!r->mirrored && r->n > 2 * f->before)
        mirror(r);
    if (!r->mirrored || r->n < f->span)
        return false;
    f->def->frames(f, r->line, 1, frame, r->scratch);
    if (f->whole)
        finish(r, frame);
    int64_t gone = f->hop < r->n ? f->hop : r->n;
    r->skip = f->hop - gone, r->n -= gone;
    memmove(r->line, r->line + gone, (size_t)r->n * sizeof *r->line);
    return true;
}

static double per_sample(const ear *r)
{
    return (double)r->sample_rate / (double)r->f->rate;
}

// A frame is there once its last sample is, half a span behind its middle.
double ear_latency(const ear *r)
{
    return (double)r->f->span / 2 * per_sample(r) + (r->rate ? rate_delay(r->rate) : 0);
}

double ear_hop(const ear *r)
{
    return (double)r->f->hop * per_sample(r);
}

int64_t ear_most(const ear *r, int64_t n)
{
    // those that waited for the first mirror come together
    int64_t waited = (r->f->before + 1) / r->f->hop + 2;
    return (int64_t)ceil((double)n / ear_hop(r)) + waited;
}
