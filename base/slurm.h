// SPDX-License-Identifier: GPL-3.0-or-later
// slurm.h: what a job of Slurm knows of itself, and may ask of its scheduler.
//
// Everything here is of the job that this process is in; outside of one there is none, no time that
// ends, and nothing is asked. Slurm's own commands are started (squeue, scontrol): they speak the
// version of the cluster. One that does not answer within some seconds is ended, and counts as not
// there.
#ifndef KMIDI_BASE_SLURM_H
#define KMIDI_BASE_SLURM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { SLURM_NAME = 68 };

// "15", of an array "12_3", as squeue writes it; "" outside of a job.
void slurm_job(char out[SLURM_NAME]);
// Seconds until the job's time is over, from SLURM_JOB_END_TIME, which newer versions set, else
// from squeue. 0 or less: over already; INFINITY: it has no end, or nobody says.
double slurm_time_left(void);
// "1-02:03:04", "02:03:04", "2:03" as squeue writes times; -1: none.
double slurm_seconds(const char *text);

// The part of an array that this job is: task k of n, from 1. An array that does not count from 1
// to n (a part of one that is run again) is refused: then only its owner knows n.
bool slurm_task(int *k, int *n, err *e) MUST_CHECK;

// Asks for the job to be queued again, where KMIDI_REQUEUE=N is set (a script of `kmidi slurm` does
// that), for the N-th time at most, and where the job is not being ended anyway: one that was
// cancelled stays so, one that was preempted is queued again by Slurm itself. True where it was
// asked for; an error only where it should have been and could not.
bool slurm_requeue(err *e);
// One of Slurm's commands (NULL behind the last argument), and the first line of what it says;
// false where it could not be started, did not answer, or said no.
bool slurm_ask(const char *const argv[], char *text, size_t size);

#endif
