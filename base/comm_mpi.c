// SPDX-License-Identifier: GPL-3.0-or-later
// comm_mpi.c: ranks by MPI (comm.h); the one file that knows it, compiled with MPI=1.
//
// Nothing here blocks inside MPI: what was begun is tested for, and between two tests comm_wait
// sees to it that a rank which ended is noticed. MPI_Allreduce would choose its order by the number
// of ranks, the length and where they run; so sums are made here: each rank is sent all versions of
// its part of a piece, adds them up in the order of ranks, and sends the sum to all. That moves as
// little as can be: 2 (N - 1) / N of the buffer in and out of every rank.
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/comm_internal.h"
#include "base/hw.h"

enum { TAG_PARTS = 1, TAG_SUMS = 2 };

// The first words of what may be several lines.
const char *comm_library(void)
{
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int n;
    if (!*text)
        MPI_Get_library_version(text, &n);
    text[strcspn(text, ",\n")] = 0;
    for (char *p = text; (p = strchr(p, '\t'));)
        *p = ' ';
    return text;
}

bool comm_way_open(comm *c, err *e)
{
    int level;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level) != MPI_SUCCESS)
        return err_set(e, ERR_INTERNAL, "MPI does not start; try: mpirun -n 2 hostname");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &c->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &c->size);
    return true;
}

void comm_way_close(int status)
{
    if (status)
        MPI_Abort(MPI_COMM_WORLD, status);
    else
        MPI_Finalize();
}

static bool failed(comm *c, int code)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int n;
    MPI_Error_string(code, text, &n);
    c->first = c->rank; // who else is there is not known
    return comm_lose(c,
                     "the way to the other ranks is broken (MPI: %s); what was saved is whole, and "
                     "--resume goes on from there",
                     text);
}

// One by one, each with a status: MPICH's word for "no statuses" is an address that GCC takes for a
// mistake. What is done already is MPI_REQUEST_NULL, and done again.
static int test_all(MPI_Request *list, int n, bool *done)
{
    int code = MPI_SUCCESS;
    *done = true;
    for (int i = 0; i < n && code == MPI_SUCCESS; i++) {
        MPI_Status status;
        int one = 0;
        code = MPI_Test(&list[i], &one, &status);
        *done = *done && one;
    }
    return code;
}

// `code` is of the call that began the last of them.
static bool finish(comm *c, int code, MPI_Request *list, int n)
{
    double since = hw_seconds();
    bool done = false;
    while (code == MPI_SUCCESS) {
        code = test_all(list, n, &done);
        if (code == MPI_SUCCESS && done)
            return true;
        if (code == MPI_SUCCESS && !comm_wait(c, since))
            return false;
    }
    return failed(c, code);
}

bool comm_way_gather(comm *c, const void *mine, size_t bytes, void *all)
{
    MPI_Request r;
    int code =
        MPI_Iallgather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, MPI_COMM_WORLD, &r);
    return finish(c, code, &r, 1);
}

bool comm_way_broadcast(comm *c, void *p, size_t bytes)
{
    MPI_Request r;
    int code = MPI_Ibcast(p, (int)bytes, MPI_BYTE, 0, MPI_COMM_WORLD, &r);
    return finish(c, code, &r, 1);
}

// Where the version of `rank` of this rank's part lies.
static float *version(const comm *c, float *x, comm_part mine, int rank)
{
    if (rank == c->rank)
        return x + mine.lo;
    return c->scratch + (int64_t)(rank < c->rank ? rank : rank - 1) * mine.n;
}

static void add_up(const comm *c, float *x, comm_part mine)
{
    for (int r = 0; r < c->size; r++)
        c->versions[r] = version(c, x, mine, r);
    comm_add_up(x + mine.lo, c->versions, c->size, mine.n);
}

// With every other rank. TAG_PARTS: its part from here, and from there its version of this one's;
// TAG_SUMS: this one's sum, and from there that of its part.
static bool trade(comm *c, float *x, int64_t n, int tag, MPI_Request *list)
{
    comm_part mine = comm_part_of(c, n, c->rank);
    int count = 0, code = MPI_SUCCESS;
    for (int r = 0; r < c->size && code == MPI_SUCCESS; r++) {
        if (r == c->rank)
            continue;
        comm_part its = comm_part_of(c, n, r), in = tag == TAG_PARTS ? mine : its,
                  out = tag == TAG_PARTS ? its : mine;
        float *to = tag == TAG_PARTS ? version(c, x, mine, r) : x + its.lo;
        code = MPI_Irecv(to, (int)in.n, MPI_FLOAT, r, tag, MPI_COMM_WORLD, &list[count++]);
        if (code == MPI_SUCCESS)
            code = MPI_Isend(x + out.lo, (int)out.n, MPI_FLOAT, r, tag, MPI_COMM_WORLD,
                             &list[count++]);
    }
    return finish(c, code, list, count);
}

bool comm_way_sum(comm *c, float *x, int64_t n)
{
    bool ok = true;
    MPI_Request *list = base_checked(malloc(2 * sizeof *list * (size_t)c->size), 0);
    for (int64_t at = 0; ok && at < n; at += COMM_PIECE) {
        int64_t some = n - at < COMM_PIECE ? n - at : COMM_PIECE;
        ok = trade(c, x + at, some, TAG_PARTS, list);
        if (ok)
            add_up(c, x + at, comm_part_of(c, some, c->rank));
        ok = ok && trade(c, x + at, some, TAG_SUMS, list);
    }
    free(list);
    return ok;
}
