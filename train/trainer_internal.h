// SPDX-License-Identifier: GPL-3.0-or-later
// trainer_internal.h: what trainer.c (a step), trainer_loop.c (what is due between two),
// trainer_build.c (networks and memory) and trainer_save.c (files) share.
#ifndef KMIDI_TRAIN_TRAINER_INTERNAL_H
#define KMIDI_TRAIN_TRAINER_INTERNAL_H

#include "train/evaluate.h"
#include "train/events.h"
#include "train/trainer.h"

struct trainer {
    trainer_setup s;
    const train_options *o;
    kit kit; // of all its plans
    arena *a;
    params *p;
    const adapters *adapters; // NULL: none
    model_meta meta;          // of the setup, and what there is to say about the adapters
    folder *folder;           // NULL: nothing is written
    float *ema;               // p->grads_len, or NULL
    float *buffers;           // what those of the weights held before a step
    float *work;              // of the optimiser: optim_work elements, or NULL
    network *net;
    const char *products; // bf16x3: which products are three (precision.h)
    plan *plan;
    run *run;
    evaluator *eval; // NULL: no validation data
    // of who looks at nothing (baseline.h), measured beside the first evaluation; NULL: unknown
    metrics *guess;
    events *events;
    profile *profile; // NULL: none is made, or it is written
    checkpoint_state state;
    trainer_memory memory;
    trainer_choice choice;
    int64_t per_epoch, total, warmup; // steps
    double expected_weight;           // of a full window: 1 / it is the input `scale`
    int threads;                      // of the pool
    // of this process
    bool early, stopped;
    void *shares; // trainer_share.c
    int asked;    // of one of the processes: trainer_loop.c
    const char *why;
    bool seeked;
    double began, deadline; // hw_seconds; deadline 0: none
    double wait_seconds;    // part of step_seconds
    double sum_seconds;     // part of it, too: with other processes
    double step_seconds, longest_step, longest_eval, longest_save;
    int64_t first_step, timed_steps, timed_samples;
    double lr, norm;              // of the last step
    double log_seconds, log_wait; // step_seconds, wait_seconds at the last log line
    int64_t log_samples, log_step;
    double cool_looked; // hw_seconds of the last look at the temperature
    bool last_whole;    // last.h5 is known to be: it may become previous.h5
    int64_t saved;      // step of the last save, -1 before the first
    int64_t saved_eval; // the evaluated step that it knew
};

// trainer_build.c
bool trainer_build(trainer *t, err *e) MUST_CHECK;
bool trainer_allocate(trainer *t, err *e) MUST_CHECK;
size_t trainer_work_bytes(const trainer *t); // that the optimiser works in

// trainer_share.c: what the processes of a run do to make one step
int64_t trainer_own(const trainer *t); // batches of a full window that this one computes
typedef struct window {
    int64_t batches, items;
    double weight, loss; // sums
    const batch *last;   // NULL: none of them was this process's
} window;
size_t trainer_share_bytes(const trainer *t); // of t->shares
// Sums of the window and gradients of all; where `ok` is false in one of them, it fails in all.
bool trainer_share(trainer *t, window *w, bool ok, err *e) MUST_CHECK;

// trainer.c: products.h, by a run of t's; what is learnt is for plans to come, too
void trainer_learn(trainer *t, run *r, bool anew);

// trainer_loop.c: the folder has all that is known of this step
bool trainer_is_saved(const trainer *t);

// trainer_thermal.c: waits, saved, while the machine is hotter than train.thermal allows
bool trainer_cool(trainer *t, err *e) MUST_CHECK;

// trainer_save.c
bool trainer_save(trainer *t, bool new_best, bool epoch_end, err *e) MUST_CHECK;
bool trainer_log_step(trainer *t, err *e) MUST_CHECK;
bool trainer_log_eval(trainer *t, const metrics_result *r, err *e) MUST_CHECK;
// what there is of it, once; a profile that cannot be written is no reason to stop
void trainer_write_profile(trainer *t);
bool trainer_resume(trainer *t, err *e) MUST_CHECK; // numbers; trainer_attach then does the files

#endif
