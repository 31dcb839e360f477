// SPDX-License-Identifier: GPL-3.0-or-later
// shards.c: data sets and loaders of a run, and what is written about them into checkpoints.
#include "train/shards.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "data/features/feature.h"
#include "data/hear/hear.h"
#include "train/baseline.h"

// Lists in model_meta

static void set_json(model_meta *m, const char *key, json *list)
{
    strbuf out = {0};
    json_dump(list, 0, &out);
    meta_set(m, key, out.s);
    strbuf_free(&out);
    json_free(list);
}

static void set_floats(model_meta *m, const char *key, const float *v, int n)
{
    json *list = json_array();
    for (int i = 0; i < n; i++)
        json_push_num(list, (double)v[i]);
    set_json(m, key, list);
}

static json *get_list(const model_meta *m, const char *key, err *e)
{
    const char *text = meta_get(m, key);
    json *list = text ? json_parse(text, strlen(text), e) : NULL;
    if (!text || (list && json_type(list) != JSON_ARRAY)) {
        (void)err_set(e, ERR_MISMATCH,
                      "the checkpoint has no '%s': it was not trained on data (imported weights?)",
                      key);
        json_free(list);
        return NULL;
    }
    return list;
}

bool meta_texts(const model_meta *m, const char *key, arena *a, const char ***list, size_t *n,
                err *e)
{
    json *j = get_list(m, key, e);
    if (!j)
        return false;
    *n = json_len(j);
    *list = NEW(a, const char *, *n + 1);
    for (size_t i = 0; i < *n; i++)
        (*list)[i] = arena_strdup(a, json_str(json_at(j, i), ""));
    json_free(j);
    return true;
}

bool meta_floats(const model_meta *m, const char *key, arena *a, float **list, size_t *n, err *e)
{
    json *j = get_list(m, key, e);
    if (!j)
        return false;
    *n = json_len(j);
    *list = NEW(a, float, *n + 1);
    for (size_t i = 0; i < *n; i++)
        (*list)[i] = (float)json_num(json_at(j, i), 0);
    json_free(j);
    return true;
}

// Sources

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

// Training data

static const example_def *example_of(const model_def *m)
{
    const example_def *d = example_find(m->example);
    CHECK(d);
    return d;
}

static const port *mel_port(const model_def *m)
{
    for (int i = 0; i < m->n_inputs; i++)
        if (!strcmp(m->inputs[i].name, "mel"))
            return &m->inputs[i];
    return NULL;
}

static bool fits_model(const dataset *d, const model_def *m, err *e)
{
    const port *p = mel_port(m);
    int64_t bands = p ? p->dim[p->rank - 1] : d->n_mels;
    if (d->n_mels != bands)
        return err_set(e, ERR_MISMATCH,
                       "'%s' has %d mel bands where %s takes %lld; prepare it with mel.n_mels=%lld",
                       d->paths[0], d->n_mels, m->name, (long long)bands, (long long)bands);
    if (d->example->labelled && d->n_labels < 2)
        return err_set(e, ERR_MISMATCH,
                       "'%s' has %zu label names; telling classes apart takes two or more",
                       d->paths[0], d->n_labels);
    return true;
}

// What is asked of labels and views can be done where there are some.
static bool fits_example(const dataset *d, const train_options *o, err *e)
{
    const char *why = o->data.balance != BALANCE_NONE ? "data.balance"
                      : o->data.eval_views > 1        ? "data.eval_views"
                                                      : NULL;
    if (d->example->labelled || !why)
        return true;
    return err_set(e, ERR_CONFIG, "'%s' is for labelled items; %s learns from %s, leave it out",
                   why, o->model->name, d->example->name);
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
    s->window = shards_window(d->example, o->data.window, d->longest);
    s->train_options = (loader_options){.window = s->window,
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
                                        .mean = s->mean,
                                        .deviation = s->deviation,
                                        .labels = d->labels,
                                        .n_labels = d->n_labels,
                                        .class_weight = s->class_weight,
                                        .ahead = o->data.ahead};
    s->val_options = s->train_options;
    s->val_options.crop = crop_of(o->data.eval_crop);
    s->val_options.hear = d->n_mels > 0;
    s->val_options.views = o->data.eval_views;
    s->val_options.eval_windows = o->data.eval_windows;
    s->val_options.shuffle = s->val_options.balanced = s->val_options.drop_last = false;
    s->val_options.freq_masks = s->val_options.time_masks = 0;
    s->val_options.mel = (augment_mel){0};
    s->val_options.midi = (augment_midi){0};
    s->val_options.class_weight = NULL;
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
    json *labels = json_array();
    for (size_t i = 0; i < d->n_labels; i++)
        json_push_str(labels, d->labels[i]);
    set_json(&s->meta, "labels", labels);
    if (d->n_mels) {
        set_floats(&s->meta, "mean", s->mean, d->n_mels);
        set_floats(&s->meta, "deviation", s->deviation, d->n_mels);
    }
    meta_set(&s->meta, "settings", d->settings);
    hear_write(&(hear_rule){.window = s->window,
                            .views = o->data.eval_views,
                            .crop = crop_of(o->data.eval_crop)},
               &s->meta);
    meta_set(&s->meta, "eval_windows", arena_printf(a, "%lld", (long long)o->data.eval_windows));
    meta_set(&s->meta, "dataset", d->name);
    meta_set(&s->meta, "synthetic", d->synthetic ? "true" : "false");
    meta_set(&s->meta, "data_digest", d->digest);
}

// What data.augment.tilt and gain add to the bands.
static bool read_mel(shards *s, const train_options *o, arena *a, err *e)
{
    s->mel = (augment_mel){.tilt = o->data.tilt, .gain = o->data.gain};
    if (!s->train->n_mels || (o->data.tilt == 0 && o->data.gain == 0))
        return true;
    const feature_def *def = feature_find("mel", e);
    json *all = json_parse(s->train->settings, strlen(s->train->settings), e);
    void *settings = def && all ? feature_settings(def, a) : NULL;
    bool ok = settings && feature_from_json(def, settings, json_get(all, "mel"), e) &&
              augment_mel_bands(settings, a, &s->mel, e);
    json_free(all);
    return ok || err_trail(e, "data.augment");
}

// A drum a semitone higher is another drum, and tokens do not say which notes are drums.
static bool fits_transposition(const dataset *d, const train_options *o, err *e)
{
    if (!o->data.midi.transpose[0] && !o->data.midi.transpose[1])
        return true;
    json *settings = json_parse(d->settings, strlen(d->settings), NULL);
    bool drums = json_bool(json_get(json_get(settings, "tokens"), "drums"), false) &&
                 !strcmp(o->model->example, "tokens");
    json_free(settings);
    return !drums || err_set(e, ERR_CONFIG,
                             "'%s' has drums among its tokens (tokens.drums: true), which cannot "
                             "be transposed; take "
                             "data.augment.transpose out, or prepare them without",
                             d->paths[0]);
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
    s->train = dataset_open(dataset_patterns(a, o->data.train, o->data.n_train, "train"),
                            o->data.n_train, x, e);
    bool ok = (s->train || err_trail(e, "data.train")) && fits_model(s->train, o->model, e) &&
              fits_example(s->train, o, e) && fits_transposition(s->train, o, e) &&
              read_mel(s, o, a, e);
    if (ok && o->data.n_val) {
        s->val = dataset_open(dataset_patterns(a, o->data.val, o->data.n_val, "val"), o->data.n_val,
                              x, e);
        ok = (s->val || err_trail(e, "data.val")) &&
             dataset_expect(s->val, s->train->labels, s->train->n_labels, s->train->settings,
                            "the training data", e);
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
    set_floats(&s->meta, "baseline", b, width);
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
    static const char *const keys[] = {"mean", "deviation"};
    float *own[] = {s->mean, s->deviation}, *theirs;
    size_t n, bands = (size_t)s->train->n_mels;
    for (int i = 0; i < 2 && bands && meta_get(&k->meta, keys[i]); i++) {
        if (!meta_floats(&k->meta, keys[i], a, &theirs, &n, e))
            return false;
        if (n != bands)
            return err_set(e, ERR_MISMATCH,
                           "'%s' was trained on %zu mel bands, and the data have %zu", k->path, n,
                           bands);
        memcpy(own[i], theirs, sizeof *theirs * n); // which the loaders' options point to
        set_floats(&s->meta, keys[i], theirs, (int)n);
    }
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

// Evaluation of a checkpoint

// A whole number of the checkpoint; `missing` where there is none, -1 where it is out of range.
static int64_t meta_int(const checkpoint *k, const char *key, int64_t missing, int64_t least,
                        int64_t most)
{
    const char *text = meta_get(&k->meta, key);
    long long n = text ? strtoll(text, NULL, 10) : missing;
    return n < least || n > most ? -1 : n;
}

// Standardisation, of mel.
static bool read_bands(shards *s, const checkpoint *k, arena *a, err *e)
{
    size_t n_mean, n_deviation;
    if (!s->val->n_mels)
        return true;
    if (!meta_floats(&k->meta, "mean", a, &s->mean, &n_mean, e) ||
        !meta_floats(&k->meta, "deviation", a, &s->deviation, &n_deviation, e))
        return false;
    return (n_mean == n_deviation && (int)n_mean == s->val->n_mels) ||
           err_set(e, ERR_MISMATCH, "'%s' was trained on %zu mel bands", k->path, n_mean);
}

static bool read_choices(shards *s, const checkpoint *k, int64_t rows, arena *a, err *e)
{
    const char **labels = NULL;
    hear_rule h;
    size_t n_labels = 0;
    // of its data; imported weights of a model of songs need not
    bool knows = meta_get(&k->meta, "labels") || k->classes || s->val->n_mels;
    if (knows &&
        (!meta_texts(&k->meta, "labels", a, &labels, &n_labels, e) || !read_bands(s, k, a, e)))
        return false;
    if (!hear_read(&k->meta, k->path, &h, e))
        return false;
    int64_t windows = meta_int(k, "eval_windows", 0, 0, INT32_MAX);
    s->window = meta_get(&k->meta, "window") || knows
                    ? h.window
                    : shards_window(s->val->example, 0, s->val->longest);
    if (s->window < 1 || windows < 0 || (k->classes && (int)n_labels != k->classes))
        return err_set(e, ERR_DAMAGED, "'%s': what it says about its data makes no sense", k->path);
    s->classes = k->classes;
    s->eval_batch = rows;
    s->val_options = (loader_options){.batch = s->eval_batch,
                                      .window = s->window,
                                      .crop = h.crop,
                                      .hear = s->val->n_mels > 0,
                                      .views = h.views,
                                      .eval_windows = windows,
                                      .mean = s->mean,
                                      .deviation = s->deviation,
                                      .labels = labels,
                                      .n_labels = n_labels};
    // a model without classes does not care what songs are called
    return dataset_expect(s->val, k->classes ? labels : NULL, n_labels,
                          meta_get(&k->meta, "settings"),
                          arena_printf(a, "the checkpoint '%s'", k->path), e);
}

shards *shards_open_for(const checkpoint *k, const char *const *patterns, size_t n, int64_t rows,
                        arena *a, err *e)
{
    shards *s = NEW(a, shards, 1);
    s->val = dataset_open(dataset_patterns(a, patterns, n, "test|val"), n, example_of(k->model), e);
    if (s->val && read_choices(s, k, rows, a, e) && fits_model(s->val, k->model, e) &&
        shards_start(s, e))
        return s;
    shards_close(s);
    return NULL;
}
