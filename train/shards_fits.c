// SPDX-License-Identifier: GPL-3.0-or-later
// shards_fits.c: whether data, model and what is asked of both go together; each refusal names the
// file or the key, and what to do (shards.h).
#include <string.h>

#include "base/json.h"
#include "train/shards_internal.h"

bool shards_fit_model(const dataset *d, const model_def *m, err *e)
{
    const port *p = model_mel(m);
    int64_t bands = p ? model_bands(p) : d->n_mels;
    if (d->n_mels != bands)
        return err_set(e, ERR_MISMATCH,
                       "'%s' has %d mel bands where %s takes %lld; prepare it with mel.n_mels=%lld",
                       d->paths[0], d->n_mels, m->name, (long long)bands, (long long)bands);
    if (d->example->labelled && !d->example->grouped && d->n_labels < 2)
        return err_set(e, ERR_MISMATCH,
                       "'%s' has %zu label names; telling classes apart takes two or more",
                       d->paths[0], d->n_labels);
    return true;
}

// What is asked of labels and views can be done where there are some.
static bool fits_example(const dataset *d, const train_options *o, err *e)
{
    if (d->example->grouped && o->data.balance == BALANCE_WEIGHTS)
        return err_set(e, ERR_CONFIG,
                       "data.balance=class_weights weighs one label, and %s learns several of an "
                       "item; balance by sampling, or leave it out",
                       o->model->name);
    if (!dataset_of_mel(d) && o->data.mixup > 0)
        return err_set(e, ERR_CONFIG,
                       "data.augment.mixup is for audio; %s learns from %s, leave it out",
                       o->model->name, d->example->name);
    if (!d->example->told && o->condition_dropout > 0)
        return err_set(e, ERR_CONFIG,
                       "train.condition_dropout is for models that hear an emotion; %s does not, "
                       "leave it out",
                       o->model->name);
    const char *why = o->data.balance != BALANCE_NONE ? "data.balance"
                      : o->data.eval_views > 1        ? "data.eval_views"
                                                      : NULL;
    if (d->example->labelled || !why)
        return true;
    return err_set(e, ERR_CONFIG, "'%s' is for labelled items; %s learns from %s, leave it out",
                   why, o->model->name, d->example->name);
}

// A drum a semitone higher is another drum, and tokens do not say which notes are drums.
static bool fits_transposition(const dataset *d, const train_options *o, err *e)
{
    if (!o->data.midi.transpose[0] && !o->data.midi.transpose[1])
        return true;
    json *settings = json_parse(d->settings, strlen(d->settings), NULL);
    bool drums = json_bool(json_get(json_get(settings, "tokens"), "drums"), false) &&
                 o->model->makes == MAKES_EVENTS;
    json_free(settings);
    return !drums || err_set(e, ERR_CONFIG,
                             "'%s' has drums among its tokens (tokens.drums: true), which cannot "
                             "be transposed; take "
                             "data.augment.transpose out, or prepare them without",
                             d->paths[0]);
}

// A model that takes so many frames takes no others.
static bool fits_window(const train_options *o, err *e)
{
    const port *mel = model_mel(o->model);
    int64_t frames = mel ? model_frames(mel) : 0;
    return !frames || !o->data.window || o->data.window == frames ||
           err_set(e, ERR_CONFIG, "data.window is %lld, and %s takes %lld frames; leave it out",
                   (long long)o->data.window, o->model->name, (long long)frames);
}

// What is evaluated on is asked the same and made alike.
bool shards_same_kind(const shards *s, err *e)
{
    const dataset *d = s->train, *v = s->val;
    static const char whose[] = "the training data";
    if (!d->example->grouped)
        return dataset_expect(v, d->labels, d->n_labels, d->settings, whose, e);
    if (d->n_groups != v->n_groups)
        return err_set(e, ERR_MISMATCH,
                       "'%s' has %d groups of classes, %s %d; prepare both with the same targets",
                       v->paths[0], v->n_groups, whose, d->n_groups);
    for (int k = 0; k < d->n_groups; k++)
        if (!dataset_same_group(v, &v->groups[k], &d->groups[k], whose, e))
            return false;
    return dataset_expect(v, NULL, 0, d->settings, whose, e);
}

bool shards_fit_options(const dataset *d, const train_options *o, err *e)
{
    return fits_example(d, o, e) && fits_transposition(d, o, e) && fits_window(o, e);
}
