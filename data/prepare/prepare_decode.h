// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_decode.h: items on their way into shards.
//
// Whatever a file does to the libraries that read it, it does to a worker process (worker.h), and
// costs itself alone. What a worker is sent for an item, what it does, and what its answer says is
// one prepare_kind: of audio (prepare_audio.c), of MIDI (prepare_songs.c), of pairs of both
// (prepare_pairs.c).
#ifndef KMIDI_DATA_PREPARE_PREPARE_DECODE_H
#define KMIDI_DATA_PREPARE_PREPARE_DECODE_H

#include "base/worker.h"
#include "data/prepare/prepare_internal.h"

// A copy of an item (augment_clip.h).
typedef struct prepare_copy {
    const float *mel; // [frames][width] in the answer
    int64_t frames;
    sound_shape shape; // where it is asked
} prepare_copy;

// One item, and what became of it.
typedef struct prepare_slot {
    const prepare *p;
    reader_item item; // its texts are in `memory`
    arena memory;
    int split;
    uint64_t ordinal;
    bool last;          // of its shard
    const float *mel;   // [frames][width] in the answer
    feature_rows *rows; // [info.n_columns] of MIDI; their data is in the answer
    double seconds, valence, arousal;
    bool estimated;      // valence and arousal
    bool sent;           // to a worker
    int64_t frames;      // of mel
    sound_shape shape;   // where it is asked
    uint64_t marks;      // of the clip (clip.h)
    uint32_t behind_end; // of MIDI: notes that were not read, behind the end of a track
    prepare_copy copies[AUGMENT_COPIES_MOST];
    int n_copies;
    int32_t (*classes)[LABEL_GROUPS]; // of the item, then of each copy
    bool ok;
    err e;
} prepare_slot;

typedef struct prepare_kind {
    worker_fn *fn; // `user` is the prepare
    // What fn is sent, at most WORKER_ITEM bytes; or why there is nothing to send.
    bool (*pack)(const prepare *p, const reader_item *item, strbuf *out, err *e);
    // fn's answer into the slot, which may point into it. It is checked as if it came from outside;
    // false: it is none, or s->e says what is wrong with it.
    bool (*take)(prepare_slot *s, const char *bytes, size_t n);
    double (*seconds)(const prepare *p);  // that an item may take; NULL: WORKER_SECONDS
    uint64_t (*memory)(const prepare *p); // and bytes; NULL: WORKER_MEMORY
} prepare_kind;

// What copy k (1 ...) of an item is another note by.
clip_change prepare_copy_change(const prepare *p, const reader_item *item, int k);

extern const prepare_kind prepare_audio, prepare_songs, prepare_pairs;

// ---- prepare_songs.c: beside the kind's own fn one that tells no more than the digest of the
// notes; and that digest in what either returned, PREPARE_NOTES characters, or NULL
enum { PREPARE_NOTES = 64 };
extern worker_fn *const prepare_song_digest;
const char *prepare_song_notes(const worker_result *r);
// The song that an item calls `midi`: read from its file, or made by the reader.
midi_song *prepare_song_load(const prepare *p, arena *a, const char *midi, err *e) MUST_CHECK;
// Whether such an answer of the kind's own fn says why the song is not wanted.
bool prepare_song_refused(const char *bytes, size_t n);

// ---- prepare_audio.c: the frames of mel in an answer of its kind, as they are without copies
const float *prepare_audio_frames(const char *bytes, int64_t *n);

// ---- prepare_decode.c
// What the index, or its label's name, says of an item's emotion, and where it is from ("given",
// "name"); NULL: nothing.
const char *prepare_emotion(const prepare *p, const reader_item *item, float out[SHARD_EMOTION]);
const prepare_kind *prepare_kind_of(const prepare *p);
workers *prepare_workers(prepare *p, worker_fn *fn, err *e) MUST_CHECK;

#endif
