// SPDX-License-Identifier: GPL-3.0-or-later
// job.h: a training command from configuration to result: options, data, trainer, folder.
// cmd/train.c and cmd/plan.c are thin over it.
//
//     job *j = job_configure(&request, &arena, e);        // configuration, or the resumed run's
//     ... open the thread pool with j->options.threads ...
//     job_open(j, e) // data, networks, memory; refuses what cannot run
//     job_begin(j, e)                                     // the run folder
//     job_run(j, &result, e) // to the end; report and marks are written
//     job_close(j);
#ifndef KMIDI_TRAIN_JOB_H
#define KMIDI_TRAIN_JOB_H

#include "train/calibrate.h"
#include "train/shards.h"
#include "train/trainer.h"

typedef struct job_request {
    const char *config;           // path; NULL with resume
    const char *const *overrides; // "optim.lr=3e-4"
    int n_overrides;
    const char *run_dir; // NULL: runs/NAME-TIME
    const char *resume;  // run folder or checkpoint; NULL: a new run
    // run_dir is gone on with where it has a checkpoint, and begun where it has none; resume is
    // NULL
    bool automatic;
    bool overwrite;
    uint64_t budget;   // instead of the configuration's; 0: as configured
    int profile_steps; // 0: no profile
    // for job_plan: data and the base of adapters are not looked at, the configuration stands for
    // them
    bool supposed;
    bool measure;        // this machine's speed anew, whatever the cache says
    const char *command; // the command line, for environment.json
    env *env;
    comm *comm; // the processes of the run, all of them with this request; NULL: one
    void (*tick)(void *user, const trainer_tick *t);
    bool (*save_asked)(void *user);
    void *user;
} job_request;

typedef struct job {
    job_request r;
    arena *a;
    config *config;
    train_options options;
    const char *config_text; // resolved
    const char *resume;      // path of the checkpoint
    int64_t resume_seen[3];  // which file it was when it was read: inode, bytes, time
    int64_t resume_micro;    // items that it computed at once
    // the libraries of its products (gemm_ways.h); NULL: it does not say
    const char *resume_products;
    // automatic, and the run in that folder has ended: there is nothing to do
    bool done;
    trainer_result ended; // then: what came of it
    uint64_t base;        // bytes resident before data and networks
    calibration costs;
    search_result search; // n 0: the split was given
    const char *run_dir;
    double next_report; // hw_seconds, not before
    shards *shards;
    trainer *trainer;
    folder *folder;
} job;

job *job_configure(const job_request *r, arena *a, err *e) MUST_CHECK;
bool job_open(job *j, err *e) MUST_CHECK;
// Networks and the memory prediction alone, for `kmidi plan`. Where the shards are not there yet,
// data.window stands for them (two classes).
bool job_plan(job *j, err *e) MUST_CHECK;
bool job_begin(job *j, err *e) MUST_CHECK;
bool job_run(job *j, trainer_result *r, err *e) MUST_CHECK;
void job_close(job *j); // accepts NULL

// job_ranks.c: that the processes of a run are of one program and configuration and go on from one
// place, behind job_configure; that their data and then their plans are the same; and what one
// chooses for all. Each accepts a job without comm.
bool job_meet(job *j, err *e) MUST_CHECK;
bool job_alike(job *j, err *e) MUST_CHECK;
bool job_planned_alike(job *j, err *e) MUST_CHECK;
bool job_choose_alike(job *j, int64_t *micro_batch, err *e) MUST_CHECK;
// `micro_batch` items at once: what search_splits asks for, with a job as `self`. Also before the
// loaders are open.
trainer_setup job_setup(void *self, int64_t micro_batch);
// Ways to split a step, into j->search; the best is the one of `given` items at once, 0: the best.
bool job_search(job *j, int64_t given, err *e) MUST_CHECK;
bool job_split(job *j, bool search, int64_t *micro_batch, err *e) MUST_CHECK;

// Lines for the log (job_say.c): how a run starts, what in it may not be meant so, how it ended.
void job_say_start(const job *j);
void job_say_doubts(const job *j, const log_sink *log);
void job_say_end(const job *j, const trainer_result *r);
typedef struct job_size {
    int64_t all, trainable, aside; // parameters; aside: of a probe for training only
} job_size;
job_size job_count(const job *j);
// the checkpoint that a new run begins from; NULL without one
const char *job_begins_from(const job *j);
folder_how job_how(const job *j);
// The checkpoint's file is looked at before it is read, and again under the folder's lock: whoever
// had that meanwhile may have saved, or come to the end.
void job_see_resume(const job *j, int64_t seen[3]);
// environment.json of a run.
void job_environment(const job *j, strbuf *out);

#endif
