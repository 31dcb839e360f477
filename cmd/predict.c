// SPDX-License-Identifier: GPL-3.0-or-later
// predict.c: what a trained model hears in audio files. A file that cannot be read costs one
// sentence; the others are still judged.
#include "cmd/adapters.h"
#include "cmd/predict_cloud.h"
#include "data/audio/clip.h"
#include "infer/listen.h"

#include "cmd/cmd.h"
#include "cmd/predict_groups.h"
#include "train/products.h"

static const option options[] = {
    ADAPTER_OPTION,
    CLOUD_OPTIONS,
    {0},
};

static const char *best_label(const trained *d, const heard *h, double *p)
{
    int best = 0;
    for (int i = 1; h->probabilities && i < d->classes; i++)
        if (h->probabilities[i] > h->probabilities[best])
            best = i;
    *p = h->probabilities ? (double)h->probabilities[best] : 0;
    return h->probabilities && d->labels ? d->labels[best] : NULL;
}

static json *describe(const trained *d, const char *file, const heard *h, const char *label)
{
    json *j = json_object(), *p = NULL;
    if (h->probabilities && d->labels) {
        p = json_object();
        for (int i = 0; i < d->classes; i++)
            json_set_num(p, d->labels[i], (double)h->probabilities[i]);
    }
    json_set_str(j, "file", file);
    if (label)
        json_set_str(j, "label", label);
    else
        json_set(j, "label", NULL);
    json_set(j, "probabilities", p);
    json_set_num(j, "valence", (double)h->embedding[0]);
    json_set_num(j, "arousal", (double)h->embedding[1]);
    json_set_int(j, "windows", h->windows);
    return j;
}

static void say(cmd *c, const trained *d, const char *file, const heard *h)
{
    double p;
    const char *label = best_label(d, h, &p);
    if (label)
        cmd_print(c, "%s: %s (%.0f%%), valence %+.2f, arousal %+.2f", file, label, 100 * p,
                  (double)h->embedding[0], (double)h->embedding[1]);
    else
        cmd_print(c, "%s: valence %+.2f, arousal %+.2f", file, (double)h->embedding[0],
                  (double)h->embedding[1]);
    cmd_json(c, describe(d, file, h, label));
}

// Files by what is to be known of them: clip.h's marks, and shorter than a window.
typedef struct remarks {
    int marks[CLIP_MARKS], brief;
} remarks;

static void count(remarks *n, const clip *sound, const trained *d, const heard *h)
{
    for (int k = 0; k < CLIP_MARKS; k++)
        n->marks[k] += (int)(sound->marks >> k & 1);
    n->brief += h->frames < d->hear.window;
}

// A line a kind, not one a file.
static void say_remarks(const cmd *c, const trained *d, const remarks *n, int files)
{
    double window = (double)d->hear.window * d->mel->hop_length / d->mel->sample_rate;
    for (int k = 0; k < CLIP_MARKS; k++)
        if (n->marks[k] && k != CLIP_BRIEF)
            log_say(c->env.log, LOG_WARN, "%d of %d files: %s", n->marks[k], files,
                    clip_mark_text((clip_mark)k));
    if (n->brief)
        log_say(c->env.log, LOG_WARN,
                "%d of %d files: shorter than the window of %.2f s that the model learnt from",
                n->brief, files, window);
}

static bool predict_file(cmd *c, const trained *d, listener *l, const char *file, remarks *n,
                         err *e)
{
    clip sound = {0};
    heard h;
    bool ok = clip_read(file, d->mel->sample_rate, 0, 0, &sound, e) &&
              (listener_hear(l, sound.samples, sound.frames, &h, e) || err_trail(e, "'%s'", file));
    if (ok) {
        count(n, &sound, d, &h);
        if (d->model->n_groups)
            predict_groups_say(c, d, file, &h);
        else
            say(c, d, file, &h);
    }
    clip_free(&sound);
    return ok;
}

static bool predict_all(cmd *c, const trained *d, err *e)
{
    listener *l = listener_open(d, &c->env, c->arena, e);
    if (!l)
        return false;
    err first = {0};
    remarks n = {0};
    int failed = 0, i = 1;
    for (; i < c->n_args && !env_stop(&c->env); i++) {
        err one = {0};
        if (predict_file(c, d, l, c->args[i], &n, &one))
            continue;
        if (!failed++)
            first = one;
        if (c->n_args > 2)
            cmd_complain(c, "%s", one.text);
    }
    listener_close(l);
    say_remarks(c, d, &n, i - 1);
    if (i < c->n_args)
        return err_set(e, ERR_STOPPED, "stopped before '%s'", c->args[i]);
    if (failed && c->n_args == 2) {
        *e = first;
        return false;
    }
    return !failed ||
           err_set(e, first.code, "%d of %d files could not be judged", failed, c->n_args - 1);
}

static bool predict_run(cmd *c, err *e)
{
    trained *d = cmd_threads(c, 0, e) && products_open(&c->env, c->arena, e)
                     ? trained_open(c->args[0], c->arena, e)
                     : NULL;
    bool ok = d && predict_clouds_fit(c, d, e) && adapters_apply(c, d, e) && trained_mel(d, e);
    if (ok)
        ok = d->model->task == TASK_CLOUDS ? predict_clouds(c, d, e) : predict_all(c, d, e);
    trained_close(d);
    return ok;
}

const command cmd_predict = {
    .name = "predict",
    .summary = "Says which emotion or instrument is in audio files, or draws their clouds",
    .usage = "CHECKPOINT [--adapter DIR[:WEIGHT] ...] FILE... [-o DIR] [-e NAME|V,A] [--midi FILE]",
    .options = options,
    .args_min = 2,
    .args_max = -1,
    .polls_stop = true,
    .details = "CHECKPOINT is a file, or a run folder (its best checkpoint). Files may be "
               "wav, flac, mp3, ogg, opus or aiff, of any rate and length. A model that draws "
               "clouds also takes MIDI, which it has played, and writes three files for each: "
               "NAME.json and NAME.ply with places, colours and properties of 1200 points, "
               "and a picture, NAME.svg (docs/spectocloud.md).",
    .example =
        "kmidi predict runs/emotion/checkpoints/best.h5 song.wav other.flac --json\nkmidi predict "
        "runs/spectocloud song.mid -o clouds --emotion joy",
    .run = predict_run,
};
