// SPDX-License-Identifier: GPL-3.0-or-later
// small.h: a small training set-up in memory, for the tests of the trainer.
#ifndef KMIDI_TESTS_TRAIN_SMALL_H
#define KMIDI_TESTS_TRAIN_SMALL_H

#include "tests/test.h"
#include "train/sample.h"
#include "train/trainer.h"

typedef struct small_run {
    arena a;
    env env;
    train_options o;
    sample_set set, val;
    model_meta meta;
    model_dims dims;
    trainer_setup setup;
} small_run;

// `batches` random batches of `rows` rows (4 frames where the model has a time axis, 4 classes),
// adamw, one thread, a generous budget. `s` must stay in place.
void small_open(small_run *s, const char *model, int64_t rows, int batches);
void small_validate(small_run *s, int batches); // adds validation data
// Rows [from, from + rows) of `big` as a batch of its own, over the same arrays.
batch *small_part(const batch *big, int64_t from, int64_t rows, arena *a);
void small_close(small_run *s);
int64_t small_weights(const small_run *s); // elements of the weights buffer
// cuts "seconds" and "samples_per_s" off every line, in place
char *small_without_clock(char *text);

#endif
