// SPDX-License-Identifier: GPL-3.0-or-later
// comm.c: who the ranks are, what they agree on, and what becomes of those that wait (comm.h).
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/comm_internal.h"
#include "base/hw.h"

// Seconds between two looks at whether the others are still there; of waiting without a pause, and
// with one of a time slice.
static const double LOOK_EVERY = 0.25, SPIN = 0.002, SLICE = 0.05;
// Characters of what differs; bytes of a buffer from which base_pages maps whole pages.
enum { MOST_SHOWN = 160, SHARED_LEAST = 2 << 20 };

// ---- What those who start ranks tell them

static int told(const char *name)
{
    const char *text = getenv(name);
    return text ? atoi(text) : 0;
}

// How many this process was started with, as Open MPI's mpirun, MPICH's and srun --mpi=pmi2, and
// srun --mpi=pmix say it. Slurm numbers all of its tasks, whether or not they are to talk to each
// other: its own variables count beside those of PMIx alone.
static int told_size(void)
{
    int open = told("OMPI_COMM_WORLD_SIZE"), pmi = told("PMI_SIZE");
    int pmix = getenv("PMIX_RANK") ? told("SLURM_STEP_NUM_TASKS") : 0;
    return open > 0 ? open : pmi > 0 ? pmi : pmix;
}

// ---- The ranks

static uint64_t hash(uint64_t h, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    return h;
}

// Of those who can ask after each other's processes: containers of one machine may not.
static uint64_t machine(void)
{
    char host[256] = "";
    struct stat s = {0};
    gethostname(host, sizeof host - 1);
    if (stat("/proc/self/ns/pid", &s) != 0)
        s.st_ino = 0;
    uint64_t space = (uint64_t)s.st_ino;
    return hash(hash(UINT64_C(0xcbf29ce484222325), host, strlen(host)), &space, sizeof space);
}

static comm_peer myself(void)
{
    comm_peer p = {.pid = (int32_t)getpid(), .cores = hw_cores(), .machine = machine()};
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        for (int i = 0; i < CPU_SETSIZE && i < 64 * 16; i++)
            if (CPU_ISSET(i, &set))
                p.cpus[i / 64] |= UINT64_C(1) << (i % 64);
#endif
    return p;
}

static void *array(int n, size_t size)
{
    return base_checked(calloc((size_t)n, size), (size_t)n * size);
}

static bool start(comm *c, err *e)
{
    comm_peer me = myself();
    c->peers = array(c->size, sizeof *c->peers);
    c->versions = array(c->size, sizeof *c->versions);
    if (!comm_gather(c, &me, sizeof me, c->peers, e))
        return false;
    c->spin = comm_here(c) <= hw_cores() ? SPIN : 0;
    if (comm_here(c) == c->size && !comm_near_open(c, e))
        return false;
    if (!c->near)
        c->scratch = array((int)comm_scratch(c), sizeof *c->scratch);
    return true;
}

bool comm_open(comm **out, err *e)
{
    *out = NULL;
    int size = told_size();
    if (size <= 1)
        return true;
    comm *c = base_checked(calloc(1, sizeof *c), sizeof *c);
    bool ok = comm_way_open(c, e);
    if (ok && c->size != size)
        ok = err_set(e, ERR_USAGE,
                     "this process was started as one of %d, and its MPI knows of %d; start it by "
                     "the mpirun of that MPI, or by srun --mpi=pmi2 (or pmix)",
                     size, c->size);
    if (ok && start(c, e)) {
        *out = c;
        return true;
    }
    comm_close(c, ERR_USAGE);
    return false;
}

comm *comm_suppose(int size)
{
    comm *c = base_checked(calloc(1, sizeof *c), sizeof *c);
    c->size = size;
    return c;
}

void comm_close(comm *c, err_code why)
{
    if (!c)
        return;
    if (c->size && c->peers)
        comm_way_close(c->lost || why == ERR_CRASH ? err_status(ERR_CRASH) : 0);
    comm_near_close(c);
    free(c->peers);
    free(c->versions);
    free(c->scratch);
    free(c);
}

int comm_rank(const comm *c)
{
    return c ? c->rank : 0;
}

int comm_size(const comm *c)
{
    return c ? c->size : 1;
}

bool comm_speaks(const comm *c)
{
    return comm_rank(c) == (c ? c->first : 0);
}

static bool near(const comm *c, int rank)
{
    return c->peers[rank].machine == c->peers[c->rank].machine;
}

int comm_here(const comm *c)
{
    int n = 0;
    for (int i = 0; c && c->peers && i < c->size; i++)
        n += near(c, i);
    return c && c->peers ? n : 1;
}

// Cores are shared by those whose sets have one in common.
int comm_cores(const comm *c)
{
    if (!c || !c->peers)
        return hw_cores();
    int n = 0;
    const comm_peer *me = &c->peers[c->rank];
    for (int i = 0; i < c->size; i++) {
        bool meet = i == c->rank;
        for (int k = 0; k < 16; k++)
            meet = meet || (c->peers[i].cpus[k] & me->cpus[k]);
        n += near(c, i) && meet;
    }
    return me->cores > n ? me->cores / n : 1;
}

size_t comm_scratch(const comm *c)
{
    size_t size = (size_t)c->size;
    return (size - 1) * ((COMM_PIECE / COMM_GRAIN + size - 1) / size * COMM_GRAIN);
}

uint64_t comm_bytes(const comm *c, uint64_t shared)
{
    if (!c)
        return 0;
    uint64_t size = (uint64_t)c->size, scratch = sizeof(float) * comm_scratch(c),
             others = shared < SHARED_LEAST ? 0 : shared / size * (size - 1);
    if (c->near)
        return comm_near_bytes(c->near) + others;
    if (c->peers) // on several machines
        return scratch;
    return scratch > others ? scratch : others; // supposed: wherever they will be
}

double comm_seconds(const comm *c)
{
    return c ? c->seconds : 0;
}

void comm_poll(comm *c, bool (*poll)(void *user), void *user)
{
    if (c)
        c->poll = poll, c->user = user;
}

// ---- Waiting

bool comm_lose(comm *c, const char *fmt, ...)
{
    va_list args;
    if (c->lost)
        return false;
    c->lost = true;
    c->why.code = ERR_CRASH;
    va_start(args, fmt);
    vsnprintf(c->why.text, sizeof c->why.text, fmt, args);
    va_end(args);
    return false;
}

// One that ended stays a zombie until its parent looks.
static bool is_there(int32_t pid)
{
    char path[64], line[512], *end;
    if (kill(pid, 0) != 0 && errno == ESRCH)
        return false;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    bool read = f && fgets(line, sizeof line, f);
    if (f)
        fclose(f);
    end = read ? strrchr(line, ')') : NULL;
    return !end || !strchr("ZX", end[1] ? end[2] : ' ');
}

static bool look(comm *c)
{
    int gone = -1;
    for (int i = c->size - 1; i >= 0; i--)
        if (i != c->rank && near(c, i) && !is_there(c->peers[i].pid))
            gone = i;
        else
            c->first = i;
    return gone < 0 || comm_lose(c,
                                 "rank %d of %d (process %d) has ended, and the run with it; what "
                                 "was saved is whole, and --resume goes on from there",
                                 gone, c->size, (int)c->peers[gone].pid);
}

bool comm_wait(comm *c, double since)
{
    double now = hw_seconds(), waited = now - since;
    if (waited < c->spin)
        return true;
    if (now - c->looked > LOOK_EVERY) {
        c->looked = now;
        if (c->poll)
            c->poll(c->user);
        if (c->peers && !look(c))
            return false;
    }
    if (waited < SLICE)
        sched_yield();
    else
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    return true;
}

// ---- Calls

static bool ended(comm *c, double began, bool ok, err *e)
{
    c->seconds += hw_seconds() - began;
    if (!ok && e)
        *e = c->why;
    return ok;
}

bool comm_gather(comm *c, const void *mine, size_t bytes, void *all, err *e)
{
    double began = hw_seconds();
    if (!c || c->size == 1) {
        memcpy(all, mine, bytes);
        return true;
    }
    return ended(c, began, !c->lost && comm_way_gather(c, mine, bytes, all), e);
}

bool comm_broadcast(comm *c, void *p, size_t bytes, err *e)
{
    double began = hw_seconds();
    return !c || c->size == 1 || ended(c, began, !c->lost && comm_way_broadcast(c, p, bytes), e);
}

void comm_add_up(float *to, const float *const *versions, int size, int64_t n)
{
    enum { SOME = 1024 };
    float sum[SOME];
    for (int64_t at = 0; at < n; at += SOME) {
        int64_t some = n - at < SOME ? n - at : SOME;
        memcpy(sum, versions[0] + at, (size_t)some * sizeof *sum);
        for (int r = 1; r < size; r++) {
            const float *more = versions[r] + at;
            for (int64_t i = 0; i < some; i++)
                sum[i] += more[i];
        }
        memcpy(to + at, sum, (size_t)some * sizeof *sum);
    }
}

static bool add(comm *c, float *x, int64_t n)
{
    return c->near ? comm_near_sum(c, x, n) : comm_way_sum(c, x, n);
}

bool comm_share(comm *c, float *x, size_t bytes, err *e)
{
    return !c || !c->near || bytes < SHARED_LEAST || comm_near_share(c, x, bytes, e);
}

bool comm_sum(comm *c, float *x, int64_t n, err *e)
{
    double began = hw_seconds();
    return !c || c->size == 1 || ended(c, began, !c->lost && add(c, x, n), e);
}

bool comm_agree(comm *c, bool ok, err *e)
{
    if (!c || c->size == 1)
        return ok;
    err own = e ? *e : (err){0};
    int32_t code = ok ? 0 : own.code ? (int32_t)own.code : ERR_INTERNAL;
    int32_t *all = base_checked(malloc(sizeof *all * (size_t)c->size), 0);
    bool reached = comm_gather(c, &code, sizeof code, all, e);
    int failed = -1;
    for (int i = c->size - 1; reached && i >= 0; i--)
        failed = all[i] ? i : failed;
    free(all);
    if (!reached || failed < 0)
        return reached;
    err *texts = base_checked(calloc((size_t)c->size, sizeof *texts), 0);
    reached = comm_gather(c, &own, sizeof own, texts, e);
    if (reached && e)
        *e = texts[failed];
    free(texts);
    if (reached && failed > 0)
        err_trail(e, "rank %d", failed);
    return false;
}

// The first line that two texts do not share, of each.
static void differ(const char *a, const char *b, char one[MOST_SHOWN], char other[MOST_SHOWN])
{
    size_t at = 0, line = 0;
    while (a[at] && a[at] == b[at]) {
        at++;
        if (a[at - 1] == '\n')
            line = at;
    }
    const char *from[] = {a + line, b + line};
    char *to[] = {one, other};
    for (int i = 0; i < 2; i++) {
        const char *s = from[i] + strspn(from[i], " ");
        snprintf(to[i], MOST_SHOWN, "%.*s", (int)strcspn(s, "\n"), s);
    }
}

bool comm_same(comm *c, const char *what, const char *text, const char *remedy, err *e)
{
    char mine[MOST_SHOWN], first[MOST_SHOWN];
    uint64_t n = strlen(text) + 1;
    bool ok = true;
    if (!comm_broadcast(c, &n, sizeof n, e))
        return false;
    char *said = base_checked(malloc((size_t)n), (size_t)n);
    memcpy(said, text, comm_rank(c) ? 0 : (size_t)n);
    bool reached = comm_broadcast(c, said, (size_t)n, e);
    if (reached && strcmp(said, text)) {
        differ(text, said, mine, first);
        ok = err_set(e, ERR_MISMATCH, "another %s (%s) than rank 0 has (%s); %s", what, mine, first,
                     remedy);
    }
    free(said);
    return reached && comm_agree(c, ok, e);
}
