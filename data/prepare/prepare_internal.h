// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_internal.h: what the stages of prepare.h hand to each other.
#ifndef KMIDI_DATA_PREPARE_PREPARE_INTERNAL_H
#define KMIDI_DATA_PREPARE_PREPARE_INTERNAL_H

#include "data/audio/augment_clip.h"
#include "data/features/feature.h"
#include "data/labels/labels.h"
#include "data/prepare/prepare.h"
#include "data/prepare/spill.h"
#include "data/readers/reader.h"
#include "data/shards/shard.h"

enum { PREPARE_SPLITS = 16, SPLIT_DROPPED = 255, SPLIT_OPEN = 254 };

// What is known of an entry of the index. SPLIT_OPEN: not drawn yet; SPLIT_DROPPED: left out, as a
// duplicate or for its two labels.
typedef struct prepare_entry {
    uint64_t group, content; // digests; entries without a group have one of their own
    uint64_t item;           // digest of path and part
    uint32_t label;          // digest; 0: none
    bool two_labels;         // the same item has another one elsewhere
    uint8_t split;           // index into prepare.split
} prepare_entry;

typedef struct prepare_split {
    const char *name;
    // its shards' ordinals in the set are first_shard .. first_shard + shards - 1
    uint64_t items, first_shard, shards;
} prepare_split;

typedef struct prepare_shard {
    char key[65];
    bool make; // ours, and not there yet
} prepare_shard;

typedef struct prepare {
    const config *config;
    const prepare_job *job;
    const env *env;
    prepare_report *report;
    arena memory;
    // settings
    const reader_def *reader;
    reader_options options;
    key_texts wanted; // names of features
    key_texts labels; // given names, or those of the shards
    const char *labels_from;
    double share_val, share_test; // of the items, where the dataset has no splits of its own
    uint64_t split_seed;
    feature *feature;              // mel; NULL where the shards are of MIDI alone
    feature *songs[SHARD_COLUMNS]; // [info.n_columns] what makes each column; of mel: NULL
    augment_clip_settings augment; // of the training split; copies 0: none
    const char *augment_text;      // the same as JSON; NULL: none
    const label_set *targets;      // NULL: none
    key_names target_map;          // labels of the index as `targets` calls them
    shard_info info;               // what all shards share; labels are filled by the scan
    bool render;                   // sound is played of each item's MIDI
    int emotion;                   // 1: measured on the music, whatever the index says
    int64_t shard_items;
    double max_seconds, max_reject_ratio;
    // found
    prepare_entry *entries; // [n_entries]
    uint64_t n_entries, room, bad_lines, contradicted, grouped;
    prepare_split split[PREPARE_SPLITS];
    int n_splits;
    prepare_shard *shards; // [n_shards]
    uint64_t n_shards, to_make;
    spill *answers;   // of workers, from the first reading of MIDI files; may be NULL
    err first_reject; // for the last sentence
} prepare;

// ---- prepare.c
// Tells that `done` entries of the index are through this stage (total 0: nobody knows of how
// many), now and then. False: it is to stop, ERR_STOPPED.
bool prepare_goes_on(const prepare *p, const char *stage, uint64_t done, uint64_t total,
                     err *e) MUST_CHECK;
// ---- prepare_index.c: stages 1 and 2
bool prepare_scan(prepare *p, err *e) MUST_CHECK;
// The file that the features are made of, or NULL.
const char *prepare_item_file(const prepare *p, const reader_item *item);
// ---- prepare_split.c
bool prepare_draw(prepare *p, err *e) MUST_CHECK;
// Digest of bytes, good enough to tell a few million things apart.
uint64_t prepare_hash(uint64_t seed, const void *bytes, size_t n);
uint32_t prepare_label(const char *label);
// ---- prepare_remarks.c: lines about what will hurt later, though nothing is wrong
void prepare_remarks(const prepare *p);
// ---- prepare_augment.c
// What of it is asked for, where p->feature is known.
bool prepare_augment_read(prepare *p, err *e) MUST_CHECK;
// Of each item of a split: those of the training split have them.
int prepare_copies(const prepare *p, const char *split);
// ---- prepare_targets.c
bool prepare_targets_read(prepare *p, err *e) MUST_CHECK;
bool prepare_hears(const prepare *p); // the sound itself is asked, too
// The classes [info.n_groups] of an item, or (`by`, else NULL) of a copy; `sound` NULL: none.
// ERR_VALUE names the item.
bool prepare_targets_tell(const prepare *p, const reader_item *item, const sound_shape *sound,
                          const clip_change *by, int32_t *classes, err *e) MUST_CHECK;
// ---- prepare_keys.c: stage 3
bool prepare_keys_make(prepare *p, err *e) MUST_CHECK;
// A digest of the item's path, and of its file's size and time: a file is taken for the same while
// these are.
uint64_t prepare_stamp(const prepare *p, const reader_item *item);
const char *prepare_shard_path(const prepare *p, arena *a, uint64_t ordinal);
// The shard of the next entry of split s, where `seen` of that split came before.
uint64_t prepare_ordinal(const prepare *p, int split, uint64_t seen);
// ---- prepare_decode.c: stage 4
bool prepare_decode(prepare *p, err *e) MUST_CHECK;
// ---- prepare_songs.c
// Of MIDI, be it beside sound or not.
bool prepare_of_midi(const prepare *p);
// ---- prepare_notes.c
// The content digest of every entry: of its notes; of what cannot be read, one of its own. Leaves
// p->answers.
bool prepare_notes_compare(prepare *p, err *e) MUST_CHECK;
// ---- prepare_report.c: stage 5
bool prepare_finish(prepare *p, err *e) MUST_CHECK;
// One line of rejected.jsonl; owned by a.
const char *prepare_reject_line(arena *a, const char *path, int64_t line, const char *reason,
                                const char *message);
// ---- prepare_merge.c
// The shards that are marked to be made are those that are missing.
bool prepare_merge_check(const prepare *p, err *e) MUST_CHECK;
bool prepare_summary_write(const prepare *p, err *e) MUST_CHECK;
bool prepare_summary_remove(const prepare *p, err *e) MUST_CHECK;

#endif
