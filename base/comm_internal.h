// SPDX-License-Identifier: GPL-3.0-or-later
// comm_internal.h: what comm.c asks of a way to reach other processes.
#ifndef KMIDI_BASE_COMM_INTERNAL_H
#define KMIDI_BASE_COMM_INTERNAL_H

#include "base/comm.h"
#include "base/threads.h"

typedef struct comm_peer {
    int32_t pid;
    int32_t cores;     // that it may run on
    uint64_t machine;  // a hash; the same for ranks that see each other's processes
    uint64_t cpus[16]; // a bit for each
} comm_peer;

struct comm {
    int rank, size;
    comm_peer *peers; // [size]; NULL: they are only supposed
    float *scratch;   // of comm_way_sum; NULL: comm_near_sum is used
    struct comm_near *near;
    const float **versions; // [size]: of comm_add_up
    double spin;            // seconds of waiting without a pause
    int first;              // rank that is there
    bool lost;              // a rank or the way to it; nothing works from then on
    err why;
    double seconds, looked;
    bool (*poll)(void *user);
    void *user;
};

// comm_mpi.c; comm_none.c where the program is made without it
bool comm_way_open(comm *c, err *e) MUST_CHECK; // sets rank and size
void comm_way_close(int status);                // not 0: of all ranks, at once
bool comm_way_gather(comm *c, const void *mine, size_t bytes, void *all) MUST_CHECK;
bool comm_way_broadcast(comm *c, void *p, size_t bytes) MUST_CHECK;
bool comm_way_sum(comm *c, float *x, int64_t n) MUST_CHECK;

// comm_near.c: of ranks that all share memory. c->near stays NULL where they cannot.
bool comm_near_open(comm *c, err *e) MUST_CHECK;
void comm_near_close(comm *c);
bool comm_near_share(comm *c, float *x, size_t bytes, err *e) MUST_CHECK;
uint64_t comm_near_bytes(const struct comm_near *n);
bool comm_near_sum(comm *c, float *x, int64_t n) MUST_CHECK;

// comm.c
// The sum of `size` versions of n elements, element by element in their order; `to` may be one.
void comm_add_up(float *to, const float *const *versions, int size, int64_t n);
// Called while a rank waits. False once it waits in vain.
bool comm_wait(comm *c, double since) MUST_CHECK;
bool comm_lose(comm *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
size_t comm_scratch(const comm *c); // elements of it

// Elements that are summed at once: a rank holds its part of them once for each other rank.
enum { COMM_PIECE = 1 << 21, COMM_GRAIN = 16 };

// The elements of n that `rank` adds up.
typedef struct comm_part {
    int64_t lo, n;
} comm_part;
static inline comm_part comm_part_of(const comm *c, int64_t n, int rank)
{
    int64_t lo, hi;
    threads_part(n, COMM_GRAIN, rank, c->size, &lo, &hi);
    return (comm_part){lo, hi - lo};
}

#endif
