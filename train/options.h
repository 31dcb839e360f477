// SPDX-License-Identifier: GPL-3.0-or-later
// options.h: every key of a training configuration, in one table; and the struct that training
// reads.
//
// A key is one row of options_keys.c (base/key.h): its place in the struct too, and whether a
// resumed run may change it. Sizes of models are rows of theirs (models/model.h). docs/config.md,
// `kmidi train --help` and the resolved config.yaml of a run come from the same table.
#ifndef KMIDI_TRAIN_OPTIONS_H
#define KMIDI_TRAIN_OPTIONS_H

#include "autograd/optim.h"
#include "autograd/passes/precision.h"
#include "base/config.h"
#include "base/room.h"
#include "data/loader/augment_midi.h"
#include "lora/lora.h"
#include "models/model.h"
#include "train/schedule.h"

extern const config_table train_table;
extern const config_other train_others[]; // options_names.c

typedef enum train_balance { BALANCE_NONE, BALANCE_WEIGHTS, BALANCE_SAMPLING } train_balance;
typedef enum train_crop { CROP_FIRST, CROP_CENTER, CROP_LAST, CROP_RANDOM } train_crop;

// Which parts of the forward pass are made again in the backward pass
// (autograd/passes/recompute.h): as few as fit the budget, none, or all.
typedef enum train_recompute { RECOMPUTE_AUTO, RECOMPUTE_NONE, RECOMPUTE_ALL } train_recompute;

// What lives from the forward to the backward pass: as it was computed, rounded to bf16, or rounded
// only where parts would otherwise be made again.
typedef enum train_activations {
    ACTIVATIONS_FP32,
    ACTIVATIONS_BF16,
    ACTIVATIONS_AUTO
} train_activations;

typedef struct train_options {
    const model_def *model;
    bool sized;            // the configuration says something of the model's sizes
    const char *run_name;  // NULL: the model's name
    const char *init_from; // NULL: fresh weights
    // checkpoint whose weights `lora` adapts; NULL: fresh ones (bench, tests)
    const char *lora_base;
    lora_config lora; // r 0: no adapters, the model itself is trained
    struct {
        key_texts train, val;
        int64_t window;       // 0: the example's, or the longest item's
        int64_t eval_windows; // 0: all
        train_crop crop, eval_crop;
        int eval_views;
        train_balance balance;
        bool drop_last;
        int ahead;
        int freq_masks, freq_width, time_masks, time_width;
        double tilt, gain; // of mel, dB an octave and dB
        double mixup;
        augment_midi midi;
    } data;
    const optim_def *optim;
    optim_hyper hyper; // lr as configured; step and grad_scale are the trainer's
    schedule_options schedule;
    int64_t batch_size, grad_accum, epochs, min_epochs, max_steps, seed;
    int64_t eval_every, eval_every_steps, save_every, save_every_steps, keep_top_k;
    int64_t patience; // 0: no early stopping
    double min_delta;
    const char *monitor;
    double grad_clip; // 0: none
    float label_smoothing, affect_weight, ema;
    double condition_dropout;
    double time_limit;                    // seconds, 0: none
    double thermal_pause, thermal_resume; // degrees Celsius; 0: never waits
    int threads;                          // 0: all that this process may use
    precision precision;
    uint64_t budget;         // bytes
    const char *budget_from; // "memory.budget", "profile 16gb": for messages
    // what a limit of the system leaves, where that is less than the budget; else without a name
    room room;
    train_recompute recompute;
    train_activations activations; // precision bf16: always rounded
    int64_t micro_batch;           // 0: the planner's choice
    int64_t log_every;
    bool tensorboard;
} train_options;

// What is left for training on a machine of that size, alone or beside a resident language model.
typedef struct train_profile {
    const char *name, *with; // "with": where the budget comes from beside a language model
    uint64_t machine, alone, beside;
} train_profile;
const train_profile *train_profile_at(int i); // from the smallest on; NULL behind the last
// The largest that a machine is where a process may use so much; NULL: smaller than any.
const train_profile *train_profile_of(uint64_t memory_limit);

// Reads a finished configuration; texts stay the configuration's. What the table cannot say (an
// unknown model, warm-up in both units) is refused here, with the place. `a` owns a model of other
// sizes. `memory_limit`: bytes that this process may use at all (hw.h), for memory.profile auto.
bool train_options_read(const config *c, uint64_t memory_limit, train_options *o, arena *a,
                        err *e) MUST_CHECK;

// The step's parts are train.batch_size items each: norms take the statistics of what is computed
// at once (batch_statistics of model.h). Under adapters they are those that the base has.
bool train_bound(const train_options *o);

// Parts of it. options_keys.c: every value whose row says where it goes.
bool train_options_fill(const config *c, train_options *o, err *e) MUST_CHECK;
// options_lora.c, behind that. PEFT's keys that are none of ours, ended by a NULL name.
extern const config_nothing train_lora_nothing[];
bool train_options_lora(const config *c, train_options *o, err *e) MUST_CHECK;

// A resumed run may be given other values only for keys that do not touch its numbers (how long,
// how often, how it is shown). The first key that differs otherwise: false, ERR_CONFIG with both
// values.
bool train_options_resumable(const config *old, const config *now, err *e) MUST_CHECK;

#endif
