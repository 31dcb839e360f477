// SPDX-License-Identifier: GPL-3.0-or-later
// comm.h: one run in several processes ("ranks"), on one machine or many.
//
//     comm *c;
//     if (!comm_open(&c, e)) ...        // NULL, without an error: this process is alone
//     bool ok = comm_agree(c, work(e), e); // what failed in one of them has failed in all
//     ok = ok && comm_sum(c, gradients, n, e);
//     comm_close(c, ok ? ERR_NONE : e->code); // the last thing that the process does
//
// Every function but the first takes NULL: one process is rank 0 of 1, and nothing is sent. All
// ranks call the same functions in the same order. What goes between them is the business of one
// file, comm_mpi.c, which is there where the program was made with MPI=1.
//
// A rank that ended is found by those that wait for it: within a second on the same machine, else
// by MPI. Whatever they call from then on fails with that sentence.
#ifndef KMIDI_BASE_COMM_H
#define KMIDI_BASE_COMM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct comm comm;

// "Open MPI v4.1.4", "MPICH Version: 4.0.2"; NULL: the program was made without MPI=1.
const char *comm_library(void);

// Whether mpirun or srun started this process as one of several. ERR_USAGE where it did and the
// program cannot: each would train alone, in one folder.
bool comm_open(comm **c, err *e) MUST_CHECK;
// As if there were so many, for one who plans: nothing can be sent.
comm *comm_suppose(int size);
// Waits for the others, so that none is ended by its starter while another has something to say. An
// ERR_CRASH (a rank was lost) ends them all. Accepts NULL.
void comm_close(comm *c, err_code why);

int comm_rank(const comm *c);
int comm_size(const comm *c);
// Whether this rank speaks for all: the first does, or the first that is still there.
bool comm_speaks(const comm *c);
// Ranks on this machine; cores for each of them, of those that they may run on.
int comm_here(const comm *c);
int comm_cores(const comm *c);
// Memory that sums take, where a buffer of `shared` bytes is given to comm_share.
uint64_t comm_bytes(const comm *c, uint64_t shared);
double comm_seconds(const comm *c); // spent in all calls so far, waiting included

// While this rank waits for others `poll` is called now and then; NULL: nothing is.
void comm_poll(comm *c, bool (*poll)(void *user), void *user);

// `all` is [size][bytes], in every rank.
bool comm_gather(comm *c, const void *mine, size_t bytes, void *all, err *e) MUST_CHECK;
bool comm_broadcast(comm *c, void *p, size_t bytes, err *e) MUST_CHECK; // what rank 0 has
// Sums over ranks, in place: element by element in the order of ranks, so that each has the same
// bits, whenever and wherever it is done again.
bool comm_sum(comm *c, float *x, int64_t n, err *e) MUST_CHECK;
// From here on all ranks of one machine see the memory at x (of base_pages), which is zero then:
// sums of it need no copies. Elsewhere nothing changes. For one buffer.
bool comm_share(comm *c, float *x, size_t bytes, err *e) MUST_CHECK;
// True where all say so. Else false everywhere, with the error of the first that failed.
bool comm_agree(comm *c, bool ok, err *e) MUST_CHECK;
// ERR_MISMATCH where a rank has another text than rank 0, by the first line that differs: "rank 1:
// another WHAT (B) than rank 0 has (A); REMEDY".
bool comm_same(comm *c, const char *what, const char *text, const char *remedy, err *e) MUST_CHECK;

#endif
