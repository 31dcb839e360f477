// SPDX-License-Identifier: GPL-3.0-or-later
// feature.h: numbers computed from audio, frame by frame, from a MIDI song as a whole, or from an
// item's sound and song together.
//
// A feature has a name, a table of settings, and once opened with effective settings it is a value:
// tables and plans that never change, shared by any number of threads. Frame i is a function of the
// samples [i * hop - before, i * hop - before + span); what lies outside the signal is filled up.
// So frames may be computed in any order and by any thread with the same bits, all at once or as
// the samples come.
//
//     const feature_def *d = feature_find("mel", e);
//     void *s = feature_settings(d, &arena);
//     feature_set(d, s, "preset", "librosa", e) && feature_resolve(d, s, e)
//     feature *f = feature_open(d, s, e);
//     int64_t frames = feature_frames(f, clip.frames); // float out[frames * f->width]
//     feature_compute(f, clip.samples, clip.frames, out, pool, e);
//     feature_close(f);
//
// Hours of audio: feature_stream.h, in memory that does not grow.
//
// A feature of songs (FEATURE_SONG) has no frames: it makes rows of numbers, one or many, out of
// all that data/midi/midi.h tells.
//
//     feature_rows rows;
//     if (feature_song(f, song, &arena, &rows, e)) ... rows.data [rows.n][f->width], of f->type ...
//
// One of both (FEATURE_BOTH) makes such rows of the song and of the frames that the feature of
// clips made beside it (feature_of_both).
#ifndef KMIDI_DATA_FEATURES_FEATURE_H
#define KMIDI_DATA_FEATURES_FEATURE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/json.h"
#include "base/setting.h"
#include "base/threads.h"
#include "data/features/feature_normal.h"
#include "data/midi/midi.h"

typedef struct feature feature;

typedef enum feature_source { FEATURE_CLIP, FEATURE_SONG, FEATURE_BOTH } feature_source;
typedef enum feature_type { FEATURE_F32, FEATURE_U16 } feature_type;

typedef struct feature_rows {
    const void *data; // [n][width], owned by the arena that was given
    int64_t n;        // may be 0
} feature_rows;

// What is known of an item with both. The frames are of a whole file; the emotion is that of the
// item, or the song's estimate.
typedef struct feature_both {
    const midi_song *song;
    const feature *heard; // by which the frames were made
    const float *frames;  // [n][heard->width], n >= 1
    int64_t n;
    double valence, arousal, intensity; // [-1, 1] twice, [0, 1]
} feature_both;

// What the rows of a feature of songs are, in memory and in shards (shard.h).
typedef struct feature_shape {
    feature_type type;
    int width;   // numbers a row
    bool single; // exactly one row a song
    int least;   // rows that a song has at least: 0 or 1
    // 0: any finite numbers. Else u16: all are below it; f32: the last of a row is a whole number
    // in [0, below)
    int below;
} feature_shape;

// What data/features/NAME.c defines, once for each vector width.
typedef struct feature_def {
    const char *name; // also of the shard's dataset and of the config's section
    const char *help; // one line
    feature_source source;
    const config_key *table; // a first row named `preset` is resolved into the others
    const size_t *table_n;   // NULL: no settings
    size_t settings_size;
    bool (*set)(void *settings, const char *name, const char *value, err *e); // NULL: setting_parse
    bool (*resolve)(void *settings, err *e);                                  // NULL: nothing to do
    // adds a line about effective settings that are likely a mistake; NULL: none
    void (*remark)(const void *settings, strbuf *out);
    // Fills f's fields (all but def and settings) and its tables. On failure `close` is called too.
    // NULL: nothing to do.
    bool (*open)(feature *f, err *e);
    void (*close)(feature *f); // may be NULL
    // ---- Of songs, or of both. Any thread.
    feature_shape rows;
    bool (*song)(const feature *f, const midi_song *s, arena *a, feature_rows *out, err *e);
    bool (*both)(const feature *f, const feature_both *x, arena *a, feature_rows *out, err *e);
    // ---- Of clips
    // `count` frames of contiguous samples: frame i is of x[i * hop] .. x[i * hop + span - 1].
    // `scratch` has f->scratch bytes, aligned to 64, and belongs to the calling thread.
    void (*frames)(const feature *f, const float *x, int64_t count, float *out, void *scratch);
    // What depends on the largest number of all frames, `most`, in place, where f->whole.
    void (*finish)(const feature *f, float *out, int64_t n, float most);
} feature_def;

struct feature {
    const feature_def *def;
    const void *settings; // effective; owned by the feature
    feature_type type;
    int width; // numbers a frame or row
    int rate;  // of clips, and so is what follows: Hz of the samples that it takes
    int64_t span, hop, before;
    bool reflect; // outside the signal: reflected, or zeros
    bool whole;   // something depends on all frames: feature_finish
    normal_kind normal;
    bool level;     // the last of a frame's numbers is its largest over all frames
    size_t scratch; // bytes
    arena memory;
    void *state; // the feature's own
};

// ---- Names and settings
const feature_def *feature_find(const char *name, err *e) MUST_CHECK; // of this machine's variant
size_t feature_count(void);
const feature_def *feature_at(size_t i);
size_t feature_settings_count(const feature_def *d);    // rows of its table
void *feature_settings(const feature_def *d, arena *a); // nothing given yet
bool feature_set(const feature_def *d, void *settings, const char *name, const char *value,
                 err *e) MUST_CHECK;
bool feature_resolve(const feature_def *d, void *settings, err *e) MUST_CHECK;
// Rows for a config's table, named "mel.n_fft", so that a config file and docs/config.md know every
// setting.
size_t feature_keys(const feature_def *d, arena *a, config_key **keys);
// What the config gives under those names, resolved; errors begin with file, line and column.
bool feature_configure(const feature_def *d, void *settings, const config *c, err *e) MUST_CHECK;
// Effective settings as a JSON object of numbers, booleans and texts, in the table's order, and
// back. Unknown names are refused.
json *feature_json(const feature_def *d, const void *settings);
bool feature_from_json(const feature_def *d, void *settings, const json *j, err *e) MUST_CHECK;

// ---- Computing
feature *feature_open(const feature_def *d, const void *settings, err *e) MUST_CHECK;
void feature_close(feature *f); // accepts NULL
int64_t feature_frames(const feature *f, int64_t samples);
// All frames of `n` samples at f->rate into out [feature_frames][f->width]. ERR_EMPTY when that is
// no frame. `pool` may be NULL. Result is the same for any number of threads.
bool feature_compute(const feature *f, const float *samples, int64_t n, float *out, threads *pool,
                     err *e) MUST_CHECK;
// What depends on all n frames, in place, of frames that came one by one (feature_stream.h); `most`
// is the largest number of all. Does nothing where nothing does.
void feature_finish(const feature *f, float *frames, int64_t n, float most);

// The rows of a song; only where def->source is FEATURE_SONG. The same song gives the same rows on
// every machine.
bool feature_song(const feature *f, const midi_song *s, arena *a, feature_rows *out,
                  err *e) MUST_CHECK;
// The same of a song and its sound; only where it is FEATURE_BOTH.
bool feature_of_both(const feature *f, const feature_both *x, arena *a, feature_rows *out,
                     err *e) MUST_CHECK;
// Whether n rows that came from outside are such as the feature makes: finite, in range.
bool feature_fits(const feature_shape *s, const void *values, int64_t n);

#endif
