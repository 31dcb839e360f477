// SPDX-License-Identifier: GPL-3.0-or-later
// shards.h: the prepared data of a run: opened, checked against each other and against the model,
// as sources for the trainer.
//
// Labels, standardisation (of adapters: the base's) and window come from the training data and go
// into every checkpoint (checkpoint.h lists the keys).
#ifndef KMIDI_TRAIN_SHARDS_H
#define KMIDI_TRAIN_SHARDS_H

#include "checkpoint/checkpoint.h"
#include "data/loader/dataset.h"
#include "data/loader/loader.h"
#include "train/feed.h"
#include "train/options.h"

typedef struct shards {
    dataset *train, *val; // val may be NULL
    loader *train_loader, *val_loader;
    source train_source, val_source;
    float *mean, *deviation; // [n_mels]; NULL without mel
    augment_mel mel;         // of training
    float *class_weight;     // [labels], or NULL
    loader_options train_options, val_options;
    const int *groups; // [model's groups] which of the set each is; -1: none
    int classes;
    int64_t window, eval_batch;
    // examples of an epoch, of an evaluation (of audio: windows); 0: not counted
    int64_t rows, val_rows;
    uint64_t bytes; // that loaders will hold
    model_meta meta;
} shards;

// Owned by `a`. Reader threads start with shards_start.
shards *shards_open(const train_options *o, arena *a, err *e) MUST_CHECK;
// The data are those that the checkpoint was trained on (by digest); else ERR_MISMATCH.
bool shards_same(const shards *s, const checkpoint *k, err *e) MUST_CHECK;
// Adapters hear what their base hears: mel frames standardised as the checkpoint has it, if it
// does, and not by the training data, which an adapter does not carry with it. Before shards_start.
bool shards_hear_as(shards *s, const checkpoint *k, arena *a, err *e) MUST_CHECK;
// How many items are computed at once: rows of a batch of training and of evaluation. Before
// shards_start; from the beginning it is train.batch_size.
void shards_split(shards *s, int64_t micro_batch);
// Frames, tokens or notes of a row: as asked, by the example, or the longest item's; 1 where
// examples are single rows.
int64_t shards_window(const example_def *x, int64_t asked, int64_t longest);
// into the meta (baseline.h)
bool shards_baseline(shards *s, const model_def *m, arena *a, err *e) MUST_CHECK;
bool shards_start(shards *s, err *e) MUST_CHECK;
void shards_close(shards *s); // accepts NULL

// For evaluation of a checkpoint: a set read with the labels, standardisation and window that the
// checkpoint carries.
struct trained;
shards *shards_open_for(const struct trained *t, const char *const *patterns, size_t n,
                        int64_t rows, arena *a, err *e) MUST_CHECK;

#endif
