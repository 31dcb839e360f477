// SPDX-License-Identifier: GPL-3.0-or-later
// shard.h: one HDF5 file of about a thousand items: their features, labels and where they come
// from. shard_write.h makes one.
//
// What is learnt from are *columns*, one for every feature that was asked for (feature.h), of audio
// and of MIDI alike: rows of numbers, one item behind the other. Datasets (N items, L label names),
// each with its checksum (base/h5.h):
//
//     NAME          u16 or f32 [R] or [R, width], or [N, width] where every item has exactly one
//                   row; mel: f32 [frames, bands]
//     NAME_offsets  i64 [N + 1]    item i has the rows [NAME_offsets[i], NAME_offsets[i + 1]),
//                                  maybe none (of mel at least one); not where it has exactly one
//     NAME_checks   i64 [N]        CRC-32C of the item's rows, checked whenever an item is read
//                                  whole
//     mel_sum, mel_squares f64 [bands] sums over all frames, where mel is among the columns: exact
//                                  statistics of any set of shards without a pass over the data
//     seconds       f64 [N]        until the last note ends, where a feature of MIDI is
//     emotion       f32 [N, 64]    design 4: valence, arousal, intensity, the rest zero
//     label         i32 [N]        index into the label names, -1 where there is none
//     path, group, label_source    text [N]
//     attributes    text [N]       what else the index says (attributes.h), "" where it says
//                                  nothing; only where some item has any
//     label_count   i64 [L + 1]    items of each label, then those without one
//     classes       i32 [N, G]     where the attribute `groups` names any: the item's class of
//                                  each, -1 where it has none (data/labels/labels.h)
//     class_count   i64 [C]        items of each class, group by group
//     rejected      text [R]       JSON lines of the items that could not be read (prepare.h)
//
// Attributes of the root: format ("kmidi-shard"), format_version, dataset, split, labels (JSON
// list), settings (JSON object of every feature and its settings), key (what the shard was made
// from: prepare.h), licence, citation, synthetic, dialect (of tokens), groups (JSON list of name
// and classes). Every feature setting is an attribute of the feature's dataset too, and so is
// `longest`, the most rows of an item. h5dump and h5py read it.
//
//     shard *s = shard_open("out/train-00000.h5", e);
//     shard_frames(s, i, 0, n, out, e);                                        // of mel
//     shard_item_rows(s, shard_find_column(&s->info, "melody"), i, out, e);    // of any column
//     shard_close(s);
#ifndef KMIDI_DATA_SHARDS_SHARD_H
#define KMIDI_DATA_SHARDS_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "data/features/feature.h"
#include "data/labels/labels.h"

enum {
    SHARD_VERSION = 1,
    SHARD_EMOTION = 64,
    SHARD_COLUMNS = 8,
    SHARD_MAX_LABELS = 4096,
    SHARD_MAX_ITEMS = 1 << 20,
    SHARD_MAX_MELS = 4096
};

// A feature in a shard: rows of numbers, one item behind the other.
typedef struct shard_column {
    const char *name; // of the feature and of the dataset: "mel", "tokens", "melody" ...
    bool u16;         // else f32
    int width;        // numbers a row
    bool single;      // exactly one row an item: no offsets
    // Reading only. Peeked: both are NULL.
    int64_t rows, longest;  // of all items; of the item that has most
    const int64_t *offsets; // [items + 1], never decreasing; NULL where single
    const int64_t *checks;  // [items]; NULL where the file has none
} shard_column;

// What all items of a shard share. Writing: the caller's until shard_finish; reading: the shard's.
typedef struct shard_info {
    const char *dataset, *split;
    const char *const *labels; // [n_labels] names, sorted; the order is the meaning of `label`
    size_t n_labels;
    const label_group *groups; // [n_groups] what is told of an item besides; none: 0
    int n_groups;
    const char *settings; // {"mel": {"rate": 16000, ...}}: canonical JSON, compared as text
    const char *key;      // SHA-256 of what the shard was made from
    const char *licence, *citation;
    const char *augment; // copies of items, as JSON (prepare.h); NULL: none; not compared
    bool synthetic;
    int n_mels; // bands of the column mel; 0: none. Writing, it alone asks for that column
    shard_column columns[SHARD_COLUMNS];
    int n_columns;
} shard_info;

// A column for the rows of a feature of songs, and that of mel.
shard_column shard_column_of(const feature_def *d);
shard_column shard_column_mel(int bands);
bool shard_column_is_mel(const shard_column *c);
// Is a feature of MIDI among them?
bool shard_has_songs(const shard_info *i);
int shard_find_column(const shard_info *i, const char *name); // -1: none
size_t shard_row_bytes(const shard_column *c);

// ---- Reading. The small tables are read, checked against each other and by their checksums when a
// shard is opened: about 200 bytes an item, 16 a column of it. Frames and rows stay in the file.
typedef struct shard {
    const char *path; // the file
    shard_info info;
    // frames of mel, and of the longest item; 0 without mel
    int64_t items, frames, longest;
    const int64_t *offsets; // [items + 1] of mel, increasing; NULL without
    const double *seconds;  // [items], >= 0; NULL without a feature of MIDI
    const int32_t *label;   // [items], -1 <= label < n_labels
    const float *emotion;   // [items][SHARD_EMOTION], finite
    const char *const *paths, *const *groups, *const *sources; // [items]
    const double *mel_sum, *mel_squares;                       // [n_mels]; NULL without mel
    const int64_t *label_count;                                // [n_labels + 1]
    const int32_t *classes;     // [items][n_groups], each -1 or a class of its group; NULL: none
    const int64_t *class_count; // items of each class, one group behind the other; NULL: none
    struct shard_file *file;
} shard;

// ERR_MISSING, ERR_FORMAT (not a shard, or of another version), ERR_DAMAGED, each naming the file.
shard *shard_open(const char *path, err *e) MUST_CHECK;
// The same without per-item tables and open file (offsets, checks, label, classes, emotion, paths,
// groups, sources are NULL): for looking at many shards. Columns have their rows and longest.
shard *shard_peek(const char *path, err *e) MUST_CHECK;
void shard_close(shard *s); // accepts NULL
// Frames [first, first + n) of item i into out [n, n_mels]; the checksum, where that is all of it.
bool shard_frames(shard *s, int64_t i, int64_t first, int64_t n, float *out, err *e) MUST_CHECK;
// Rows [first, first + n) of a whole column, all items one behind the other, into out [n][width].
// Numbers are checked (feature_fits), and the checksum of every item that lies wholly among them.
bool shard_rows(shard *s, int column, int64_t first, int64_t n, void *out, err *e) MUST_CHECK;
// All rows of item i, as many as shard_item_count says.
bool shard_item_rows(shard *s, int column, int64_t i, void *out, err *e) MUST_CHECK;
int64_t shard_item_count(const shard *s, int column, int64_t i);
// What else the index said, [items], each "" or a JSON object; NULL: none. Not for a peeked one.
bool shard_attributes(shard *s, arena *a, const char *const **out, err *e) MUST_CHECK;
// The rejected lines, for the report; owned by `a`.
bool shard_rejected(const char *path, arena *a, char ***lines, size_t *n, err *e) MUST_CHECK;
// The shard of this key is there and whole, as far as can be told without reading its features.
bool shard_is(const char *path, const char *key);
// The key of the shard at `path`; false (and no error) when there is none that could be read.
bool shard_key(const char *path, char key[65]);

#endif
