// SPDX-License-Identifier: GPL-3.0-or-later
// loader_rows.h: rows of a batch from their positions in the epoch, by whichever store holds the
// column. Belongs to the reader thread.
#ifndef KMIDI_DATA_LOADER_LOADER_ROWS_H
#define KMIDI_DATA_LOADER_LOADER_ROWS_H

#include "data/loader/loader_frames.h"
#include "data/loader/loader_mix.h"
#include "data/loader/loader_songs.h"

enum { LOADER_PATH = 256, LOADER_AHEAD = 3, LOADER_AHEAD_MOST = 32, LOADER_AHEAD_BYTES = 1 << 20 };

typedef struct loader_rows {
    const dataset *d;
    loader_options options; // with defaults filled in; its arrays are ours
    example example;
    loader_order order;
    loader_frames frames; // of audio
    loader_songs songs;   // of MIDI
    loader_mix mix;       // of audio, where rows are mixed
    arena memory;
} loader_rows;

// On failure r is still to be closed.
bool loader_rows_open(loader_rows *r, const dataset *d, const loader_options *o, err *e) MUST_CHECK;
void loader_rows_close(loader_rows *r);
// The rows at positions [first, first + n) of the epoch, into fields from row 0 on. *weight: their
// sum. paths: of the first n_paths rows, the end of a longer one.
bool loader_rows_fill(loader_rows *r, uint64_t epoch, uint64_t first, uint64_t n,
                      const batch_field *fields, double *weight, char (*paths)[LOADER_PATH],
                      int64_t n_paths, err *e) MUST_CHECK;
example loader_rows_example(const dataset *d, const loader_options *o); // without random streams
// as asked, or by the size of a batch
int loader_rows_ahead(const example *x, const loader_options *o);
uint64_t loader_rows_bytes(const dataset *d, const loader_options *o);

#endif
