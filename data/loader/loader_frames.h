// SPDX-License-Identifier: GPL-3.0-or-later
// loader_frames.h: stretches of items out of shards of audio, which stay on disk. Belongs to the
// reader thread.
//
// Every item of up to four windows is verified by its checksum each time it is read; of longer ones
// only the part that is needed is read (kmidi verify checks all).
#ifndef KMIDI_DATA_LOADER_LOADER_FRAMES_H
#define KMIDI_DATA_LOADER_LOADER_FRAMES_H

#include "data/loader/example.h"
#include "data/loader/loader_order.h"
#include "data/shards/shard.h"

// A shard held open. by_label lists its items label by label, in order within each: what "the
// rank-th item with that label" looks up.
typedef struct loader_open_shard {
    shard *s;
    size_t index;      // in the dataset
    uint64_t used;     // when it was used last
    int32_t *by_label; // [items]
    int64_t *first;    // [n_labels + 1] where each label begins in by_label
    int64_t *windows;  // [items + 1] windows before each item, where the options hear
} loader_open_shard;

typedef struct loader_frames {
    const dataset *d;
    const loader_options *options;
    const example *example;
    loader_open_shard open[LOADER_SHARDS];
    uint64_t clock;
    int32_t *target;  // [n_labels] of the dataset -> index in the model's labels
    int32_t *classes; // [n_groups] of an item, as the model asks for them
    rng crop;
    // items of up to so many frames are read whole, so that their checksum is verified, and then
    // cut
    int64_t most;
    float *whole;                 // [most, n_mels]
    void *beside[EXAMPLE_BESIDE]; // [longest, width] of an item; NULL: the example hears none
} loader_frames;

// `options` and `x` stay the caller's, memory is of `a`. On failure f is still to be closed.
bool loader_frames_open(loader_frames *f, const dataset *d, const loader_options *options,
                        const example *x, arena *a, err *e) MUST_CHECK;
void loader_frames_close(loader_frames *f);
// Examples of each shard: items that count, or their windows.
bool loader_frames_counts(loader_frames *f, int64_t *counts, err *e) MUST_CHECK;
// Row `row` of `fields`: the item, or window, at `place`. *weight grows by the row's, *path is
// until the next call.
bool loader_frames_make(loader_frames *f, loader_place place, uint64_t epoch, uint64_t position,
                        const batch_field *fields, int64_t row, double *weight, const char **path,
                        err *e) MUST_CHECK;
uint64_t loader_frames_bytes(const dataset *d, int64_t window);

#endif
