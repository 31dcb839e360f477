// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_decode.h: items on their way into shards, of audio (prepare_decode.c) and of MIDI (prepare_songs.c).
#ifndef KMIDI_DATA_PREPARE_DECODE_H
#define KMIDI_DATA_PREPARE_DECODE_H

#include <stdatomic.h>

#include "data/prepare_internal.h"
#include "data/worker.h"

// One item, and what became of it.
typedef struct prepare_slot {
    const prepare *p;
    reader_item item; // its texts are in `memory`
    arena memory;
    int split;
    uint64_t ordinal;
    bool last;              // of its shard
    float *mel;             // [room]
    const uint16_t *tokens; // [frames], in `memory`
    const float *stats;     // [SHARD_STATS], in `memory`
    double seconds, valence, arousal;
    bool estimated; // valence and arousal
    bool sent;      // to a worker
    int64_t frames, room, samples;
    bool ok;
    err e;
} prepare_slot;

typedef struct decoding decoding;
struct decoding {
    prepare *p;
    prepare_slot *slots;
    int room, n; // slots, and those in use
    uint64_t done, rejected, seen[PREPARE_SPLITS];
    shard_writer *writer[PREPARE_SPLITS];
    // audio
    threads *pool;
    atomic_int next;
    uint64_t bytes; // of the files in the window
    // MIDI
    workers *workers;
    int first; // the oldest slot in use: they are a ring
    // what to do with an item, and behind the last one
    bool (*accept)(decoding *d, const reader_item *item, int split, uint64_t ordinal, bool last, err *e);
    bool (*flush)(decoding *d, err *e);
};

void prepare_slot_fill(decoding *d, prepare_slot *s, const reader_item *item, int split, uint64_t ordinal, bool last);
// Writes the item or its rejection into its shard, finishes the shard behind its last item, and empties the slot.
bool prepare_slot_write(decoding *d, prepare_slot *s, err *e) MUST_CHECK;
// Tells how far it is. False: it is to stop.
bool prepare_tell(decoding *d, err *e) MUST_CHECK;
// Sets `accept`, `flush`, the slots and the workers; close may be called whatever became of it.
bool prepare_songs_open(decoding *d, err *e) MUST_CHECK;
void prepare_songs_close(decoding *d);

#endif
