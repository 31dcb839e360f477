// SPDX-License-Identifier: GPL-3.0-or-later
// doctor_system.c: what the machine has and lets us have.
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "autograd/gemm/gemm.h"
#include "base/file.h"
#include "base/thermal.h"
#include "cmd/doctor.h"
#include "cmd/info.h"

// A file of our own in the folder, gone when it is closed. -1: errno says why not.
static int probe(const patient *p, char path[4200])
{
    snprintf(path, 4200, "%s/.kmidi-doctor-XXXXXX", p->dir);
    int fd = mkstemp(path);
    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

// ---- Disk

// Seconds that 8 MiB take until they are safe.
static double sync_seconds(int fd)
{
    enum { BLOCK = 1 << 20, BLOCKS = 8 };
    char *block = calloc(1, BLOCK);
    double began = hw_seconds();
    bool ok = block != NULL;
    for (int i = 0; ok && i < BLOCKS; i++)
        ok = write(fd, block, BLOCK) == BLOCK;
    ok = ok && fsync(fd) == 0;
    free(block);
    return ok ? hw_seconds() - began : NAN;
}

void doctor_disk(patient *p, finding *f)
{
    struct statvfs v;
    char path[4200], left[32], need[32];
    int fd = statvfs(p->dir, &v) == 0 ? probe(p, path) : -1;
    if (fd < 0) {
        finding_set(p, f, FINDING_BAD, "name a folder that you may write into: --dir DIR",
                    "nothing can be written into '%s': %s", p->dir, strerror(errno));
        return;
    }
    double seconds = sync_seconds(fd);
    unlink(path), close(fd);
    uint64_t bytes = (uint64_t)v.f_bavail * v.f_frsize;
    bool short_of = bytes < p->disk_needed + (64 << 20), files = v.f_files && v.f_favail < 1000;
    str_human_bytes(bytes, left), str_human_bytes(p->disk_needed, need);
    json_set_int(f->values, "free_bytes", (int64_t)bytes);
    json_set_int(f->values, "needed_bytes", (int64_t)p->disk_needed);
    json_set_num(f->values, "sync_seconds", seconds);
    finding_set(p, f,
                short_of || files || isnan(seconds) ? FINDING_BAD
                : seconds > 2                       ? FINDING_NOTE
                                                    : FINDING_OK,
                short_of         ? "make room, or name another disk: --dir DIR; "
                                   "train.keep_top_k=0 keeps fewer checkpoints"
                : files          ? "this file system has no room for more files; remove some"
                : isnan(seconds) ? "a quota may be used up; make room"
                : seconds > 2 ? "save less often (train.save_every), or to a disk of this machine"
                              : NULL,
                "%s free%s%s; 8 MiB are safe after %.2g s", left,
                p->disk_needed ? ", the checkpoints of this run take up to " : "",
                p->disk_needed ? need : "", seconds);
}

// ---- Locks

// Whether a second process is kept out by a lock that we hold.
typedef enum guard { KEPT_OUT, LET_IN, NO_LOCKS } guard;

static guard try_lock(int fd, const char *path)
{
    if (flock(fd, LOCK_EX | LOCK_NB))
        return NO_LOCKS;
    int other = open(path, O_RDWR | O_CLOEXEC); // of its own, as another process has it
    guard is = other >= 0 && flock(other, LOCK_EX | LOCK_NB) == 0 ? LET_IN : KEPT_OUT;
    if (other >= 0)
        close(other);
    return is;
}

void doctor_locks(patient *p, finding *f)
{
    static const char remedy[] =
        "see to it that one process writes into a run's folder; for other programs that read "
        "HDF5 files here (h5py): export HDF5_USE_FILE_LOCKING=FALSE";
    char path[4200];
    int fd = probe(p, path);
    guard is = fd >= 0 ? try_lock(fd, path) : NO_LOCKS;
    int why = errno;
    if (fd >= 0)
        unlink(path), close(fd);
    json_set_bool(f->values, "locks", is == KEPT_OUT);
    if (is == KEPT_OUT)
        finding_set(p, f, FINDING_OK, NULL, "work in '%s': a second process is kept out", p->dir);
    else if (is == LET_IN)
        finding_set(p, f, FINDING_NOTE, remedy, "are given in '%s', and keep nobody out", p->dir);
    else
        finding_set(p, f, FINDING_NOTE, remedy, "cannot be had in '%s': %s", p->dir, strerror(why));
}

// ---- Clock

// A file server with another time makes what is newer look older.
void doctor_clock(patient *p, finding *f)
{
    enum { MADE = 1735689600 }; // 2025
    char path[4200];
    struct stat st;
    int fd = probe(p, path);
    bool seen = fd >= 0 && write(fd, "x", 1) == 1 && fstat(fd, &st) == 0;
    time_t now = time(NULL);
    double off = seen ? difftime(st.st_mtime, now) : 0;
    if (fd >= 0)
        unlink(path), close(fd);
    json_set_num(f->values, "file_system_seconds_ahead", off);
    if (now < MADE)
        finding_set(p, f, FINDING_BAD, "set it: timedatectl set-ntp true",
                    "of this machine stands before this program was made");
    else if (fabs(off) > 2)
        finding_set(p, f, FINDING_NOTE,
                    "let both follow one time server (NTP): what is newer is told by these times",
                    "of the file system is %.0f s %s this machine's", fabs(off),
                    off > 0 ? "ahead of" : "behind");
    else
        finding_set(p, f, FINDING_OK, NULL, "agrees with the file system's%s",
                    seen ? "" : ", as far as can be seen");
}

// ---- Memory and cores

void doctor_memory(patient *p, finding *f)
{
    char ram[32], limit[32], now[32], need[32];
    const hw *h = &p->machine;
    uint64_t have = hw_available();
    uint64_t most = have && have < h->memory_limit ? have : h->memory_limit;
    bool less = h->memory > h->memory_limit;
    bool too_much = p->memory_needed > most;
    json_set_int(f->values, "memory_bytes", (int64_t)h->memory);
    json_set_int(f->values, "limit_bytes", (int64_t)h->memory_limit);
    json_set_int(f->values, "available_bytes", (int64_t)have);
    json_set_int(f->values, "needed_bytes", (int64_t)p->memory_needed);
    finding_set(p, f,
                too_much ? FINDING_BAD
                : less   ? FINDING_NOTE
                         : FINDING_OK,
                too_much ? "lower memory.budget, or end what else is running here"
                : less   ? "a control group sets this limit; in a job ask for more (--mem)"
                         : NULL,
                "%s, of which this process may use %s, and %s are free%s%s",
                str_human_bytes(h->memory, ram), str_human_bytes(h->memory_limit, limit),
                have ? str_human_bytes(have, now) : "no one knows how many",
                p->memory_needed ? "; this run takes " : "",
                p->memory_needed ? str_human_bytes(p->memory_needed, need) : "");
}

// A library that would start more threads than there are cores, or fewer than it may.
static const char *other_threads(int cores, arena *a)
{
    static const char *const names[] = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
                                        "SLURM_CPUS_PER_TASK"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = getenv(names[i]);
        int n = text ? atoi(text) : cores;
        if (n > cores)
            return arena_printf(a, "%s=%d is more; unset it, or ask for as many cores", names[i],
                                n);
    }
    return NULL;
}

void doctor_cores(patient *p, finding *f)
{
    int cores = p->machine.cores, all = (int)sysconf(_SC_NPROCESSORS_ONLN);
    const char *more = other_threads(cores, p->c->arena);
    json_set_int(f->values, "usable", cores);
    json_set_int(f->values, "online", all);
    json_set_int(f->values, "threads", p->threads);
    finding_set(p, f, p->threads > cores || more || cores < all ? FINDING_NOTE : FINDING_OK,
                p->threads > cores ? "threads that share a core wait for each other; lower "
                                     "train.threads"
                : more             ? more
                : cores < all      ? "a CPU set or a quota says so; in a job ask for more "
                                     "(--cpus-per-task)"
                                   : NULL,
                "%d of %d may be used, %d thread%s would be", cores, all, p->threads,
                p->threads == 1 ? "" : "s");
}

// ---- Libraries

void doctor_libraries(patient *p, finding *f)
{
    gemm_ways ways;
    err e = {0};
    strbuf all = {0};
    char products[128] = "none";
    const char *name, *version;
    bool ok = gemm_choose(&ways, &e);
    if (ok)
        gemm_describe(&ways, products);
    for (int i = 0; (name = info_library(i, &version)); i++) {
        strbuf_printf(&all, ", %s %s", name, version);
        json_set_str(f->values, name, version);
    }
    json_set_str(f->values, "products", products);
    finding_set(p, f, ok ? FINDING_OK : FINDING_BAD, NULL, "%s%s%s", ok ? "products by " : "",
                ok ? products : e.text, all.s);
    strbuf_free(&all);
}

// ---- Temperature

void doctor_heat(patient *p, finding *f)
{
    thermal t;
    bool any = thermal_read(thermal_root(), &t);
    json_set_int(f->values, "sensors", t.sensors);
    if (any)
        json_set_num(f->values, "celsius", t.hottest);
    if (!any)
        finding_set(p, f, FINDING_OK, NULL, "no sensor");
    else
        finding_set(p, f, t.hottest >= 85 ? FINDING_NOTE : FINDING_OK,
                    t.hottest >= 85 ? "train.thermal.pause=95 lets a run wait before it gets too "
                                      "hot"
                                    : NULL,
                    "%.1f C, the hottest of %d sensor%s (%s)", t.hottest, t.sensors,
                    t.sensors == 1 ? "" : "s", t.name);
}
