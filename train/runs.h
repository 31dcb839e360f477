// SPDX-License-Identifier: GPL-3.0-or-later
// runs.h: how the runs of a folder stand, and what differs between them; read from their records,
// without being in the way of those that go on.
//
//     runs r;
//     runs_open(&r, "runs", &arena, e)
//     for (size_t i = 0; i < r.n; i++)
//         r.list[i].state, r.list[i].best, runs_value(&r, i, key) ...
//
// Nothing is read from end to end: a run's last lines say how it stands (trainer_save.c), so that
// thousands of runs are a matter of a second. What is damaged or half written is left out, never an
// error: a list tells what there is.
#ifndef KMIDI_TRAIN_RUNS_H
#define KMIDI_TRAIN_RUNS_H

#include "base/arena.h"
#include "base/err.h"
#include "train/lock.h"

typedef enum run_state {
    RUN_WAITING, // planned by a sweep and not begun
    RUN_RUNNING, // a process has its lock
    RUN_DONE,
    RUN_ENDED,   // early, by a sweep, which does not go on with it
    RUN_STOPPED, // asked to, or killed: it can be gone on with
    RUN_FAILED,
    RUN_STATES
} run_state;
extern const char *const run_states[RUN_STATES]; // "waiting", ...

// A key whose value is not that of the list's first run.
typedef struct run_setting {
    int key; // of runs.keys
    const char *value;
} run_setting;

typedef struct run_info {
    const char *path, *name; // the name is the path below the folder that was asked for
    run_state state;
    const char *why;     // how it ended, in words; NULL
    int64_t step, total; // done; of the whole run. -1: not known
    const char *monitor; // the figure that best and last are of
    double best, last;   // NAN: none yet
    double loss;         // of training, last
    int64_t best_step;   // -1
    double seconds;      // of training
    const char *started; // "2026-01-31T23:59:59Z"; NULL
    lock_owner owner;    // who has it, or had it last
    bool configured;     // else none of its keys is known
    run_setting *settings;
    int n_settings;
} run_info;

typedef struct runs {
    arena *a;
    run_info *list;
    size_t n, room;
    // every key of the first run with a configuration, with its value there
    const char **keys, **values;
    bool *differs; // [n_keys]: between any two
    int n_keys;
} runs;

// Every run in `folder` and below, by name; `folder` may be a run itself. ERR_MISSING where there
// is no such folder.
bool runs_open(runs *r, const char *folder, arena *a, err *e) MUST_CHECK;
// The same for a list of run folders and of folders that hold some, in its order, each run once;
// one that has no run is ERR_MISSING.
bool runs_open_list(runs *r, const char *const *paths, size_t n, arena *a, err *e) MUST_CHECK;
// Key number `key` of run i as YAML; "" where it has none.
const char *runs_value(const runs *r, size_t i, int key);
// Which keys differ among the runs that are in the list now.
void runs_recount(runs *r);
// By its name, or by the end of it behind a dot where only one has that; -1: none.
int runs_key(const runs *r, const char *name);
// The last part of a key, where no other that differs ends like it.
const char *runs_short_name(const runs *r, int key);

// ---- One run (runs_read.c)

// False where `path` holds no run. `monitor`: the figure that decides what its best is.
bool run_read(run_info *r, const char *path, const char *monitor, arena *a);
bool run_higher(const run_info *r); // whether more of what it monitors is better

// ---- What differs (runs_settings.c)

// The lines of a config.yaml, with overrides "optim.lr=0.001" over them, held against the first.
void runs_compare(runs *r, run_info *run, const char *yaml, const char *const *over, size_t n_over);

#endif
