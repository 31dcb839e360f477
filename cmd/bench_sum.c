// SPDX-License-Identifier: GPL-3.0-or-later
// bench_sum.c: what ranks need to add up their gradients (base/comm.h): --length numbers of each,
// under mpirun or srun.
//
// What is given beside the seconds: the bytes of one buffer in that time; and the traffic that no
// way of doing it can avoid on one machine, where every rank's buffer is read once and written
// once.
#include <math.h>
#include <string.h>

#include "base/comm.h"
#include "base/hw.h"
#include "cmd/bench.h"

enum { NUMBERS = 25000000, TURNS_LEAST = 3 };

static bool measure_sum(comm *ranks, float *x, int64_t n, double seconds, double *took, err *e)
{
    double began = hw_seconds(), best = INFINITY;
    bool more = true;
    for (int i = 0; more; i++) {
        double from = hw_seconds();
        if (!comm_sum(ranks, x, n, e))
            return false;
        best = fmin(best, hw_seconds() - from);
        more = i + 1 < TURNS_LEAST || hw_seconds() - began < seconds;
        if (!comm_broadcast(ranks, &more, sizeof more, e))
            return false;
    }
    *took = best;
    return true;
}

static void report(cmd *c, int64_t n, double took)
{
    int size = comm_size(c->ranks);
    double bytes = (double)n * sizeof(float), traffic = 2 * size * bytes / took;
    json *j = json_object();
    json_set_int(j, "ranks", size);
    json_set_int(j, "numbers", n);
    json_set_num(j, "seconds", took);
    json_set_num(j, "bytes_per_s", bytes / took);
    json_set_num(j, "traffic_bytes_per_s", traffic);
    cmd_json(c, j);
    cmd_print(c,
              "the sum of %lld numbers of each of %d ranks: %.4g ms, %.4g GB/s of a buffer, %.4g "
              "GB/s read and written",
              (long long)n, size, 1e3 * took, 1e-9 * bytes / took, 1e-9 * traffic);
}

bool bench_sum(cmd *c, err *e)
{
    double took = 0;
    int64_t n = option_int(c, "length", NUMBERS);
    if (n < 1 || n > INT64_C(1) << 34)
        return err_set(e, ERR_USAGE, "--length takes numbers from 1 to 17179869184");
    if (!comm_open(&c->ranks, e))
        return false;
    if (!c->ranks)
        return err_set(e, ERR_USAGE,
                       "one process has nothing to add up; start several: mpirun -n 2 kmidi bench "
                       "sum");
    float *x = base_pages((size_t)n * sizeof *x);
    bool ok = comm_agree(
        c->ranks, x || err_set(e, ERR_MEMORY, "no memory for %lld numbers", (long long)n), e);
    ok = ok && comm_share(c->ranks, x, (size_t)n * sizeof *x, e) &&
         measure_sum(c->ranks, x, n, option_num(c, "seconds", 5), &took, e);
    if (ok && !comm_rank(c->ranks))
        report(c, n, took);
    base_pages_free(x, (size_t)n * sizeof *x);
    return ok;
}
