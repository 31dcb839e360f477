// SPDX-License-Identifier: GPL-3.0-or-later
// loader_songs.h: rows of shards of songs, held in memory pool by pool (loader_order.h). Belongs to
// the reader thread.
//
// A pool is read whole, every item held against its checksum, before its first row is made. What a
// shard's examples are is in small tables beside its column, so that a row costs a few looks and a
// copy.
#ifndef KMIDI_DATA_LOADER_LOADER_SONGS_H
#define KMIDI_DATA_LOADER_LOADER_SONGS_H

#include "data/loader/example.h"
#include "data/loader/loader_order.h"
#include "data/shards/shard.h"

// A shard in memory. Of examples that are single rows there are no streams: unit u is row u.
//
// A stream is what windows are cut from: in training the items of one emotion vector, one behind
// the other in the order of the shard; in evaluation an item. `member` lists the items stream by
// stream and `start` their rows, counted on through all of them.
typedef struct loader_songs_shard {
    int64_t items, rows;
    const void *column;      // [rows][width]
    const int64_t *offsets;  // [items + 1]; NULL: a row an item
    const float *emotion;    // [items][SHARD_EMOTION]
    const char *const *path; // [items]
    int64_t streams;
    const int32_t *member; // [items]
    const int64_t *start;  // [items + 1] rows before member m
    const int64_t *stream; // [streams + 1] the stream's first member
    const int64_t *unit;   // [streams + 1] the stream's first unit
} loader_songs_shard;

typedef struct loader_songs {
    const dataset *d;
    const example *example;
    bool random;
    int64_t eval_windows; // 0: all
    uint64_t seed;
    rng crop;
    void *scratch;              // an augmented piece; NULL: nothing is augmented
    loader_songs_shard *loaded; // [n_shards]; `column` NULL: not in memory
    arena pool;
} loader_songs;

// counts [n_shards] examples of each shard, bytes [n_shards] that it takes in memory.
bool loader_songs_open(loader_songs *l, const dataset *d, const loader_options *options,
                       const example *x, arena *a, int64_t *counts, int64_t *bytes,
                       err *e) MUST_CHECK;
void loader_songs_close(loader_songs *l);
// The example at `place` into row `row` of `fields`; the order's pool is read when it is not there.
bool loader_songs_make(loader_songs *l, const loader_order *order, loader_place place,
                       uint64_t epoch, uint64_t position, const batch_field *fields, int64_t row,
                       double *weight, const char **path, err *e) MUST_CHECK;
// of the largest pool, while it is read
uint64_t loader_songs_bytes(const dataset *d, const loader_options *options);

#endif
