// SPDX-License-Identifier: GPL-3.0-or-later
// trainer_share.c: a step in several processes: one exchange of sums, one of gradients.
//
// Each process divides by the same expected weight of the whole window, so the sum of their
// gradients is what one process would have added up, in another order. Random draws go by the
// number of a batch in its window (run_pass.part), whoever computes it.
#include "train/trainer_internal.h"

typedef struct sums {
    int64_t failed, items;
    double weight, loss;
} sums;

int64_t trainer_own(const trainer *t)
{
    return t->choice.grad_accum / comm_size(t->s.comm);
}

bool trainer_share(trainer *t, window *w, bool ok, err *e)
{
    comm *c = t->s.comm;
    int size = comm_size(c);
    if (size == 1)
        return ok;
    double before = comm_seconds(c);
    sums mine = {!ok, w->items, w->weight, w->loss}, *all = t->shares;
    bool any = false;
    if (!comm_gather(c, &mine, sizeof mine, all, e))
        return false;
    w->items = 0, w->weight = w->loss = 0;
    for (int i = 0; i < size; i++) {
        any = any || all[i].failed;
        w->items += all[i].items, w->weight += all[i].weight, w->loss += all[i].loss;
    }
    if (any)
        return comm_agree(c, ok, e);
    ok = comm_sum(c, t->p->grads, t->p->grads_len, e);
    t->sum_seconds += comm_seconds(c) - before;
    return ok;
}

bool trainer_share_gradients(trainer *t, err *e)
{
    return comm_share(t->s.comm, t->p->grads, (size_t)(t->p->grads_len + 1) * sizeof(float), e);
}

size_t trainer_share_bytes(const trainer *t)
{
    return sizeof(sums) * (size_t)comm_size(t->s.comm);
}

bool trainer_shares(const comm *c, int64_t rows, int64_t micro, err *e)
{
    int size = comm_size(c);
    if (size == 1)
        return true;
    if (rows % size)
        return err_set(e, ERR_CONFIG,
                       "a step of %lld items cannot be shared by %d ranks; start as many as divide "
                       "it, or make train.batch_size a multiple of %d",
                       (long long)rows, size, size);
    if (micro && rows / size % micro)
        return err_set(
            e, ERR_CONFIG,
            "each of %d ranks has %lld items of a step, and memory.micro_batch=%lld does "
            "not divide them; set it to a divisor, or to auto",
            size, (long long)(rows / size), (long long)micro);
    return true;
}
