// SPDX-License-Identifier: GPL-3.0-or-later
// dataset.h: the shards of a run seen as one row of items. A value: opened once, never changed,
// used by any number of loaders.
//
//     const char *train[] = {"out/train-*.h5"};
//     dataset *d = dataset_open(train, 1, example_find("mel"), e);
//     // v: the validation set
//     if (!dataset_expect(v, d->labels, d->n_labels, d->settings, "the training data", e)) ...
//     dataset_bands(d, mean, deviation);
//
// What is kept is per shard, not per item: about a kilobyte each.
#ifndef KMIDI_DATA_LOADER_DATASET_H
#define KMIDI_DATA_LOADER_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "data/loader/example.h"
#include "data/shards/shard.h"

typedef struct dataset {
    const example_def *example; // what is made of the items
    size_t n_shards;
    const char *const *paths; // [n_shards], sorted within each pattern
    const char *const *keys;  // [n_shards] what each was made of and how (shard.h)
    // [n_shards + 1]: items of shard s are [first[s], first[s + 1]) of the row
    const int64_t *first;
    // [n_shards][n_labels + 1], the last column: items without a label
    const int64_t *label_counts;
    // rows of the example's column: all, and of the longest item
    int64_t items, frames, longest;
    int n_mels; // bands, where that column is mel; else 0, whatever the shards have besides
    shard_column column; // the example's, without what is per item
    // the other ones that it hears, and `longest` of all shards; no name: none
    shard_column beside[EXAMPLE_BESIDE];
    const int64_t *rows; // [n_shards] of the column
    // [n_labels], the same in every shard; none where the example has no use for them
    const char *const *labels;
    size_t n_labels;
    const int64_t *label_count; // [n_labels + 1] over all shards
    // where the example asks for classes of groups: which the shards have, the same in all
    const label_group *groups;
    int n_groups;
    const int64_t *class_count; // items of each class, one group behind the other
    // canonical JSON of the feature's settings, {"mel": {...}}, the same in every shard
    const char *settings;
    const char *name;               // the dataset's name; "several" when shards differ in it
    bool synthetic;                 // any of the shards is
    const char *licence, *citation; // of the published set; "" where it is not said, or differs
    // SHA-256 over the keys of the shards, for environment.json
    char digest[65];
    const double *mel_sum, *mel_squares; // [n_mels]
    arena memory;
} dataset;

// Is the example made of mel, cut out of items as they are read? Else of rows of songs, of which a
// shard is read as a whole.
bool dataset_of_mel(const dataset *d);
// Patterns (or paths) in the order given; a pattern that matches nothing is ERR_MISSING. Shards
// without the example's feature, or that differ in its settings or in label names that it uses, are
// ERR_MISMATCH naming the file (or both) and the remedy. A set without a single item, or row of the
// column, is ERR_EMPTY.
dataset *dataset_open(const char *const *patterns, size_t n, const example_def *x,
                      err *e) MUST_CHECK;
void dataset_close(dataset *d); // accepts NULL
// The same patterns, but in the place of each folder its shards of a split, "FOLDER/train-*.h5":
// the first of `splits`, "test|val", that it has, else the first.
const char *const *dataset_patterns(arena *a, const char *const *patterns, size_t n,
                                    const char *splits);
// How many items of `b` have the very rows of one in `a`, by their checksums; *first: the path of
// the first of them, owned by `m`. What cannot be read is not compared: opening says so.
int64_t dataset_shared(const dataset *a, const dataset *b, arena *m, const char **first);

// The data fits a model (or another set): its settings are equal (as values, not as text), and each
// of its label names that occurs is among `labels`. NULL: not asked. `whose` names the other side:
// "the checkpoint 'runs/x/checkpoints/best.h5'". An unknown label is named with the path of an item
// that carries it.
bool dataset_expect(const dataset *d, const char *const *labels, size_t n_labels,
                    const char *settings, const char *whose, err *e) MUST_CHECK;

// Where group k of the set has its counts.
const int64_t *dataset_class_count(const dataset *d, int k);
int dataset_find_group(const dataset *d, const char *name); // -1: it has none
// The classes of a group are those of another, in their order; `whose` as above.
bool dataset_same_group(const dataset *d, const label_group *a, const label_group *b,
                        const char *whose, err *e) MUST_CHECK;

// Mean and deviation of every band over all frames, f64 sums; a band that never changes has
// deviation 1.
void dataset_bands(const dataset *d, float *mean, float *deviation);

#endif
