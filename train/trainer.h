// SPDX-License-Identifier: GPL-3.0-or-later
// trainer.h: the loop. Networks, plans and buffers are made once by trainer_open; a step then
// allocates nothing.
//
//     // builds, predicts the memory, refuses what is over budget
//     trainer *t = trainer_open(&setup, &arena, e);
//     trainer_attach(t, folder, e); // without it nothing is written (plan, bench, tests)
//     bool ok = trainer_run(t, &result, e);             // until the end, a stop, or an error
//     trainer_close(t);
//
// A step: a window of batches (fewer at an epoch's end) forward and backward, gradients added up;
// one division by their real total weight, clip by global norm, optimiser, EMA. Random draws are
// counted through the window. So the step is that of one large batch, whatever the split. Between
// steps, in this order: evaluation when due, saving when due, stopping when asked.
//
// In several processes (base/comm.h) each computes the batches of a window whose numbers, by their
// count, leave its rank, and gradients are summed once a step. All of them then make the same
// update; what is asked of one (a stop, a save) all answer behind the same step. Batches of an
// evaluation are shared in the same way, and rank 0 writes.
//
// Everything that a step depends on is in checkpoint_state, weights, moments and EMA: a run that is
// killed and resumed from its last checkpoint makes the same numbers as one that was not.
#ifndef KMIDI_TRAIN_TRAINER_H
#define KMIDI_TRAIN_TRAINER_H

#include "autograd/cost.h"
#include "autograd/profile.h"
#include "base/comm.h"
#include "base/env.h"
#include "checkpoint/checkpoint.h"
#include "train/feed.h"
#include "train/folder.h"
#include "train/metrics.h"
#include "train/options.h"

// For progress lines; given after every step.
typedef struct trainer_tick {
    int64_t step, total;
    double epoch;
    double loss, lr, samples_per_s;
    double wait_share; // of the time of steps, spent waiting for data
    double seconds_left;
} trainer_tick;

typedef struct trainer_setup {
    const train_options *o;
    const env *env;
    comm *comm;        // the processes of this run; NULL: it is one
    source train, val; // val.batches 0: none
    int classes;       // TASK_CLASSES with a probe
    // frames or tokens of a row, 1 for models without
    int64_t time;
    // rows of a batch of `train`, which divide the effective batch; 0: train.batch_size
    int64_t micro_batch;
    int64_t rows;            // that an epoch has; 0: not known
    int64_t eval_batch;      // rows of an evaluation batch; 0: as many
    const model_meta *meta;  // for checkpoints
    const char *config;      // resolved, for checkpoints
    const char *resume;      // checkpoint to go on from, or NULL
    const cost_model *costs; // of this machine; NULL: estimates
    double update_seconds;   // of the optimiser
    uint64_t other_bytes;    // of loaders: counted into the prediction
    // resident before loaders and all this were opened; 0: now
    uint64_t base_bytes;
    // that a profile is the mean of; 0: none is made
    int profile_steps;
    void (*tick)(void *user, const trainer_tick *t); // may be NULL
    bool (*save_asked)(void *user);                  // may be NULL
    // after an evaluation, when all of it is written; may be NULL
    void (*record)(void *owner);
    void *owner;
    void *user;
} trainer_setup;

typedef struct trainer_memory {
    uint64_t base;              // resident before anything was built: program, libraries
    uint64_t params;            // weights, gradients, moments, EMA
    uint64_t arena, eval;       // activations of a step, of an evaluation
    uint64_t loader, libraries; // read-ahead and HDF5; scratch of BLAS and of saving
    uint64_t peak;              // all of it
} trainer_memory;

// How a step is computed. The effective batch is train.batch_size x train.grad_accum whatever the
// split.
typedef struct trainer_choice {
    int64_t micro_batch, grad_accum;
    // parts of the forward pass that are made again, of so many (autograd/passes/recompute.h)
    int recomputed, segments;
    // what lives from forward to backward: fp32 as it was computed, or bf16
    precision kept;
    double seconds; // of a step, predicted (autograd/cost.h)
} trainer_choice;

typedef struct trainer_result {
    int64_t steps, total;              // done in the whole run; planned
    double steps_per_s, samples_per_s; // of this process, evaluation and saving not counted
    double wait_share;                 // of that time, spent waiting for data
    double sum_share;                  // of that time, spent with the other processes
    int64_t timed_steps;               // that these rates are of
    double best, last_loss;            // best: of the monitored metric, NAN without evaluation
    int64_t best_step;
    bool stopped;    // asked to stop, or out of time: resumable
    bool early;      // early stopping ended it
    const char *why; // of `stopped`
    uint64_t predicted_peak, measured_peak;
} trainer_result;

typedef struct trainer trainer;

// Networks, plans and the prediction alone: nothing large is allocated. ERR_BUDGET of trainer_fits
// names the smallest budget.
trainer *trainer_plan(const trainer_setup *s, arena *a, err *e) MUST_CHECK;
bool trainer_fits(const trainer *t, err *e) MUST_CHECK;
// All of it, and the memory.
trainer *trainer_open(const trainer_setup *s, arena *a, err *e) MUST_CHECK;
bool trainer_attach(trainer *t, folder *f, err *e) MUST_CHECK;
bool trainer_run(trainer *t, trainer_result *r, err *e) MUST_CHECK;
void trainer_close(trainer *t); // accepts NULL

// Rows of a whole step: train.batch_size x train.grad_accum; or all that an epoch has, where a
// batch would be larger and `micro_batch` (0: any) divides them.
int64_t trainer_whole(const train_options *o, int64_t rows, int64_t micro_batch);

// Whether the ranks can share them, `micro` at a time (0: any number).
bool trainer_shares(const comm *c, int64_t rows, int64_t micro, err *e) MUST_CHECK;

// Where ranks see each other's memory, gradients lie there. Before the first step; of all of them.
bool trainer_share_gradients(trainer *t, err *e) MUST_CHECK;

// For tests and start-up lines.
const plan *trainer_step_plan(const trainer *t);
const plan *trainer_eval_plan(const trainer *t); // NULL without validation data
const kit *trainer_kit(const trainer *t);        // of its plans
const params *trainer_params(const trainer *t);
const checkpoint_state *trainer_state(const trainer *t);
// NULL without profile_steps, and once a run has written it
const profile *trainer_profile(const trainer *t);
trainer_memory trainer_predict(const trainer *t);
trainer_choice trainer_chosen(const trainer *t);
int64_t trainer_steps_per_epoch(const trainer *t);
int64_t trainer_total(const trainer *t);
int64_t trainer_warmup(const trainer *t);       // steps
int64_t trainer_eval_batches(const trainer *t); // of one evaluation
// how often a whole run evaluates, unless it ends early
int64_t trainer_eval_count(const trainer *t);
uint64_t trainer_file_bytes(const trainer *t); // of a checkpoint, about
// products.h, by steps that change nothing; before the first
void trainer_learn_products(trainer *t);
bool trainer_step(trainer *t, err *e) MUST_CHECK; // one optimiser step
// ERR_STOPPED when asked to stop meanwhile
bool trainer_evaluate(trainer *t, metrics_result *r, err *e) MUST_CHECK;

#endif
