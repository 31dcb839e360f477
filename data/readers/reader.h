// SPDX-License-Identifier: GPL-3.0-or-later
// reader.h: a dataset in its published layout, seen as a row of items.
//
//     reader_options o = {.root = "/my/data"};
//     reader *r = reader_open(reader_find("audio_manifest", e), &o, e);
//     for (pull s; (s = reader_next(r, &item, e)) != PULL_END;)
//         if (s == PULL_BAD) ... e->text says what is wrong with this entry; the next one may be
//             well ...
//         else ... item ...
//     reader_close(r);
//
// A reader never opens the items' files: it tells what there is (a vector that lies beside its MIDI
// file is index). Its memory does not depend on the length of the index, or as said in the reader's
// file, and reading it again gives the same row. To add one: data/readers/NAME.c with one
// definition, and a line in readers.def.
#ifndef KMIDI_DATA_READERS_READER_H
#define KMIDI_DATA_READERS_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "base/pull.h"
#include "base/str.h"
#include "data/audio/clip.h"

enum { READER_SPLIT = 32 };

// All texts live until the next call of reader_next.
typedef struct reader_item {
    const char *path; // as the index has it
    // the audio to open; NULL where there is none, or the reader makes it itself (reader_def.clip)
    const char *file;
    // the MIDI file to open, or the name by which reader_def.song makes it; NULL: none
    const char *midi;
    const char *label;       // NULL: none
    const char *group;       // speaker, song or performer, never to be parted; NULL: none known
    double valence, arousal; // [-1, 1]; NaN: not known
    double intensity;        // [0, 1]; NaN: not known
    // [EMOTION_SIZE] where the dataset gives the whole vector; NULL: it follows from the three
    // above
    const float *emotion;
    const char *attributes;  // what else the index says, as a JSON object; NULL: nothing
    double offset, duration; // seconds of the file; duration 0: to its end
    // as the dataset calls it (letters, digits, - and _; at most READER_SPLIT bytes); NULL: it has
    // no opinion
    const char *split;
    bool synthetic;
    int64_t line;    // of the index, for messages; 0 where it has no lines
    uint64_t number; // of the item, from 0; entries that are bad do not count
} reader_item;

// From the config. Texts are owned by the caller and outlive the reader.
typedef struct reader_options {
    const char *root; // the dataset's folder; NULL where the reader needs none
    // the index's file, relative to root or absolute; NULL: the reader's own name for it
    const char *index;
    bool outside; // relative paths may climb out of the root
    bool midi;    // MIDI is asked for: folder takes that, else its audio; a manifest tells it
    const char *pattern, *folder_labels; // folder; NULL: none, and "first"
    int64_t items;                       // synth
    double seconds;
    uint64_t seed;
} reader_options;

typedef struct reader_def reader_def;

typedef struct reader {
    const reader_def *def;
    reader_options options;
    void *state;      // the definition's own
    uint64_t entries; // good ones so far
    int64_t line;     // of the entry that reader_next looked at last
    arena item;       // rewound by each reader_next
    arena memory;     // until reader_close
} reader;

struct reader_def {
    const char *name, *help;
    const char *licence, *citation; // of the published dataset; "" where everybody has their own
    bool needs_root, synthetic;
    bool no_audio, no_midi;          // its items are MIDI alone, or audio alone
    bool deals_singly;               // nothing but a pattern tells which files belong together
    bool (*probe)(const char *root); // does the folder look like this dataset?
    // How many files of either kind there are, where the layout leaves that open; else NULL.
    bool (*count)(const reader_options *o, uint64_t *audio, uint64_t *midi, err *e);
    bool (*open)(reader *r, err *e); // on failure close is called too
    pull (*next)(reader *r, reader_item *item, err *e);
    void (*close)(reader *r);
    // Makes item `number` at 16 kHz; any thread. NULL: items are files.
    bool (*clip)(const reader_options *o, uint64_t number, clip *c, err *e);
    // Makes the MIDI file that an item calls `midi`; in a worker process. NULL: items are files.
    bool (*song)(const reader_options *o, const char *midi, strbuf *file, err *e);
};

// ERR_CONFIG names the nearest and all
const reader_def *reader_find(const char *name, err *e) MUST_CHECK;
// whose layout the folder has, or NULL
const reader_def *reader_guess(const char *root);
size_t reader_count(void);
const reader_def *reader_at(size_t i);

reader *reader_open(const reader_def *d, const reader_options *o, err *e) MUST_CHECK;
// PULL_END with e->code set: the index itself can't be read any further. Else e is set for
// PULL_BAD only.
pull reader_next(reader *r, reader_item *item, err *e);
void reader_close(reader *r); // accepts NULL

// How near a split is to the final verdict: 3 test, 2 validation, 1 training, 0 anything else. What
// occurs twice stays in the higher one.
int reader_split_rank(const char *split);
// The file that tells items apart: the audio, else the MIDI file, else NULL.
const char *reader_item_file(const reader_item *item);
// Fit to be part of a file's name?
bool reader_split_ok(const char *split);
// The file that `path` of an index means, or NULL with ERR_VALUE: a path may climb by ".." above
// where it starts only where `outside` says so. An absolute path is taken as it is.
const char *reader_resolve(arena *a, const char *root, const char *path, bool outside,
                           err *e) MUST_CHECK;

#endif
