// SPDX-License-Identifier: GPL-3.0-or-later
// batch.h: what the loader hands to training: named plain arrays. The only type by which data and
// autograd meet (in train/).
#ifndef KMIDI_DATA_LOADER_BATCH_H
#define KMIDI_DATA_LOADER_BATCH_H

#include <stdint.h>

enum { BATCH_FIELDS = 8, BATCH_PATHS = 3, BATCH_RANK = 6 };
typedef enum batch_type { BATCH_F32, BATCH_I32 } batch_type;

typedef struct batch_field {
    const char *name; // "mel", "target", "weight", "emotion", ...
    batch_type type;
    int rank;
    int64_t dim[BATCH_RANK]; // dim[0] is the batch size
    void *data;
} batch_field;

typedef struct batch {
    int n_fields;
    batch_field field[BATCH_FIELDS];
    // rows that hold real items; rows behind them are padding with weight 0
    int64_t items;
    double weight; // sum of the loss weights of those rows (or tokens)
    // of the first n_paths rows: BATCH_PATHS for messages, or all (loader.h); NULL: unknown
    const char *const *paths;
    int64_t n_paths;
    uint64_t epoch, index; // which batch of which epoch this is
} batch;

#endif
