// SPDX-License-Identifier: GPL-3.0-or-later
// shards.c: data sets and loaders of a run, and what is written about them into checkpoints.
#include "train/shards_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer/trained.h"
#include "train/baseline.h"

// ---- Sources

static const batch *next_batch(void *self, err *e)
{
    return loader_next(self, e);
}

static void seek_batch(void *self, uint64_t epoch, uint64_t index)
{
    loader_seek(self, epoch, index);
}

static double waited(void *self)
{
    return loader_waited(self);
}

static source source_of(loader *l)
{
    return (source){.self = l,
                    .next = next_batch,
                    .seek = seek_batch,
                    .waited = waited,
                    .batches = loader_batches(l),
                    .items = loader_items(l)};
}

// ---- Training data

static const example_def *example_of(const model_def *m)
{
    const example_def *d = example_find(m->example);
    CHECK(d);
    return d;
}

// scikit-learn's "balanced": items / (classes x items of the class)
static void weigh_classes(shards *s, arena *a)
{
    const dataset *d = s->train;
    int64_t labelled = d->items - d->label_count[d->n_labels];
    s->class_weight = NEW(a, float, d->n_labels + 1);
    for (size_t i = 0; i < d->n_labels; i++)
        s->class_weight[i] =
            d->label_count[i]
                ? (float)((double)labelled / ((double)d->n_labels * (double)d->label_count[i]))
                : 0;
}

static loader_crop crop_of(train_crop c)
{
    static const loader_crop crops[] = {[CROP_FIRST] = LOADER_FIRST,
                                        [CROP_CENTER] = LOADER_CENTER,
                                        [CROP_LAST] = LOADER_LAST,
                                        [CROP_RANDOM] = LOADER_RANDOM};
    return crops[c];
}

int64_t shards_window(const example_def *x, int64_t asked, int64_t longest)
{
    if (!x->windows)
        return 1;
    return asked ? asked : x->window ? x->window : longest;
}

static loader_options training_choices(const shards *s, const train_options *o)
{
    const dataset *d = s->train;
    return (loader_options){.window = s->window,
                            .crop = crop_of(o->data.crop),
                            .shuffle = true,
                            .balanced = o->data.balance == BALANCE_SAMPLING,
                            .drop_last = o->data.drop_last,
                            .whole = o->batch_size,
                            .seed = (uint64_t)o->seed,
                            .freq_masks = o->data.freq_masks,
                            .freq_width = o->data.freq_width,
                            .time_masks = o->data.time_masks,
                            .time_width = o->data.time_width,
                            .mel = s->mel,
                            .midi = o->data.midi,
                            .repeat = train_bound(o),
                            .mean = s->mean,
                            .deviation = s->deviation,
                            .labels = d->example->grouped ? NULL : d->labels,
                            .n_labels = d->n_labels,
                            .class_weight = s->class_weight,
                            .groups = s->groups,
                            .n_groups = o->model->n_groups,
                            .mixup = o->data.mixup,
                            .condition_dropout = o->condition_dropout,
                            .ahead = o->data.ahead};
}

// The same data as they are: in order, all of them, nothing varied, each row weighing the same.
static loader_options evaluation_choices(const shards *s, const train_options *o)
{
    loader_options v = s->train_options;
    v.crop = crop_of(o->data.eval_crop);
    v.hear = s->train->n_mels > 0;
    v.views = o->data.eval_views;
    v.eval_windows = o->data.eval_windows;
    v.shuffle = v.balanced = v.drop_last = false;
    v.freq_masks = v.time_masks = 0;
    v.mixup = v.condition_dropout = 0;
    v.mel = (augment_mel){0};
    v.midi = (augment_midi){0};
    v.class_weight = NULL;
    v.all_paths = true;
    return v;
}

static void loader_choices(shards *s, const train_options *o, arena *a)
{
    const dataset *d = s->train;
    if (d->n_mels) {
        s->mean = NEW(a, float, (size_t)d->n_mels);
        s->deviation = NEW(a, float, (size_t)d->n_mels);
        dataset_bands(d, s->mean, s->deviation);
    }
    if (o->data.balance == BALANCE_WEIGHTS)
        weigh_classes(s, a);
    const port *mel = model_mel(o->model);
    int64_t frames = mel ? model_frames(mel) : 0;
    s->window = shards_window(d->example, o->data.window ? o->data.window : frames, d->longest);
    s->train_options = training_choices(s, o);
    s->val_options = evaluation_choices(s, o);
}

void shards_split(shards *s, int64_t micro_batch)
{
    s->eval_batch = micro_batch;
    if (s->val_rows > 0 && s->eval_batch > s->val_rows)
        s->eval_batch = s->val_rows;
    s->train_options.batch = micro_batch;
    s->val_options.batch = s->eval_batch;
    s->bytes = loader_bytes(s->train, &s->train_options) +
               (s->val ? loader_bytes(s->val, &s->val_options) : 0);
}

static void describe(shards *s, const train_options *o, arena *a)
{
    const dataset *d = s->train;
    static const char *const none[] = {NULL};
    hear_rule h = {.labels = d->n_labels ? d->labels : none,
                   .n_labels = d->n_labels,
                   .mean = s->mean,
                   .deviation = s->deviation,
                   .n_bands = (size_t)d->n_mels,
                   .settings = d->settings,
                   .window = s->window,
                   .views = o->data.eval_views,
                   .crop = crop_of(o->data.eval_crop),
                   .eval_windows = o->data.eval_windows,
                   .untold = o->condition_dropout > 0};
    shards_describe_groups(s, o->model, a, &h);
    hear_write(&h, &s->meta);
    meta_set(&s->meta, "dataset", d->name);
    meta_set(&s->meta, "synthetic", d->synthetic ? "true" : "false");
    meta_set(&s->meta, "data_digest", d->digest);
    if (*d->licence)
        meta_set(&s->meta, "licence", d->licence);
    if (*d->citation)
        meta_set(&s->meta, "citation", d->citation);
}

// What data.augment.tilt and gain add to the bands.
static bool read_mel(shards *s, const train_options *o, arena *a, err *e)
{
    s->mel = (augment_mel){.tilt = o->data.tilt, .gain = o->data.gain};
    if (!s->train->n_mels || (o->data.tilt == 0 && o->data.gain == 0))
        return true;
    hear_feature f;
    return (hear_settings(s->train->settings, s->train->paths[0], "mel", a, &f, e) &&
            augment_mel_bands(f.settings, a, &s->mel, e)) ||
           err_trail(e, "data.augment");
}

// A batch is never larger than what there is.
static bool count_rows(shards *s, err *e)
{
    if (!loader_count(s->train, &s->train_options, &s->rows, e))
        return err_trail(e, "data.train");
    return !s->val || loader_count(s->val, &s->val_options, &s->val_rows, e) ||
           err_trail(e, "data.val");
}

shards *shards_open(const train_options *o, arena *a, err *e)
{
    shards *s = NEW(a, shards, 1);
    s->meta.arena = a;
    const example_def *x = example_of(o->model);
    s->train = dataset_open(dataset_patterns(a, o->data.train.list, o->data.train.n, "train"),
                            o->data.train.n, x, e);
    bool ok = (s->train || err_trail(e, "data.train")) && shards_fit_model(s->train, o->model, e) &&
              shards_fit_options(s->train, o, e) &&
              shards_map_groups(s->train, o->model, a, &s->groups, e) && read_mel(s, o, a, e);
    if (ok && o->data.val.n) {
        s->val = dataset_open(dataset_patterns(a, o->data.val.list, o->data.val.n, "val"),
                              o->data.val.n, x, e);
        ok = (s->val || err_trail(e, "data.val")) && shards_same_kind(s, e);
    }
    if (!ok) {
        shards_close(s);
        return NULL;
    }
    s->classes = o->model->probe ? (int)s->train->n_labels : 0;
    loader_choices(s, o, a);
    describe(s, o, a);
    shards_split(s, o->batch_size);
    if (count_rows(s, e)) {
        shards_split(s, o->batch_size);
        return s;
    }
    shards_close(s);
    return NULL;
}

bool shards_baseline(shards *s, const model_def *m, arena *a, err *e)
{
    int width;
    const float *b = baseline_measure(s->train, &s->train_options, m, s->classes, a, &width, e);
    if (!b)
        return err_trail(e, "data.train");
    meta_set_floats(&s->meta, "baseline", b, (size_t)width);
    return true;
}

bool shards_same(const shards *s, const checkpoint *k, err *e)
{
    const char *was = meta_get(&k->meta, "data_digest");
    if (was && !strcmp(was, s->train->digest))
        return true;
    return err_set(e, ERR_MISMATCH,
                   "'%s' was trained on other data (digest %.12s, now %.12s): a run goes on only "
                   "with the same shards; begin a new one "
                   "with init_from=%s",
                   k->path, was ? was : "none", s->train->digest,
                   str_quoted(s->meta.arena, k->path));
}

bool shards_hear_as(shards *s, const checkpoint *k, arena *a, err *e)
{
    hear_rule h;
    size_t bands = (size_t)s->train->n_mels;
    if (!hear_read(&k->meta, k->path, a, &h, e))
        return false;
    if (!bands || !h.mean)
        return true;
    if (h.n_bands != bands)
        return err_set(e, ERR_MISMATCH, "'%s' was trained on %zu mel bands, and the data have %zu",
                       k->path, h.n_bands, bands);
    memcpy(s->mean, h.mean, sizeof *s->mean * bands); // which the loaders' options point to
    memcpy(s->deviation, h.deviation, sizeof *s->deviation * bands);
    meta_set_floats(&s->meta, "mean", h.mean, bands);
    meta_set_floats(&s->meta, "deviation", h.deviation, bands);
    return true;
}

bool shards_start(shards *s, err *e)
{
    if (s->train && !(s->train_loader = loader_open(s->train, &s->train_options, e)))
        return err_trail(e, "data.train");
    if (s->val && !(s->val_loader = loader_open(s->val, &s->val_options, e)))
        return err_trail(e, "data.val");
    if (s->train_loader)
        s->train_source = source_of(s->train_loader);
    if (s->val_loader)
        s->val_source = source_of(s->val_loader);
    return true;
}

void shards_close(shards *s)
{
    if (!s)
        return;
    loader_close(s->train_loader);
    loader_close(s->val_loader);
    dataset_close(s->train);
    dataset_close(s->val);
}

// ---- Evaluation of a checkpoint

static bool said(const void *what, const char *key, err *e)
{
    return what || err_set(e, ERR_MISMATCH,
                           "the checkpoint has no '%s': it was not trained on data (imported "
                           "weights?)",
                           key);
}

// The checkpoint says what data of this kind cannot be read without.
static bool says_enough(const shards *s, const trained *t, bool knows, err *e)
{
    const hear_rule *h = &t->hear;
    if (!knows)
        return true;
    if (!said(h->labels, "labels", e) || (s->val->n_mels && !said(h->mean, "mean", e)))
        return false;
    if (s->val->n_mels && (int)h->n_bands != s->val->n_mels)
        return err_set(e, ERR_MISMATCH, "'%s' was trained on %zu mel bands", t->path, h->n_bands);
    return h->window || err_set(e, ERR_DAMAGED,
                                "'%s' does not say its 'window'; take another checkpoint of "
                                "the run",
                                t->path);
}

static bool read_choices(shards *s, const trained *t, int64_t rows, arena *a, err *e)
{
    const hear_rule *h = &t->hear;
    // of its data; imported weights of a model of songs need not
    bool knows = h->labels || t->classes || s->val->n_mels, mel = s->val->n_mels > 0;
    const char *whose = arena_printf(a, "the checkpoint '%s'", t->path);
    if (!says_enough(s, t, knows, e) || !shards_map_groups(s->val, t->model, a, &s->groups, e) ||
        !shards_same_groups(s->val, h, whose, e))
        return false;
    s->window = h->window ? h->window : shards_window(s->val->example, 0, s->val->longest);
    s->classes = t->classes;
    s->eval_batch = rows;
    s->val_options = (loader_options){.batch = s->eval_batch,
                                      .window = s->window,
                                      .crop = h->crop,
                                      .hear = mel,
                                      .views = h->views,
                                      .eval_windows = h->eval_windows,
                                      .mean = mel ? h->mean : NULL,
                                      .deviation = mel ? h->deviation : NULL,
                                      .labels = t->model->n_groups ? NULL : h->labels,
                                      .n_labels = h->n_labels,
                                      .groups = s->groups,
                                      .n_groups = t->model->n_groups,
                                      .all_paths = true};
    // a model without classes does not care what songs are called
    return dataset_expect(s->val, t->classes ? h->labels : NULL, h->n_labels, h->settings, whose,
                          e);
}

shards *shards_open_for(const trained *t, const char *const *patterns, size_t n, int64_t rows,
                        arena *a, err *e)
{
    shards *s = NEW(a, shards, 1);
    s->val = dataset_open(dataset_patterns(a, patterns, n, "test|val"), n, example_of(t->model), e);
    if (s->val && read_choices(s, t, rows, a, e) && shards_fit_model(s->val, t->model, e) &&
        shards_start(s, e))
        return s;
    shards_close(s);
    return NULL;
}
