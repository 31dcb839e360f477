// SPDX-License-Identifier: GPL-3.0-or-later
// sampler.c: penalty, temperature, top-k, top-p, draw (sampler.h). In f64, over the candidates that
// top-k leaves, sorted by logit.
#include "infer/sampler.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"

typedef struct candidate {
    double logit, p;
    int token;
} candidate;

struct sampler {
    sampler_options o;
    int count;
    uint64_t drawn;
    rng r;
    candidate *list; // [count], those that are left come first
    double *logits;  // [count]: theirs, in no order
    bool *heard;     // [count]: among the last tokens
};

bool sampler_check(const sampler_options *o, err *e)
{
    if (!(o->temperature >= 0 && o->temperature <= 100))
        return err_set(e, ERR_USAGE, "the temperature is a number from 0 to 100, not %g",
                       o->temperature);
    if (o->top_k < 0)
        return err_set(e, ERR_USAGE, "top-k is a count from 0 (all), not %d", o->top_k);
    if (!(o->top_p > 0 && o->top_p <= 1))
        return err_set(e, ERR_USAGE, "top-p lies above 0 and is at most 1, not %g", o->top_p);
    if (!(o->penalty > 0 && o->penalty <= 100))
        return err_set(e, ERR_USAGE,
                       "the repetition penalty lies above 0 and is at most 100 (1: none), not %g",
                       o->penalty);
    return o->memory >= 0 ||
           err_set(e, ERR_USAGE, "a penalty looks back 0 (all) or more tokens, not %d", o->memory);
}

sampler *sampler_open(const sampler_options *o, int count, arena *a)
{
    sampler *s = NEW(a, sampler, 1);
    *s = (sampler){.o = *o, .count = count, .r = rng_stream(o->seed, "sampler", o->stream)};
    s->list = NEW(a, candidate, (size_t)count);
    s->logits = NEW(a, double, (size_t)count);
    s->heard = NEW(a, bool, (size_t)count);
    return s;
}

static void listen(sampler *s, const int *history, int n)
{
    int from = s->o.memory > 0 && n > s->o.memory ? n - s->o.memory : 0;
    for (int i = 0; i < s->count; i++)
        s->heard[i] = false;
    for (int i = from; i < n; i++)
        if (history[i] >= 0 && history[i] < s->count)
            s->heard[history[i]] = true;
}

static int by_logit(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    return x->logit != y->logit ? (x->logit < y->logit) - (x->logit > y->logit)
                                : (x->token > y->token) - (x->token < y->token);
}

// The k-th largest of n numbers, counted from 0 (Hoare, "Algorithm 65: Find", 1961).
static double find_largest(double *x, int n, int k)
{
    for (int lo = 0, hi = n - 1; lo < hi;) {
        double pivot = x[(lo + hi) / 2], y;
        int i = lo, j = hi;
        while (i <= j) {
            while (x[i] > pivot)
                i++;
            while (x[j] < pivot)
                j--;
            if (i <= j)
                y = x[i], x[i++] = x[j], x[j--] = y;
        }
        lo = k > j ? i : lo, hi = k < i ? j : hi;
    }
    return x[k];
}

// Of n candidates those that top-k leaves, with all that are as likely as the last of them: to sort
// the others would take longer than all else.
static int leave_k(sampler *s, int n)
{
    int k = 0;
    if (s->o.top_k == 0 || s->o.top_k >= n)
        return n;
    for (int i = 0; i < n; i++)
        s->logits[i] = s->list[i].logit;
    double least = find_largest(s->logits, n, s->o.top_k - 1);
    for (int i = 0; i < n; i++)
        if (s->list[i].logit >= least)
            s->list[k++] = s->list[i];
    return k;
}

// How many candidates top-k leaves, the likeliest first; -1 where a logit is no number.
static int gather(sampler *s, const float *logits)
{
    int n = 0;
    for (int i = 0; i < s->count; i++) {
        double l = (double)logits[i];
        if (isnan(l) || l == INFINITY)
            return -1;
        if (l == -INFINITY)
            continue;
        if (s->heard[i])
            l = l > 0 ? l / s->o.penalty : l * s->o.penalty;
        s->list[n++] = (candidate){.logit = l, .token = i};
    }
    n = leave_k(s, n);
    qsort(s->list, (size_t)n, sizeof *s->list, by_logit);
    return n;
}

static void softmax(sampler *s, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += s->list[i].p = exp((s->list[i].logit - s->list[0].logit) / s->o.temperature);
    for (int i = 0; i < n; i++)
        s->list[i].p /= sum;
}

static int cut_p(sampler *s, int n)
{
    double sum = 0;
    int k = 0;
    while (k < n && sum < s->o.top_p)
        sum += s->list[k++].p;
    for (int i = 0; i < k; i++)
        s->list[i].p /= sum;
    return k;
}

// Fills the list; the number of candidates left.
static bool weigh(sampler *s, const float *logits, const int *history, int n, int *left, err *e)
{
    listen(s, history, n);
    int k = gather(s, logits);
    if (k <= 0)
        return err_set(e, ERR_NUMERIC,
                       k < 0 ? "the network's answer is not finite; its weights are of no use"
                             : "no token may follow; this is a mistake in what forbids them");
    if (s->o.temperature == 0) {
        s->list[0].p = 1;
        *left = 1;
        return true;
    }
    softmax(s, k);
    *left = s->o.top_p < 1 ? cut_p(s, k) : k;
    return true;
}

bool sampler_draw(sampler *s, const float *logits, const int *history, int n, int *token, err *e)
{
    int left;
    if (!weigh(s, logits, history, n, &left, e))
        return false;
    double u = (double)rng_uniform(s->r, s->drawn++, 0), sum = 0;
    int i = 0;
    while (i < left - 1 && (sum += s->list[i].p) <= u)
        i++;
    *token = s->list[i].token;
    return true;
}

bool sampler_distribution(sampler *s, const float *logits, const int *history, int n, double *p,
                          err *e)
{
    int left;
    if (!weigh(s, logits, history, n, &left, e))
        return false;
    for (int i = 0; i < s->count; i++)
        p[i] = 0;
    for (int i = 0; i < left; i++)
        p[s->list[i].token] = s->list[i].p;
    return true;
}
