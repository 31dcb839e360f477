// SPDX-License-Identifier: GPL-3.0-or-later
// example.h: what a model is trained on, made from an item of a shard. A model names its example
// (models/model.h); one file in data/examples/ is one example.
//
//     mel       frames of audio [B, T, bands] with the item's label: windows of an item
//     cloud     the whole item as a picture [B, 1, bands, 64], its notes' statistics and its cloud
//     picture   the same as a picture [B, 1, bands, T], with the item's classes of several groups
//     tokens    performance events [B, T] and the ones after them: windows of the song
//     melody    the notes of the top line [B, T] and each one's predecessor: windows of the song
//     harmony   the context of a bar and its chord: each bar is one
//     groove    how the song sits on its beat: each song is one
//     dynamics  the statistics of a phrase and its curve: each phrase is one
//
// An example is made of a column of the shard (data/shards/shard.h): of a stretch of `window` rows
// where `windows`, else of one row. What a row of a batch shows lies in one or more pieces, each of
// one item; `fill` puts a piece where it belongs. An example of mel may hear other columns of the
// same item `beside` it, all their rows: statistics of the music beside its spectrogram.
//
// Which stretches (data/loader/loader.h): in training windows begin at random, in evaluation they
// follow each other from the item's first row on. Songs that share their emotion vector are one
// long stream in training, so that short ones fill windows together instead of leaving them half
// empty; nothing is learnt across the seam between two of them, where the weight is 0 or, in a
// melody, a beginning is shown.
#ifndef KMIDI_DATA_LOADER_EXAMPLE_H
#define KMIDI_DATA_LOADER_EXAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"
#include "data/loader/augment_mel.h"
#include "data/loader/augment_midi.h"
#include "data/loader/batch.h"

enum { EXAMPLE_EMOTION = 64, EXAMPLE_BESIDE = 2 };

// In the dimensions of a field: as many as the batch has rows, the window has places, the column
// has numbers a row, the model asks for classes.
enum { EXAMPLE_ROWS = 0, EXAMPLE_WINDOW = -1, EXAMPLE_WIDTH = -2, EXAMPLE_GROUPS = -3 };

// A stretch of one item.
typedef struct example_piece {
    // [n][width] from row `first` of the item on; of songs the whole item lies around it
    const void *rows;
    int64_t first, n, of; // rows [first, first + n) of the `of` that the item has
    int64_t at;           // their place in the window
    // all rows of the item's other columns; NULL: none is heard
    const void *beside[EXAMPLE_BESIDE];
    int64_t n_beside[EXAMPLE_BESIDE];
    const float *emotion;     // [EXAMPLE_EMOTION]
    int32_t label;            // counted as the model does; 0 where there is none
    const int32_t *classes;   // [groups] where `grouped`; -1 where there is none
    float weight;             // of the item's label
    int64_t windows, more;    // that the item is heard in, of audio; that follow this one
    uint64_t epoch, position; // what random choices depend on
} example_piece;

typedef struct example_def example_def;

// An example with the choices of a run.
typedef struct example {
    const example_def *def;
    int64_t window; // 1 where not `windows`
    int width;      // numbers a row of the column
    int groups;     // that the model asks for
    // of audio alone: standardisation [width] or NULL; SpecAugment masks
    const float *mean, *deviation;
    int freq_masks, freq_width, time_masks, time_width;
    const rng *freq, *time; // [freq_masks], [time_masks]
    augment_mel mel;
    rng louder;     // draws of `mel`
    float *scratch; // [window, width], of who fills; NULL where no one does
    // of songs alone
    augment_midi midi;
    // the share of rows that are told no emotion, and who is
    double condition_dropout;
    rng untold;
} example;

struct example_def {
    const char *name, *column;
    const char *beside[EXAMPLE_BESIDE]; // other columns, where `column` is mel; NULL: none
    bool windows;                       // of many rows; else of one
    bool whole;     // `windows` as long as the set's longest item: all rows of each
    bool labelled;  // the target is the item's label
    bool grouped;   // the targets are the item's classes (shard.h)
    bool told;      // it hears the item's emotion
    int ahead;      // rows behind a window that its last target is taken from
    int64_t window; // data.window where it is not given; 0: the longest item
    // a row makes sense, whatever the file was; NULL: all that are finite and in range do
    bool (*sound)(const void *row);
    const batch_field *fields; // ended by a name of NULL; data is NULL
    // Puts the piece with its music changed in the place of `p`, of rows in `out` (example_scratch
    // bytes); it may have fewer. NULL: nothing can be changed.
    void (*augment)(const example *x, const midi_draw *d, example_piece *p, void *out);
    // Puts a piece into row `row` of the batch's fields, which is zero where `windows`. Returns
    // what it adds to the row's weight.
    double (*fill)(const example *x, const example_piece *p, const batch_field *fields,
                   int64_t row);
};

const example_def *example_find(const char *name); // NULL when there is none
int example_fields(const example_def *d);
int64_t example_dim(const example *x, int64_t dim); // of a field, but EXAMPLE_ROWS
// Elements of field `k` of one row.
int64_t example_elements(const example *x, int k);
uint64_t example_bytes(const example *x); // of one row
size_t example_scratch(const example *x);
// The emotion of `own` [EXAMPLE_EMOTION] that the row of a draw is told: it, or by chance zeros.
const float *example_emotion(const example *x, const float *own, uint64_t epoch, uint64_t position);
void example_clear(const example *x, const batch_field *fields, int64_t row); // zeros
// row `from` once more, with weight 0
void example_repeat(const example *x, const batch_field *fields, int64_t row, int64_t from);

#endif
