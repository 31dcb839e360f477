// SPDX-License-Identifier: GPL-3.0-or-later
// slurm_script.h: a batch script of Slurm that people can read and change, and handing it in.
//
// Its last line is `exec kmidi ...`, so that the signals of a job reach kmidi itself, and that is a
// command which may be started again at any time: it goes on where it was, and ends at once where
// there is nothing left to do.
#ifndef KMIDI_CMD_SLURM_SCRIPT_H
#define KMIDI_CMD_SLURM_SCRIPT_H

#include "cmd/cmd.h"

typedef struct slurm_script {
    const char *path;          // of the script
    const char *what;          // "8 parts of shards/x", for its first lines
    const char *name, *log;    // of the job; the file of what it says, with Slurm's %j or %A_%a
    const char *time;          // as sbatch takes it; NULL: the partition's
    const char *partition;     // NULL: the default one
    const char *const *extra;  // [n_extra] further options of sbatch: "--account=x"
    int n_extra, cpus, margin; // seconds before its end that a job is asked to stop
    int requeues;              // how often at most; 0: never
    int ranks;                 // processes that share a run; 0: it is one
    const char *mpi;           // how srun starts them: "pmi2"
    int tasks, at_once;        // of an array, 1 to tasks; 0: none, and all
    uint64_t memory;           // bytes, of each rank; 0: the cluster's default
    const char *arguments;     // of kmidi, quoted for a shell
} slurm_script;

// Text and files. A script that is there and says something else was changed by its owner: it is
// replaced only with `overwrite`.
const char *slurm_script_text(const slurm_script *s, arena *a, err *e) MUST_CHECK;
bool slurm_script_write(const slurm_script *s, bool overwrite, arena *a, err *e) MUST_CHECK;
// The number of the job; NULL with sbatch's own sentence. `after`: begins when that job has ended
// well; may be NULL.
const char *slurm_submit(cmd *c, const char *path, const char *after, err *e) MUST_CHECK;
// "sbatch runs/a.sbatch"
const char *slurm_submit_command(const char *path, const char *after, arena *a);
// "90", "4h", "1-12:00:00" as sbatch takes times; NULL for what is none.
const char *slurm_time(const char *text, arena *a);

#endif
