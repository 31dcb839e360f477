// SPDX-License-Identifier: GPL-3.0-or-later
// loader_rows.c: from positions to rows (loader_rows.h).
#include "data/loader/loader_rows.h"

#include <stdio.h>
#include <string.h>

static bool of_songs(const dataset *d)
{
    return !dataset_of_mel(d);
}

static const float *copy_floats(arena *a, const float *p, size_t n)
{
    return p ? memcpy(NEW(a, float, n), p, n * sizeof *p) : NULL;
}

static const rng *streams(arena *a, uint64_t seed, const char *name, int n)
{
    rng *r = NEW(a, rng, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        r[i] = rng_stream(seed, name, (uint32_t)i);
    return r;
}

example loader_rows_example(const dataset *d, const loader_options *o)
{
    return (example){.def = d->example,
                     .window = !d->example->windows ? 1
                               : d->example->whole  ? d->longest
                                                    : o->window,
                     .width = d->column.width,
                     .groups = o->n_groups,
                     .mean = o->mean,
                     .deviation = o->deviation,
                     .freq_masks = o->freq_masks,
                     .freq_width = o->freq_width,
                     .time_masks = o->time_masks,
                     .time_width = o->time_width,
                     .mel = o->mel,
                     .midi = o->midi,
                     .condition_dropout = o->condition_dropout,
                     .untold = rng_stream(o->seed, "condition", 0)};
}

int loader_rows_ahead(const example *x, const loader_options *o)
{
    uint64_t fit = LOADER_AHEAD_BYTES / ((uint64_t)o->batch * example_bytes(x) + 1);
    if (o->ahead > 0)
        return o->ahead;
    return fit < LOADER_AHEAD        ? LOADER_AHEAD
           : fit > LOADER_AHEAD_MOST ? LOADER_AHEAD_MOST
                                     : (int)fit;
}

bool loader_rows_open(loader_rows *r, const dataset *d, const loader_options *o, err *e)
{
    arena *a = &r->memory;
    size_t bands = (size_t)d->n_mels, n_labels = o->labels ? o->n_labels : d->n_labels;
    int64_t *counts = NEW(a, int64_t, d->n_shards), *bytes = NEW(a, int64_t, d->n_shards);
    a->name = "loader";
    r->d = d;
    r->options = *o;
    r->options.hear = o->hear && !of_songs(d);
    r->options.mean = copy_floats(a, o->mean, bands);
    r->options.deviation = copy_floats(a, o->deviation, bands);
    r->options.mel.octave = copy_floats(a, o->mel.octave, bands);
    r->options.class_weight = copy_floats(a, o->class_weight, n_labels);
    if (o->n_groups)
        r->options.groups = memcpy(NEW(a, int, (size_t)o->n_groups), o->groups,
                                   (size_t)o->n_groups * sizeof *o->groups);
    r->example = loader_rows_example(d, &r->options);
    r->example.scratch =
        of_songs(d) ? NULL : NEW(a, float, (size_t)(r->example.window * r->example.width));
    loader_mix_open(&r->mix, &r->options, &r->example, a);
    r->options.ahead = loader_rows_ahead(&r->example, o);
    r->example.freq = streams(a, o->seed, "freq_mask", o->freq_masks);
    r->example.louder = rng_stream(o->seed, "mel_louder", 0);
    r->example.time = streams(a, o->seed, "time_mask", o->time_masks);
    if (of_songs(d)
            ? !loader_songs_open(&r->songs, d, &r->options, &r->example, a, counts, bytes, e)
            : !loader_frames_open(&r->frames, d, &r->options, &r->example, a, e))
        return false;
    if (!of_songs(d) && !loader_frames_counts(&r->frames, counts, e))
        return false;
    r->options.labels = NULL;
    loader_order_open(&r->order, d, o, counts, of_songs(d) ? bytes : NULL, a);
    return true;
}

void loader_rows_close(loader_rows *r)
{
    loader_frames_close(&r->frames);
    loader_songs_close(&r->songs);
    arena_free(&r->memory);
}

uint64_t loader_rows_bytes(const dataset *d, const loader_options *o)
{
    return of_songs(d) ? loader_songs_bytes(d, o)
                       : loader_frames_bytes(d, loader_rows_example(d, o).window);
}

static void copy_path(char *out, const char *path)
{
    bool fits = strlen(path) < LOADER_PATH;
    snprintf(out, LOADER_PATH, "%s%s", fits ? "" : "...",
             fits ? path : str_tail(path, LOADER_PATH - 4));
}

static bool make(loader_rows *r, uint64_t epoch, uint64_t position, uint64_t draws,
                 const batch_field *fields, int64_t row, double *weight, const char **path, err *e)
{
    loader_place place = loader_order_at(&r->order, epoch, position);
    return of_songs(r->d)
               ? loader_songs_make(&r->songs, &r->order, place, epoch, draws, fields, row, weight,
                                   path, e)
               : loader_frames_make(&r->frames, place, epoch, draws, fields, row, weight, path, e);
}

// The row with another item of the pool, whose crop and masks are drawn as if it stood behind the
// epoch's end.
static bool mix(loader_rows *r, uint64_t epoch, uint64_t position, const batch_field *fields,
                int64_t row, double *weight, err *e)
{
    const loader_order *o = &r->order;
    const char *path;
    double other = 0;
    uint64_t first = o->pool_first[o->pool], n = o->pool_first[o->pool + 1] - first,
             partner = first + loader_mix_partner(&r->mix, epoch, position, n);
    if (!make(r, epoch, partner, o->units + position, r->mix.other, 0, &other, &path, e))
        return false;
    if (other > 0)
        loader_mix_row(&r->mix, loader_mix_share(&r->mix, epoch, position), fields, row, other,
                       weight);
    return true;
}

bool loader_rows_fill(loader_rows *r, uint64_t epoch, uint64_t first, uint64_t n,
                      const batch_field *fields, double *weight, char (*paths)[LOADER_PATH],
                      int64_t n_paths, err *e)
{
    int64_t row = 0;
    *weight = 0;
    for (uint64_t position = first; position < first + n; position++) {
        const char *path = "";
        double own = 0;
        if (!make(r, epoch, position, position, fields, row, &own, &path, e))
            return false;
        if (row < n_paths)
            copy_path(paths[row], path);
        if (r->mix.alpha > 0 && own > 0 && !mix(r, epoch, position, fields, row, &own, e))
            return false;
        *weight += own;
        row++;
    }
    return true;
}

// ---- The same for one item in memory

int64_t loader_windows(int views, int64_t frames, int64_t window)
{
    if (frames <= window)
        return 1;
    return views > 0 && frames <= 2 * views * window ? views : (frames + window - 1) / window;
}

int64_t loader_begin(loader_crop crop, int64_t view, int64_t views, int64_t frames, int64_t window)
{
    int64_t spare = frames - window;
    if (spare <= 0)
        return 0;
    if (views > 1)
        return spare * view / (views - 1);
    return crop == LOADER_FIRST ? 0 : crop == LOADER_CENTER ? spare / 2 : spare;
}

static void standardise(float *x, int64_t frames, int n_mels, const float *mean,
                        const float *deviation)
{
    for (int64_t t = 0; mean && t < frames; t++)
        for (int b = 0; b < n_mels; b++)
            x[t * n_mels + b] = (x[t * n_mels + b] - mean[b]) / deviation[b];
}

void loader_row(const float *item, int64_t frames, int64_t begin, int64_t window, int n_mels,
                const float *mean, const float *deviation, float *row)
{
    int64_t n = frames < window ? frames : window;
    float *x = row + (window - n) * n_mels;
    memset(row, 0, (size_t)((window - n) * n_mels) * sizeof *row);
    memcpy(x, item + begin * n_mels, (size_t)(n * n_mels) * sizeof *x);
    standardise(x, n, n_mels, mean, deviation);
}

void loader_squeeze(const float *frames, int64_t n, int n_mels, int64_t columns, float *out)
{
    for (int64_t c = 0; c < columns; c++) {
        int64_t lo = n * c / columns, hi = n * (c + 1) / columns;
        hi = hi > lo ? hi : lo + 1;
        for (int64_t b = 0; b < n_mels; b++) {
            float sum = 0;
            for (int64_t t = lo; t < hi; t++)
                sum += frames[t * n_mels + b];
            out[b * columns + c] = sum / (float)(hi - lo);
        }
    }
}

void loader_turn(const float *row, int64_t window, int n_mels, float *out)
{
    for (int64_t b = 0; b < n_mels; b++)
        for (int64_t t = 0; t < window; t++)
            out[b * window + t] = row[t * n_mels + b];
}
