// SPDX-License-Identifier: GPL-3.0-or-later
// bench_times.c: calls as a mean and the places of a sorted list (nearest rank).
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "cmd/bench.h"

static int by_value(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return a < b ? -1 : a > b ? 1 : 0;
}

double bench_median(double *rates, int n)
{
    qsort(rates, (size_t)n, sizeof *rates, by_value);
    return rates[n / 2];
}

double bench_cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double place(const double *sorted, int n, double share)
{
    int k = (int)ceil(share * n);
    return 1e3 * sorted[k < 1 ? 0 : k - 1];
}

bench_times bench_times_of(double *seconds, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += seconds[i];
    qsort(seconds, (size_t)n, sizeof *seconds, by_value);
    return (bench_times){.mean = 1e3 * sum / n,
                         .p50 = place(seconds, n, 0.5),
                         .p90 = place(seconds, n, 0.9),
                         .p99 = place(seconds, n, 0.99),
                         .max = place(seconds, n, 1)};
}

void bench_times_json(json *j, const bench_times *t)
{
    json_set_num(j, "mean_ms", t->mean);
    json_set_num(j, "p50_ms", t->p50);
    json_set_num(j, "p90_ms", t->p90);
    json_set_num(j, "p99_ms", t->p99);
    json_set_num(j, "max_ms", t->max);
}
