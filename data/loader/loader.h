// SPDX-License-Identifier: GPL-3.0-or-later
// loader.h: batches of examples (data/loader/example.h) from a dataset, kept ready by one reader
// thread.
//
// Which examples batch `index` of epoch `epoch` holds, how they are cropped, masked and augmented,
// is a function of (seed, epoch, index)
// alone: rng_permute instead of a table. To resume is to begin at another position, in constant
// time, whatever was read before.
//
//     loader_options o = {.batch = 16, .window = 150, .crop = LOADER_RANDOM,
//         .shuffle = true, .seed = 7, .mean = mean,
//                         .deviation = deviation};
//     loader *l = loader_open(d, &o, e);
//     loader_seek(l, 0, 0);
//     for (const batch *b; (b = loader_next(l, e));) ... // never ends: epochs follow each other
//     loader_close(l);
//
//     // evaluation: in order, every example once
//     o = (loader_options){.batch = 64, .window = 150, .crop = LOADER_CENTER};
//     for (uint64_t i = 0; i < loader_batches(l); i++) b = loader_next(l, e);
//
// The fields of a batch are those of the dataset's example, in its order, with B = options.batch
// rows; padding rows are zero, or (repeat) its items once more, with weight 0.
//
// Audio stays on disk: an item is an example, cut to the window as `crop` says. Songs are held in
// memory, in pools of at most LOADER_POOL bytes whatever the dataset has; an item has as many
// examples as windows fit, or rows of its column. LOADER_RANDOM: the windows of songs begin at
// random, else they follow each other.
//
// After loader_open nothing is allocated but what HDF5 does inside and when the next pool is read.
#ifndef KMIDI_DATA_LOADER_LOADER_H
#define KMIDI_DATA_LOADER_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "data/loader/batch.h"
#include "data/loader/dataset.h"

// Shards of audio open at a time; bytes of songs in memory at a time. A larger set is shuffled in
// pools: the order of the shards by epoch, then the examples within a pool.
enum { LOADER_SHARDS = 32, LOADER_POOL = 128 << 20 };

typedef enum loader_crop {
    LOADER_LAST,   // the last `window` frames
    LOADER_CENTER, // the middle
    LOADER_FIRST,
    LOADER_RANDOM, // by (seed, epoch, position)
} loader_crop;

typedef struct loader_options {
    int64_t batch; // rows
    bool repeat;   // for norms over a batch: no row that is no item moves its mean and variance
    // frames, tokens, notes of a row; ignored where an example is one row of its column
    int64_t window;
    loader_crop crop; // where an item is longer than the window
    // evaluation of audio: the windows of an item as loader_windows says, each a row, whose weights
    // add up to the item's; an epoch's examples are windows then
    bool hear;
    int views; // with `hear`
    // without LOADER_RANDOM: so many windows of each song at most, its first; 0: all
    int64_t eval_windows;
    bool shuffle;
    // audio: every label equally often; an epoch still has as many items as the set has labelled
    // ones. Items without a label are left out.
    bool balanced;
    // the last short batch of an epoch is left out (else padded with rows of weight 0)
    bool drop_last;
    int64_t whole; // drop_last: an epoch is a multiple of so many items instead; 0: of a batch
    uint64_t seed;
    // SpecAugment: how many, each up to so wide, set to the mean
    int freq_masks, freq_width, time_masks, time_width;
    // its octaves [n_mels], copied; all zeros: not
    augment_mel mel;
    // of songs: how the music is changed; all zeros: not
    augment_midi midi;
    const float *mean, *deviation; // [n_mels], copied; NULL: as it is
    // [n_labels] the model's label names, which "target" counts by (dataset_expect says whether
    // they
    const char *const *labels;
    size_t n_labels;           // hold all that occur); NULL: the dataset's own
    const float *class_weight; // [n_labels], copied; NULL: 1
    // [n_groups] of the classes that the model asks for, which group of the set each is, -1: none
    // of it; copied
    const int *groups;
    int n_groups;
    // of audio, in training: each item is mixed with another of its pool, drawn evenly:
    // share x + (1 - share) y, with a share from Beta(mixup, mixup), and both targets, by these
    // weights (Zhang et al., "mixup", ICLR 2018). Not where either has no label. 0: none
    double mixup;
    // where the example hears an emotion: this share of the rows hears zeros instead
    double condition_dropout;
    // batches kept ready besides the one in use; 0: 3, more of small ones (up to 1 MiB or 32)
    int ahead;
    int64_t pool;   // bytes of songs in memory; 0: LOADER_POOL
    bool all_paths; // batches tell the path of every row, the end of a long one
    // only every `of`-th batch of an epoch is read, from batch `part` on: the others are of the
    // other processes of the run. of 0: all
    uint64_t of, part;
} loader_options;

typedef struct loader loader;

// `d` must outlive the loader. ERR_VALUE: a set with fewer items than one batch with drop_last;
// balanced without labels.
loader *loader_open(const dataset *d, const loader_options *o, err *e) MUST_CHECK;
void loader_close(loader *l); // accepts NULL

// How many examples an epoch of such a loader has, without a reader and its batches.
bool loader_count(const dataset *d, const loader_options *o, int64_t *items, err *e) MUST_CHECK;
uint64_t loader_batches(const loader *l); // of an epoch
uint64_t loader_items(const loader *l);   // examples of an epoch, each once (balanced: drawn)
// Continue with batch `index` (< loader_batches) of `epoch`, or the first from there on that is of
// this loader's part. Batches that were read ahead are dropped.
void loader_seek(loader *l, uint64_t epoch, uint64_t index);
// The next batch; valid until the next call. Behind an epoch's last comes the first of the next.
// NULL: error, with the shard's name.
const batch *loader_next(loader *l, err *e) MUST_CHECK;
double loader_waited(const loader *l); // seconds that loader_next has waited for the reader so far

// ---- The same for one item in memory (predict): bit for bit what a loader puts into a row.
// How a model hears an item: an item of up to a window is one; of up to 2 * views windows, `views`;
// a longer one, and every one where views is 0, as many as cover it.
int64_t loader_windows(int views, int64_t frames, int64_t window);
// Where window `view` of `views` begins: they are spread evenly, from the first frame to the last;
// one alone stands as `crop` says. Not for LOADER_RANDOM.
int64_t loader_begin(loader_crop crop, int64_t view, int64_t views, int64_t frames, int64_t window);
// One row [window, n_mels] from `item` [frames, n_mels]: cut at `begin`, standardised, zeros before
// a shorter one.
void loader_row(const float *item, int64_t frames, int64_t begin, int64_t window, int n_mels,
                const float *mean, const float *deviation, float *row);

// The same as a picture: [window][n_mels] to [n_mels][window].
void loader_turn(const float *row, int64_t window, int n_mels, float *out);
// All n frames as a picture [n_mels][columns]: each column is the mean of its share of them, or the
// frame that it lies in where there are fewer.
void loader_squeeze(const float *frames, int64_t n, int n_mels, int64_t columns, float *out);

// Bytes that a loader of these options holds (its ring, and open shards or a pool), for the budget.
uint64_t loader_bytes(const dataset *d, const loader_options *o);

#endif
