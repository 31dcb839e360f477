// SPDX-License-Identifier: GPL-3.0-or-later
// rate.c: see rate.h. Output k is at k from / to in the input's samples; its phase is the fraction.
#include "data/audio/rate.h"

#include <math.h>
#include <string.h>

// Zero crossings of the sinc on each side; the pass band as a share of half the lower rate, and the
// window's shape (Kaiser): 90 dB down from the lower rate's half on.
enum { CROSSINGS = 40 };
static const double PASS = 0.93, BETA = 9.0;

static int64_t common(int64_t a, int64_t b)
{
    return b ? common(b, a % b) : a;
}

static double bessel(double x)
{
    double sum = 1, term = 1;
    for (int k = 1; term > 1e-12 * sum; k++)
        sum += term *= x * x / (4.0 * k * k);
    return sum;
}

static double sinc(double x)
{
    return fabs(x) < 1e-9 ? 1 : sin(M_PI * x) / (M_PI * x);
}

// The weight of an input sample that lies x samples beside the output.
static double weight(double x, double cut, double half)
{
    double t = x / half;
    return fabs(t) >= 1 ? 0 : cut * sinc(cut * x) * bessel(BETA * sqrt(1 - t * t)) / bessel(BETA);
}

static void fill_phase(float *row, int64_t taps, double part, double cut)
{
    double sum = 0;
    for (int64_t k = 0; k < taps; k++)
        sum += weight((double)(k - taps / 2) + 1 - part, cut, (double)taps / 2);
    for (int64_t k = 0; k < taps; k++)
        row[k] = (float)(weight((double)(k - taps / 2) + 1 - part, cut, (double)taps / 2) / sum);
}

rate *rate_open(int64_t from, int64_t to, arena *a)
{
    rate *r = NEW(a, rate, 1);
    int64_t whole = common(from, to);
    *r = (rate){.from = from / whole, .to = to / whole};
    double cut = PASS * (to < from ? (double)to / (double)from : 1);
    r->taps = 2 * (int64_t)ceil(CROSSINGS / cut);
    r->phases = r->to < RATE_PHASES ? r->to : RATE_PHASES;
    float *table = NEW(a, float, (size_t)((r->phases + 1) * r->taps));
    for (int64_t p = 0; p <= r->phases; p++)
        fill_phase(table + p * r->taps, r->taps, (double)p / (double)r->phases, cut);
    r->table = table;
    r->heard = NEW(a, float, (size_t)(r->taps + RATE_BLOCK));
    rate_reset(r);
    return r;
}

// Silence before the first sample, half a filter of it.
void rate_reset(rate *r)
{
    memset(r->heard, 0, (size_t)(r->taps + RATE_BLOCK) * sizeof *r->heard);
    r->n = r->taps / 2 - 1, r->at = 0, r->part = 0;
}

static float dot(const float *restrict x, const float *restrict w, int64_t n)
{
    enum { LANES = 8 };
    float lane[LANES] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += x[i + l] * w[i + l];
    for (int l = 0; l < LANES; l++)
        sum += lane[l];
    for (; i < n; i++)
        sum += x[i] * w[i];
    return sum;
}

static float sample(const rate *r)
{
    const float *x = r->heard + r->at;
    if (r->phases == r->to)
        return dot(x, r->table + r->part * r->taps, r->taps);
    double phase = (double)r->part * (double)r->phases / (double)r->to;
    int64_t p = (int64_t)phase;
    float b = (float)(phase - (double)p);
    return (1 - b) * dot(x, r->table + p * r->taps, r->taps) +
           b * dot(x, r->table + (p + 1) * r->taps, r->taps);
}

int64_t rate_run(rate *r, const float *x, int64_t n, float *out)
{
    int64_t made = 0;
    memcpy(r->heard + r->n, x, (size_t)n * sizeof *x);
    r->n += n;
    for (; r->at + r->taps <= r->n; made++) {
        out[made] = sample(r);
        r->part += r->from;
        r->at += r->part / r->to;
        r->part %= r->to;
    }
    int64_t gone = r->at < r->n ? r->at : r->n;
    r->n -= gone, r->at -= gone;
    memmove(r->heard, r->heard + gone, (size_t)r->n * sizeof *r->heard);
    return made;
}

int64_t rate_most(const rate *r)
{
    return RATE_BLOCK * r->to / r->from + 2;
}

double rate_delay(const rate *r)
{
    return (double)r->taps / 2;
}
