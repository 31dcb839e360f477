// SPDX-License-Identifier: GPL-3.0-or-later
// capacity.c: a job planned for budgets that are not this machine's.
#include "train/capacity.h"

// As many items at once, and a step of no more.
static bool fits_at_once(job *j, int64_t items, search_plan *p)
{
    train_options o = j->options;
    o.batch_size = o.micro_batch = items, o.grad_accum = 1;
    trainer_setup s = job_setup(j, items);
    s.o = &o;
    return search_one(&o, &s, p, NULL) && p->fits;
}

// By halves of the exponent: what a batch takes grows with it.
static void find_largest(job *j, capacity *k)
{
    search_plan p;
    int lo = -1, hi = 0; // 1 << lo fits; 1 << hi does not
    while (INT64_C(1) << hi <= CAPACITY_MOST)
        hi++;
    while (hi - lo > 1) {
        int mid = (lo + hi) / 2;
        if (fits_at_once(j, INT64_C(1) << mid, &p))
            lo = mid, k->at_once = p;
        else
            hi = mid;
    }
    k->largest = lo < 0 ? 0 : INT64_C(1) << lo;
}

bool capacity_find(job *j, uint64_t budget, uint64_t base, capacity *k, err *e)
{
    *k = (capacity){0};
    j->options.budget = budget;
    j->base = base ? base : j->base;
    if (!job_search(j, j->options.micro_batch, e))
        return false;
    k->own = j->search.list[j->search.best];
    find_largest(j, k);
    return true;
}
