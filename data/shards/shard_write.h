// SPDX-License-Identifier: GPL-3.0-or-later
// shard_write.h: making a shard (shard.h), item by item.
//
//     shard_writer *w = shard_create("out/train-00000.h5", &info, e);
//     shard_add(w, &item, e) ...; shard_reject(w, line, e) ...
//     shard_finish(w, e); // synced, then renamed: a shard is whole or not there
//
// Memory grows by about 400 bytes an item and 16 a column of it, not with frames.
#ifndef KMIDI_DATA_SHARDS_SHARD_WRITE_H
#define KMIDI_DATA_SHARDS_SHARD_WRITE_H

#include "data/shards/shard.h"

// One item. `mel` is [frames, n_mels]; label -1: none; texts may be NULL (written as "").
typedef struct shard_item {
    const float *mel; // the rows of mel, wherever it stands among the columns
    int64_t frames;   // of mel, at least 1
    struct {
        const void *rows;    // [n][width]
        int64_t n;           // may be 0, but for tokens; 1 where single
    } column[SHARD_COLUMNS]; // [info.n_columns]
    double seconds;          // where a feature of MIDI is among the columns
    float emotion[SHARD_EMOTION];
    int32_t label;
    const int32_t *classes; // [info.n_groups], each -1 or a class of its group
    const char *path, *group, *label_source;
    const char *attributes; // what else the index says (attributes.h); NULL: nothing
} shard_item;

typedef struct shard_writer shard_writer;

shard_writer *shard_create(const char *path, const shard_info *info, err *e) MUST_CHECK;
bool shard_add(shard_writer *w, const shard_item *item, err *e) MUST_CHECK;
bool shard_reject(shard_writer *w, const char *json_line, err *e) MUST_CHECK;
bool shard_finish(shard_writer *w, err *e) MUST_CHECK; // frees w, also when it fails
void shard_abandon(shard_writer *w);                   // removes what was written; accepts NULL

#endif
