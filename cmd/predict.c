// SPDX-License-Identifier: GPL-3.0-or-later
// predict.c: what a trained model hears in audio files. A file that cannot be read costs one
// sentence; the others are still judged.
#include "cmd/adapters.h"
#include "cmd/predict_cloud.h"
#include "data/audio/clip.h"
#include "infer/heard.h"

#include "cmd/cmd.h"
#include "cmd/progress.h"
#include "train/products.h"

static const option options[] = {
    ADAPTER_OPTION,
    CLOUD_OPTIONS,
    {0},
};

// Files by what is to be known of them (heard_marks).
typedef struct remarks {
    int marks[CLIP_MARKS];
} remarks;

static void count(remarks *n, const clip *sound, const trained *d, const heard *h)
{
    unsigned marks = heard_marks(d, sound, h);
    for (int k = 0; k < CLIP_MARKS; k++)
        n->marks[k] += (int)(marks >> k & 1);
}

// A line a kind, not one a file.
static void say_remarks(const cmd *c, const trained *d, const remarks *n, int files)
{
    for (int k = 0; k < CLIP_MARKS; k++)
        if (n->marks[k])
            log_say(c->env.log, LOG_WARN, "%d of %d files: %s", n->marks[k], files,
                    heard_mark_text(d, (clip_mark)k, c->arena));
}

// A file of a group, heard on a thread of its own.
typedef struct turn {
    const trained *d;
    const char *file;
    listener *l;
    clip sound;
    heard h; // the listener's, until its next file
    bool ok;
    err e;
} turn;

static void hear_one(turn *t)
{
    t->e = (err){0}, t->sound = (clip){0};
    t->ok = listener_hear_file(t->l, t->file, LISTEN_FRAMES, &t->sound, &t->h, &t->e);
}

static void hear_part(void *arg, int index, int count)
{
    (void)count;
    hear_one(&((turn *)arg)[index]);
}

// As many files at once as there are threads, each by a listener of its own; one by itself has all
// threads. So memory is of that many files, however many there are.
typedef struct queue {
    turn *turns; // [count]
    int count;
    env alone; // of a listener that shares no threads
} queue;

static bool queue_open(queue *q, cmd *c, const trained *d, err *e)
{
    int files = c->n_args - 1, most = threads_count(c->env.pool);
    q->count = files < most ? files : most;
    q->turns = NEW(c->arena, turn, (size_t)q->count);
    q->alone = c->env;
    if (q->count > 1)
        q->alone.pool = NULL;
    for (int i = 0; i < q->count; i++) {
        q->turns[i].d = d;
        if (!(q->turns[i].l = listener_open(d, &q->alone, c->arena, e)))
            return false;
    }
    return true;
}

static void queue_close(queue *q)
{
    for (int i = 0; i < q->count; i++)
        listener_close(q->turns[i].l);
}

static void tell(cmd *c, turn *t, remarks *n)
{
    count(n, &t->sound, t->d, &t->h);
    strbuf said = {0};
    heard_text(t->d, &t->h, &said);
    cmd_print(c, "%s: %s", t->file, said.s);
    cmd_json(c, heard_json(t->d, t->file, &t->h, c->arena));
    strbuf_free(&said);
}

// The next n files, told in their order; how many failed, the first error in *first.
static int hear_next(cmd *c, queue *q, const char *const *files, int n, remarks *r, err *first)
{
    int failed = 0;
    for (int i = 0; i < n; i++)
        q->turns[i].file = files[i];
    threads_run(q->count > 1 ? c->env.pool : NULL, n, hear_part, q->turns);
    for (int i = 0; i < n; i++) {
        turn *t = &q->turns[i];
        if (t->ok)
            tell(c, t, r);
        else if (c->n_args > 2)
            cmd_complain(c, "%s", t->e.text);
        if (!t->ok && !failed++ && first->code == ERR_NONE)
            *first = t->e;
    }
    return failed;
}

static bool predict_all(cmd *c, const trained *d, err *e)
{
    queue q;
    err first = {0};
    remarks n = {0};
    int failed = 0, i = 1;
    if (!queue_open(&q, c, d, e)) {
        queue_close(&q);
        return false;
    }
    progress *line = c->n_args > 2 ? progress_open(c, "predict", (uint64_t)(c->n_args - 1)) : NULL;
    while (i < c->n_args && !env_stop(&c->env)) {
        int some = c->n_args - i < q.count ? c->n_args - i : q.count;
        failed += hear_next(c, &q, c->args + i, some, &n, &first);
        i += some;
        if (line)
            progress_at(line, (uint64_t)(i - 1), "%d failed", failed);
    }
    progress_close(line);
    queue_close(&q);
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
