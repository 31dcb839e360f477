// SPDX-License-Identifier: GPL-3.0-or-later
// comm_near.c: sums of ranks that are all on one machine, through memory that they share (comm.h).
//
// A buffer that all ranks see (comm_share) is added up where it lies: each rank reads its part of
// all of them, in the order of ranks as everywhere, and writes the sum to all of them.
//
// Any other is added up a block at a time. Each rank brings what the others need of its block into
// shared memory, adds up its own part of all of them, and leaves it there for the others to fetch.
// Places are there twice, and a rank fetches block k - 1 behind its part of block k: nobody waits
// for one who is less than a block behind.
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/comm_internal.h"
#include "base/hw.h"
#include "base/threads.h"

enum { BLOCK = 1 << 15, LINE = 64 };

typedef struct mark {
    _Alignas(LINE) _Atomic uint64_t brought; // blocks so far, of all sums
    _Atomic uint64_t added;
} mark;

struct comm_near {
    mark *marks;    // [size]
    float *brought; // [2][size][BLOCK]
    float *sums;    // [2][BLOCK]
    uint64_t turn;  // blocks so far
    size_t bytes;
    float *
        *views; // [size] of a buffer that all see, this rank's own among them; NULL: there is none
    size_t shared; // its bytes
};

static size_t bytes_of(int size)
{
    return (size_t)size * sizeof(mark) + 2 * ((size_t)size + 1) * BLOCK * sizeof(float);
}

uint64_t comm_near_bytes(const struct comm_near *n)
{
    return n->bytes;
}

// Memory without a name, so that nothing is left of it however a rank ends; the others reach it
// through the process that has it.
static int make(size_t bytes)
{
#ifdef __linux__
    int fd = memfd_create("kmidi", MFD_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
#else
    (void)bytes;
#endif
    return -1;
}

static void *map(int fd, void *at, size_t bytes)
{
    void *p = fd < 0 ? MAP_FAILED
                     : mmap(at, bytes, PROT_READ | PROT_WRITE,
                            at ? MAP_SHARED | MAP_FIXED : MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

static void *map_of(const comm *c, int rank, int fd, size_t bytes)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)c->peers[rank].pid, fd);
    int other = fd < 0 ? -1 : open(path, O_RDWR | O_CLOEXEC);
    void *p = map(other, NULL, bytes);
    if (other >= 0)
        close(other);
    return p;
}

static struct comm_near *near_of(void *p, int size)
{
    struct comm_near *n = base_checked(calloc(1, sizeof *n), sizeof *n);
    n->bytes = bytes_of(size);
    n->marks = p;
    n->brought = (float *)(void *)(n->marks + size);
    n->sums = n->brought + 2 * (size_t)size * BLOCK;
    return n;
}

bool comm_near_open(comm *c, err *e)
{
    size_t bytes = bytes_of(c->size);
    int own = c->rank ? -1 : make(bytes), fd = own;
    if (!comm_broadcast(c, &fd, sizeof fd, e))
        return false;
    void *p = c->rank ? map_of(c, 0, fd, bytes) : map(own, NULL, bytes);
    bool all = comm_agree(c, p || err_set(NULL, ERR_MEMORY, "none"), NULL);
    if (own >= 0)
        close(own);
    if (all)
        c->near = near_of(p, c->size);
    else if (p)
        munmap(p, bytes);
    return !c->lost || comm_agree(c, false, e);
}

static void forget(float **views, int size, int rank, size_t bytes)
{
    for (int i = 0; views && i < size; i++)
        if (i != rank && views[i])
            munmap(views[i], bytes);
    free(views);
}

void comm_near_close(comm *c)
{
    if (!c->near)
        return;
    forget(c->near->views, c->size, c->rank, c->near->shared);
    munmap(c->near->marks, c->near->bytes);
    free(c->near);
}

// All maps of the others come first: then nothing can fail any more that only one would know of.
bool comm_near_share(comm *c, float *x, size_t bytes, err *e)
{
    struct comm_near *n = c->near;
    int own = make(bytes), *fds = base_checked(malloc((size_t)c->size * sizeof own), 0);
    float **views = base_checked(calloc((size_t)c->size, sizeof *views), 0);
    bool ok = comm_gather(c, &own, sizeof own, fds, e), seen = ok && own >= 0;
    for (int i = 0; seen && i < c->size; i++) {
        views[i] = i == c->rank ? x : map_of(c, i, fds[i], bytes);
        seen = views[i] != NULL;
    }
    free(fds);
    bool all = ok && comm_agree(c, seen || err_set(NULL, ERR_MEMORY, "none"), NULL);
    all = all && comm_agree(c, map(own, x, bytes) || err_set(NULL, ERR_MEMORY, "none"), NULL);
    if (own >= 0)
        close(own);
    if (all)
        n->views = views, n->shared = bytes;
    else
        forget(views, c->size, c->rank, bytes);
    return !c->lost || comm_agree(c, false, e);
}

static float *brought(const comm *c, uint64_t turn, int rank)
{
    return c->near->brought + (turn % 2 * (uint64_t)c->size + (uint64_t)rank) * BLOCK;
}

static float *sums(const comm *c, uint64_t turn)
{
    return c->near->sums + turn % 2 * BLOCK;
}

// Until all have done as much as block `turn`.
static bool await(comm *c, uint64_t turn, bool added)
{
    double since = hw_seconds();
    for (int i = 0; i < c->size;) {
        mark *m = &c->near->marks[i];
        uint64_t done = atomic_load_explicit(added ? &m->added : &m->brought, memory_order_acquire);
        if (done > turn)
            i++;
        else if (!comm_wait(c, since))
            return false;
    }
    return true;
}

static void bring(const comm *c, const float *x, int64_t n, uint64_t turn)
{
    float *to = brought(c, turn, c->rank);
    comm_part mine = comm_part_of(c, n, c->rank);
    int64_t behind = mine.lo + mine.n;
    memcpy(to, x, (size_t)mine.lo * sizeof *x);
    memcpy(to + behind, x + behind, (size_t)(n - behind) * sizeof *x);
    atomic_store_explicit(&c->near->marks[c->rank].brought, turn + 1, memory_order_release);
}

static void add_up(const comm *c, float *x, int64_t n, uint64_t turn)
{
    comm_part mine = comm_part_of(c, n, c->rank);
    for (int r = 0; r < c->size; r++)
        c->versions[r] = (r == c->rank ? x : brought(c, turn, r)) + mine.lo;
    comm_add_up(x + mine.lo, c->versions, c->size, mine.n);
    memcpy(sums(c, turn) + mine.lo, x + mine.lo, (size_t)mine.n * sizeof *x);
    atomic_store_explicit(&c->near->marks[c->rank].added, turn + 1, memory_order_release);
}

static void fetch(const comm *c, float *x, int64_t n, uint64_t turn)
{
    const float *from = sums(c, turn);
    comm_part mine = comm_part_of(c, n, c->rank);
    int64_t behind = mine.lo + mine.n;
    memcpy(x, from, (size_t)mine.lo * sizeof *x);
    memcpy(x + behind, from + behind, (size_t)(n - behind) * sizeof *x);
}

static int64_t length_of(int64_t n, int64_t block)
{
    int64_t left = n - block * BLOCK;
    return left < BLOCK ? left : BLOCK;
}

static void add_up_there(const comm *c, int64_t n)
{
    enum { SOME = 1024 };
    float sum[SOME];
    comm_part mine = comm_part_of(c, n, c->rank);
    for (int64_t at = mine.lo; at < mine.lo + mine.n; at += SOME) {
        int64_t left = mine.lo + mine.n - at, some = left < SOME ? left : SOME;
        for (int r = 0; r < c->size; r++)
            c->versions[r] = c->near->views[r] + at;
        comm_add_up(sum, c->versions, c->size, some);
        for (int r = 0; r < c->size; r++)
            memcpy(c->near->views[r] + at, sum, (size_t)some * sizeof *sum);
    }
}

static bool sum_shared(comm *c, int64_t n)
{
    mark *mine = &c->near->marks[c->rank];
    uint64_t turn = c->near->turn++;
    atomic_store_explicit(&mine->brought, turn + 1, memory_order_release);
    if (!await(c, turn, false))
        return false;
    add_up_there(c, n);
    atomic_store_explicit(&mine->added, turn + 1, memory_order_release);
    return await(c, turn, true);
}

bool comm_near_sum(comm *c, float *x, int64_t n)
{
    int64_t blocks = (n + BLOCK - 1) / BLOCK;
    uint64_t first = c->near->turn;
    if (c->near->views && x == c->near->views[c->rank] && (size_t)n * sizeof *x <= c->near->shared)
        return sum_shared(c, n);
    for (int64_t k = 0; k <= blocks; k++) {
        uint64_t turn = first + (uint64_t)k;
        if (k < blocks) {
            bring(c, x + k * BLOCK, length_of(n, k), turn);
            if (!await(c, turn, false))
                return false;
            add_up(c, x + k * BLOCK, length_of(n, k), turn);
        }
        if (k > 0) {
            if (!await(c, turn - 1, true))
                return false;
            fetch(c, x + (k - 1) * BLOCK, length_of(n, k - 1), turn - 1);
        }
    }
    c->near->turn += (uint64_t)blocks;
    return true;
}
