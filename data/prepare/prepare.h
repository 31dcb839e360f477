// SPDX-License-Identifier: GPL-3.0-or-later
// prepare.h: from a dataset to shards, `OUT/SPLIT-00000.h5` and so on, `OUT/rejected.jsonl`, and
// `OUT/summary.json` of a set that was merged.
//
// Which item goes into which shard follows from the index alone: the items of a split, in the order
// of the index, `shard_items` at a time. So any number of jobs and of machines (--shard k/n) makes
// the same shards, and a shard that is there needs not be made again: its key is a digest of what
// it was made from (the items' entries in the index, their files' sizes and times, all settings,
// PREPARE_VERSION).
//
//     1. index     read three times at most: what labels, groups, splits and sizes there are; then
//                  the content of files that could be equal (of MIDI: the digest of every file's
//                  notes, and its features while it is parsed)
//     2. splits    the dataset's own; else drawn, so that neither a group nor two files with the
//                  same content are ever parted
//     3. keys      one for each shard; those that are there are left alone
//     4. decode    items by worker processes; results written in the order of the index
//     5. report    rejected.jsonl from the index and all shards; old shards that no longer belong
//                  to the set are removed; with merge, summary.json
//
// Memory: 40 bytes for each entry of the index, and as many again in stages 1 and 2, 64 items a job
// on their way, one open shard a split. A file that cannot be read is never replaced: it is named
// in the report, and more than max_reject_ratio of them is a failure.
//
//     config *c = config_open(prepare_table(&arena), &arena);  config_load(c,
//         "configs/data/x.yaml", e) ...
//     prepare_job job = {.out = "shards", .jobs = 2, .part = 1, .parts = 1};
//     prepare_report report;
//     prepare_run(c, &job, &env, &report, e)
#ifndef KMIDI_DATA_PREPARE_PREPARE_H
#define KMIDI_DATA_PREPARE_PREPARE_H

#include "base/arena.h"
#include "base/config.h"
#include "base/env.h"
#include "base/err.h"
#include "base/json.h"
#include "data/audio/clip.h"

// To be raised whenever the same files and settings give other shards than before.
enum { PREPARE_VERSION = 2 };
enum { PREPARE_OUTLASTS = 5 };

typedef struct prepare_job {
    const char *out; // folder; made if it is not there
    int jobs;        // worker processes
    // this process makes the shards whose ordinal is part - 1 modulo parts: 1/1 is all
    int part, parts;
    // nothing is made (part and parts are 1): the set is to be whole, or the shards that it lacks
    // are the error, and the parts of merge_parts that they are of (0: nobody knows)
    bool merge;
    int merge_parts;
    // how far it is; may be NULL
    void (*told)(void *user, const char *stage, uint64_t done, uint64_t total, uint64_t rejected);
    void *user;
} prepare_job;

typedef struct prepare_report {
    // of the whole set as far as its shards are there, those of earlier runs included
    uint64_t prepared, rejected;
    uint64_t reasons[ERR_CODES]; // of those rejected, by err_code
    // of prepared items, in the training split (augment_clip.h)
    uint64_t copies;
    // recordings that this run took, by what is to be known of them (clip.h)
    uint64_t marks[CLIP_MARKS];
    // of pairs of sound and MIDI that this run took: those whose notes end more than
    // PREPARE_OUTLASTS seconds behind the sound, as beside an excerpt or the wrong file
    uint64_t outlasting;
    // left out: the same content is in a split nearer to the verdict
    uint64_t duplicates;
    uint64_t made; // items decoded by this run, rejected ones included
    // of these: notes behind the end of a track, which are not read, and the files that have them
    uint64_t behind_end, behind_end_files;
    // missing: other jobs' parts
    uint64_t shards, shards_made, shards_kept, shards_removed, shards_missing;
    size_t labels;
    double seconds;
} prepare_report;

// The keys of a data config. Owned by `a`.
const config_table *prepare_table(arena *a);
// On failure too the report tells what was done. ERR_STOPPED: the same command continues.
bool prepare_run(const config *c, const prepare_job *job, const env *v, prepare_report *report,
                 err *e) MUST_CHECK;

// Into `o`: what is there, and what was left out for which reasons.
void prepare_counts(const prepare_report *report, json *o);

#endif
