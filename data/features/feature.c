// SPDX-License-Identifier: GPL-3.0-or-later
// feature.c: the table of features, and their frames over a whole signal by several threads
// (feature.h).
//
// Frames inside the signal are computed from where its samples lie. The few that reach over an end
// are put together in scratch memory first.
#include "data/features/feature.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "base/variant.h"
#include "data/features/feature_ends.h"

#define FEATURE(name) VARIANT_EXTERN(feature_def, feature_##name)
#include "data/features/features.def"
#undef FEATURE

static const feature_def *const rows[][VARIANT_COUNT] = {
#define FEATURE(name) VARIANT_ROW(feature_##name),
#include "data/features/features.def"
#undef FEATURE
};
enum { ROWS = sizeof rows / sizeof *rows };

size_t feature_count(void)
{
    return ROWS;
}

const feature_def *feature_at(size_t i)
{
    return rows[i][variant_best()];
}

const feature_def *feature_find(const char *name, err *e)
{
    const char *names[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        if (!strcmp(rows[i][0]->name, name))
            return feature_at(i);
        names[i] = rows[i][0]->name;
    }
    (void)name_unknown(e, "feature", name, names, ROWS);
    return NULL;
}

feature *feature_open(const feature_def *d, const void *settings, err *e)
{
    feature *f = base_checked(calloc(1, sizeof *f), sizeof *f);
    f->memory.name = d->name;
    f->def = d;
    void *copy = arena_alloc(&f->memory, 1, d->settings_size);
    memcpy(copy, settings, d->settings_size);
    f->settings = copy;
    f->type = d->rows.type, f->width = d->rows.width;
    if (!d->open || d->open(f, e))
        return f;
    feature_close(f);
    return NULL;
}

void feature_close(feature *f)
{
    if (!f)
        return;
    if (f->def->close)
        f->def->close(f);
    arena_free(&f->memory);
    free(f);
}

bool feature_song(const feature *f, const midi_song *s, arena *a, feature_rows *out, err *e)
{
    CHECK(f->def->source == FEATURE_SONG);
    return f->def->song(f, s, a, out, e);
}

bool feature_of_both(const feature *f, const feature_both *x, arena *a, feature_rows *out, err *e)
{
    CHECK(f->def->source == FEATURE_BOTH && x->n >= 1);
    return f->def->both(f, x, a, out, e);
}

bool feature_fits(const feature_shape *s, const void *values, int64_t n)
{
    const uint16_t *u = values;
    const float *x = values;
    float sum = 0;
    bool ok = true;
    for (int64_t i = 0; s->type == FEATURE_U16 && s->below && i < n * s->width; i++)
        ok &= u[i] < s->below;
    for (int64_t i = 0; s->type == FEATURE_F32 && i < n * s->width; i++)
        sum += x[i] * 0;
    for (int64_t i = 0; s->type == FEATURE_F32 && s->below && i < n; i++) {
        float last = x[(i + 1) * s->width - 1];
        ok &= last >= 0 && last < (float)s->below && last == floorf(last);
    }
    return ok && sum == 0;
}

int64_t feature_frames(const feature *f, int64_t samples)
{
    int64_t whole = samples + 2 * f->before;
    return samples <= 0 || whole < f->span ? 0 : 1 + (whole - f->span) / f->hop;
}

// One call of feature_compute, seen by its threads.
typedef struct work {
    const feature *f;
    const float *samples;
    int64_t n, frames;
    float *out;
    char *scratch; // `stride` bytes a thread: one gathered span, then the feature's own
    size_t stride, gathered;
    float most;       // of all frames, for the second pass
    float *part_most; // [threads]
} work;

// Frames [lo, hi) whose samples all lie in the signal.
static void inside(const work *w, int64_t *lo, int64_t *hi)
{
    const feature *f = w->f;
    int64_t first = (f->before + f->hop - 1) / f->hop,
            past = w->n + f->before >= f->span ? (w->n + f->before - f->span) / f->hop + 1 : 0;
    *lo = first < w->frames ? first : w->frames;
    *hi = past < *lo ? *lo : past > w->frames ? w->frames : past;
}

static void compute_at_end(const work *w, int64_t frame, char *scratch)
{
    const feature *f = w->f;
    float *x = (float *)scratch;
    int64_t from = frame * f->hop - f->before;
    for (int64_t i = 0; i < f->span; i++) {
        int64_t at = feature_fold(f->reflect, from + i, w->n);
        x[i] = at < 0 ? 0 : w->samples[at];
    }
    f->def->frames(f, x, 1, w->out + frame * f->width, scratch + w->gathered);
}

static float largest(const float *x, int64_t n)
{
    float most = -INFINITY;
    for (int64_t i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    return most;
}

static void compute_part(void *arg, int index, int count)
{
    work *w = arg;
    const feature *f = w->f;
    char *scratch = w->scratch + (size_t)index * w->stride;
    int64_t lo, hi, in_lo, in_hi;
    threads_part(w->frames, 1, index, count, &lo, &hi);
    inside(w, &in_lo, &in_hi);
    for (int64_t i = lo; i < hi;) {
        if (i < in_lo || i >= in_hi) {
            compute_at_end(w, i++, scratch);
            continue;
        }
        int64_t past = hi < in_hi ? hi : in_hi;
        f->def->frames(f, w->samples + i * f->hop - f->before, past - i, w->out + i * f->width,
                       scratch + w->gathered);
        i = past;
    }
    w->part_most[index] = f->whole ? largest(w->out + lo * f->width, (hi - lo) * f->width) : 0;
}

static void set_level(const feature *f, float *frames, int64_t n)
{
    float *last = frames + f->width - 1, most = -INFINITY;
    for (int64_t i = 0; i < n; i++)
        most = last[i * f->width] > most ? last[i * f->width] : most;
    for (int64_t i = 0; i < n; i++)
        last[i * f->width] = most;
}

// What takes all frames at once.
static void finish_all(const feature *f, float *frames, int64_t n)
{
    arena a = {.name = "normalise"};
    if (f->normal) {
        normal_sums s = normal_open(f->width, f->width - f->level, &a);
        normal_add(&s, frames, n);
        normal_apply(&s, f->normal, frames, n);
    }
    if (f->level)
        set_level(f, frames, n);
    arena_free(&a);
}

void feature_finish(const feature *f, float *frames, int64_t n, float most)
{
    if (!f->whole)
        return;
    f->def->finish(f, frames, n * f->width, most);
    finish_all(f, frames, n);
}

static void finish_part(void *arg, int index, int count)
{
    work *w = arg;
    int64_t lo, hi;
    threads_part(w->frames, 1, index, count, &lo, &hi);
    w->f->def->finish(w->f, w->out + lo * w->f->width, (hi - lo) * w->f->width, w->most);
}

bool feature_compute(const feature *f, const float *samples, int64_t n, float *out, threads *pool,
                     err *e)
{
    work w = {.f = f, .samples = samples, .n = n, .frames = feature_frames(f, n), .out = out};
    if (!w.frames)
        return err_set(e, ERR_EMPTY,
                       "%lld samples at %d Hz are less than one frame of %lld; leave such clips "
                       "out or set center: true",
                       (long long)n, f->rate, (long long)f->span);
    int count = threads_count(pool);
    if (count > w.frames)
        count = (int)w.frames;
    w.gathered = feature_round((size_t)f->span * sizeof(float));
    w.stride = w.gathered + feature_round(f->scratch);
    arena a = {.name = "frames"};
    w.scratch = arena_alloc(&a, (size_t)count, w.stride);
    w.part_most = NEW(&a, float, (size_t)count);
    threads_run(pool, count, compute_part, &w);
    if (f->whole) {
        w.most = largest(w.part_most, count);
        threads_run(pool, count, finish_part, &w);
        finish_all(f, out, w.frames);
    }
    arena_free(&a);
    return true;
}
