// SPDX-License-Identifier: GPL-3.0-or-later
// loader_rows.h: one row of a batch from its position in the epoch: which item, which frames, standardised and masked. Belongs to the
// reader thread.
#ifndef KMIDI_DATA_LOADER_ROWS_H
#define KMIDI_DATA_LOADER_ROWS_H

#include "data/loader.h"
#include "data/loader_order.h"
#include "data/shard.h"

enum { LOADER_PATH = 256, LOADER_EMOTION = SHARD_EMOTION, LOADER_AHEAD = 3 };

// A shard held open. by_label lists its items label by label, in order within each: what "the rank-th item with that label" looks up.
typedef struct loader_open_shard {
    shard *s;
    size_t index;      // in the dataset
    uint64_t used;     // when it was used last
    int32_t *by_label; // [items]
    int64_t *first;    // [n_labels + 1] where each label begins in by_label
} loader_open_shard;

typedef struct loader_rows {
    const dataset *d;
    loader_options options; // with defaults filled in; its arrays are ours
    loader_order order;
    loader_open_shard open[LOADER_SHARDS];
    uint64_t clock;
    int32_t *target; // [n_labels] of the dataset -> index in the model's labels
    rng crop;
    rng *freq, *time;   // [freq_masks], [time_masks]
    int64_t whole_most; // items of up to so many frames are read whole, so that their checksum is verified, and then cut
    float *whole;       // [whole_most, n_mels]
    arena memory;
} loader_rows;

typedef struct loader_row_out {
    float *mel, *emotion; // [window, n_mels], [64]
    int32_t *target, *length;
    float *weight;
    char *path; // [LOADER_PATH]; the end of a longer one
} loader_row_out;

// On failure r is still to be closed.
bool loader_rows_open(loader_rows *r, const dataset *d, const loader_options *o, err *e) MUST_CHECK;
void loader_rows_close(loader_rows *r);
bool loader_rows_make(loader_rows *r, uint64_t epoch, uint64_t position, int view, const loader_row_out *out, err *e) MUST_CHECK;
uint64_t loader_rows_bytes(const dataset *d, const loader_options *o);

#endif
