// SPDX-License-Identifier: GPL-3.0-or-later
// shard.h: one HDF5 file of about a thousand items: their features, labels and where they come from.
//
// Datasets (N items, F frames of all items together, M bands, L label names), each with its checksum (base/h5.h):
//
//     mel           f32 [F, M]     every item's frames, one item behind the other
//     mel_offsets   i64 [N + 1]    item i has the frames [mel_offsets[i], mel_offsets[i + 1])
//     mel_checks    i64 [N]        CRC-32C of the item's frames, checked whenever an item is read whole
//     emotion       f32 [N, 64]    design 4: valence, arousal, intensity, the rest zero
//     label         i32 [N]        index into the label names, -1 where there is none
//     path, group, label_source    text [N]
//     mel_sum, mel_squares f64 [M] sums over all frames: exact statistics of any set of shards without a pass over the data
//     label_count   i64 [L + 1]    items of each label, then those without one
//     rejected      text [R]       JSON lines of the items that could not be read (prepare.h)
//
// A shard of MIDI has instead of the five of mel, as far as they were asked for:
//
//     tokens        u16 [T]        all items' tokens in `dialect` (an attribute of the root, too), with tokens_offsets and tokens_checks as
//     above midi_stats    f32 [N, 32]    midi_stats.h seconds       f64 [N]        until the last note ends
//
// Attributes of the root: format ("kmidi-shard"), format_version, dataset, split, labels (JSON list), settings (JSON object of every
// feature setting), key (what the shard was made from: prepare.h), licence, citation, synthetic. Every feature setting is an attribute of
// the feature's dataset too. h5dump and h5py read it.
//
//     shard_writer *w = shard_create("out/train-00000.h5", &info, e);
//     shard_add(w, &item, e) ...; shard_reject(w, line, e) ...
//     shard_finish(w, e);                        // synced, then renamed: a shard is whole or not there
//
//     shard *s = shard_open("out/train-00000.h5", e);
//     shard_frames(s, i, 0, n, out, e);
//     shard_close(s);
#ifndef KMIDI_DATA_SHARD_H
#define KMIDI_DATA_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

enum { SHARD_VERSION = 1, SHARD_EMOTION = 64, SHARD_STATS = 32, SHARD_MAX_LABELS = 4096, SHARD_MAX_ITEMS = 1 << 20, SHARD_MAX_MELS = 4096 };

// What all items of a shard share. When writing: owned by the caller until shard_finish. When reading: owned by the shard.
typedef struct shard_info {
    const char *dataset, *split;
    const char *const *labels; // [n_labels] names, sorted; the order is the meaning of `label`
    size_t n_labels;
    const char *settings; // {"mel": {"rate": 16000, ...}}: canonical JSON, compared as text
    const char *key;      // SHA-256 of what the shard was made from
    const char *licence, *citation;
    bool synthetic;
    int n_mels;              // 0: of MIDI
    bool tokens, midi_stats; // of MIDI: which of them there are
} shard_info;

// One item. `mel` is [frames, n_mels]; label -1: none; texts may be NULL (written as "").
typedef struct shard_item {
    const float *mel;       // NULL in a shard of MIDI
    const uint16_t *tokens; // [frames] where info.tokens
    const float *stats;     // [SHARD_STATS] where info.midi_stats
    double seconds;         // of MIDI
    int64_t frames;         // or tokens
    float emotion[SHARD_EMOTION];
    int32_t label;
    const char *path, *group, *label_source;
} shard_item;

// ---- Writing. Memory does not grow with the frames, only by about 400 bytes an item.
typedef struct shard_writer shard_writer;

shard_writer *shard_create(const char *path, const shard_info *info, err *e) MUST_CHECK;
bool shard_add(shard_writer *w, const shard_item *item, err *e) MUST_CHECK;
bool shard_reject(shard_writer *w, const char *json_line, err *e) MUST_CHECK;
bool shard_finish(shard_writer *w, err *e) MUST_CHECK; // frees w, also when it fails
void shard_abandon(shard_writer *w);                   // removes what was written; accepts NULL

// ---- Reading. The small tables are read, checked against each other and verified by their checksums when a shard is opened: about 200
// bytes an item. The frames stay in the file.
typedef struct shard {
    const char *path; // the file
    shard_info info;
    int64_t items, frames, longest;                            // of MIDI: frames are tokens; longest: those of the longest item
    const int64_t *offsets;                                    // [items + 1], never decreasing; NULL: neither mel nor tokens
    const int64_t *checks;                                     // [items], or NULL as offsets
    const float *stats;                                        // [items][SHARD_STATS], finite; NULL: none
    const double *seconds;                                     // [items] of MIDI; NULL: unknown
    const int32_t *label;                                      // [items], -1 <= label < n_labels
    const float *emotion;                                      // [items][SHARD_EMOTION], finite
    const char *const *paths, *const *groups, *const *sources; // [items]
    const double *mel_sum, *mel_squares;                       // [n_mels]; NULL in a shard of MIDI
    const int64_t *label_count;                                // [n_labels + 1]
    struct shard_file *file;
} shard;

// ERR_MISSING, ERR_FORMAT (not a shard, or of another version), ERR_DAMAGED, each naming the file.
shard *shard_open(const char *path, err *e) MUST_CHECK;
// The same without per-item tables and open file (offsets, checks, label, emotion, paths, groups, sources are NULL): for looking at many
// shards.
shard *shard_peek(const char *path, err *e) MUST_CHECK;
void shard_close(shard *s); // accepts NULL
// Frames [first, first + n) of item i into out [n, n_mels]. The checksum is verified when that is the whole item.
bool shard_frames(shard *s, int64_t i, int64_t first, int64_t n, float *out, err *e) MUST_CHECK;
// The same for tokens [first, first + n); each is below 388.
bool shard_tokens(shard *s, int64_t i, int64_t first, int64_t n, uint16_t *out, err *e) MUST_CHECK;
// The rejected lines, for the report; owned by `a`.
bool shard_rejected(const char *path, arena *a, char ***lines, size_t *n, err *e) MUST_CHECK;
// The key of the shard at `path`; false (and no error) when there is none that could be read.
bool shard_key(const char *path, char key[65]);

#endif
