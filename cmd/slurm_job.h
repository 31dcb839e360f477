// SPDX-License-Identifier: GPL-3.0-or-later
// slurm_job.h: what a run, a sweep and a dataset have in common as jobs (slurm.c, slurm_sweep.c).
#ifndef KMIDI_CMD_SLURM_JOB_H
#define KMIDI_CMD_SLURM_JOB_H

#include "cmd/slurm_script.h"

enum { TASKS_MOST = 1000000 };

bool slurm_in_range(cmd *c, const char *name, int64_t fallback, int64_t lo, int64_t hi, int *out,
                    err *e) MUST_CHECK;
// What another kind of job takes is refused; `names` ends with NULL.
bool slurm_only_for(cmd *c, const char *kind, const char *const *names, err *e) MUST_CHECK;
// Everything of `s` that options say, over what stands there; its files are beside `dir`.
bool slurm_take(cmd *c, const char *dir, slurm_script *s, err *e) MUST_CHECK;
// STEM.%j.out; "%" in names is Slurm's own
const char *slurm_log(const char *stem, const char *pattern, arena *a);
// Each behind a space, as a shell reads it.
void slurm_words(strbuf *out, const char *const *words, int n);
// Shown, or with --submit given to sbatch: then *id is the job's number, else NULL.
bool slurm_hand_in(cmd *c, const slurm_script *s, const char *after, const char **id,
                   err *e) MUST_CHECK;

bool slurm_sweep(cmd *c, err *e) MUST_CHECK; // slurm_sweep.c

#endif
