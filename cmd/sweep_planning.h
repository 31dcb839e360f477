// SPDX-License-Identifier: GPL-3.0-or-later
// sweep_planning.h: the plan that a command line means: a new one, or the one that stands in its
// folder, predicted; for whoever runs it here (sweep.c) or hands it to a scheduler (slurm_sweep.c).
#ifndef KMIDI_CMD_SWEEP_PLANNING_H
#define KMIDI_CMD_SWEEP_PLANNING_H

#include "cmd/cmd.h"
#include "train/sweep_plan.h"

typedef struct sweep_asked {
    const char *config; // NULL: the plan that stands in `dir`
    const char *dir;    // NULL: shown, and no folder is made
    const char *sets;   // a file of sets; NULL: none
    int64_t random, seed;
    int jobs, threads; // at once; of each
    uint64_t budget;   // for all at once; 0: the configuration's
    bool yes, dry;     // many are meant; none is begun
} sweep_asked;

// From --out, --sets, --random, --seed and --yes; jobs, threads, budget and dry are the caller's.
bool sweep_asked_read(cmd *c, const char *name, sweep_asked *o, err *e) MUST_CHECK;
// Predicted, and not written.
bool sweep_planning_look(cmd *c, const sweep_asked *o, sweep_plan *p, err *e) MUST_CHECK;
// Predicted, and written into o->dir, whose lock is held until this process ends.
bool sweep_planning_begin(cmd *c, const sweep_asked *o, sweep_plan *p, err *e) MUST_CHECK;
// As it stands in `dir`, without its lock.
bool sweep_planning_read(cmd *c, const char *dir, sweep_plan *p, err *e) MUST_CHECK;
// In a line: memory, disk, time.
void sweep_planning_say(cmd *c, const sweep_asked *o, const sweep_plan *p);
uint64_t sweep_planning_peak(const sweep_plan *p); // bytes of the largest run

#endif
