// SPDX-License-Identifier: GPL-3.0-or-later
// comm_none.c: no way to other processes (comm.h): made without MPI, the program runs alone. Nobody
// has a comm then, and what a comm would be asked for is not reached.
#include "base/comm_internal.h"

const char *comm_library(void)
{
    return NULL;
}

bool comm_way_open(comm *c, err *e)
{
    c->size = 0;
    return err_set(e, ERR_USAGE,
                   "this process was started as one of several, and this kmidi was made without "
                   "MPI, so that each would train alone; make it with: make MPI=1");
}

void comm_way_close(int status)
{
    (void)status;
}

bool comm_way_gather(comm *c, const void *mine, size_t bytes, void *all)
{
    return comm_lose(c, "no gather of %zu bytes from %p to %p", bytes, mine, all);
}

bool comm_way_broadcast(comm *c, void *p, size_t bytes)
{
    return comm_lose(c, "no broadcast of %zu bytes at %p", bytes, p);
}

bool comm_way_sum(comm *c, float *x, int64_t n)
{
    return comm_lose(c, "no sum of %lld elements at %p", (long long)n, (void *)x);
}
