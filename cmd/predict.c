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

// Files that follow each other, heard on a thread of their own.
typedef struct turn {
    listener *l;
    listen_file files[LISTEN_MOST]; // what they say is the listener's, until its next turn
    int n;
} turn;

static void hear_part(void *arg, int index, int count)
{
    turn *t = &((turn *)arg)[index];
    (void)count;
    listener_hear_files(t->l, t->files, t->n, LISTEN_FRAMES);
}

// As many turns at once as there are threads, each by a listener of its own; one by itself has all
// threads. So memory is of that many files, however many there are.
typedef struct queue {
    const trained *d;
    turn *turns; // [count]
    int count;
    env alone; // of a listener that shares no threads
} queue;

static bool queue_open(queue *q, cmd *c, const trained *d, err *e)
{
    int files = c->n_args - 1, most = threads_count(c->env.pool);
    q->d = d;
    q->count = files < most ? files : most;
    q->turns = NEW(c->arena, turn, (size_t)q->count);
    q->alone = c->env;
    if (q->count > 1)
        q->alone.pool = NULL;
    for (int i = 0; i < q->count; i++)
        if (!(q->turns[i].l = listener_open(d, &q->alone, c->arena, e)))
            return false;
    return true;
}

static void queue_close(queue *q)
{
    for (int i = 0; i < q->count; i++)
        listener_close(q->turns[i].l);
}

// Shares the next n files out among the first turns of the queue, in order. How many turns.
static int share(queue *q, const char *const *files, int n)
{
    int turns = n < q->count ? n : q->count, at = 0;
    for (int i = 0; i < turns; i++) {
        turn *t = &q->turns[i];
        for (t->n = 0; at < n * (i + 1) / turns; at++)
            t->files[t->n++].path = files[at];
    }
    return turns;
}

static void tell(cmd *c, const trained *d, listen_file *f, remarks *n)
{
    count(n, &f->info, d, &f->heard);
    strbuf said = {0};
    heard_text(d, &f->heard, &said);
    cmd_print(c, "%s: %s", f->path, said.s);
    cmd_json(c, heard_json(d, f->path, &f->heard, c->arena));
    strbuf_free(&said);
}

// How a command went so far.
typedef struct course {
    remarks remarks;
    int done, failed; // files
    err first;        // of those that failed
} course;

// What came of a file; false where it was not begun, because the command is to stop.
static bool end_file(cmd *c, const trained *d, listen_file *f, course *r)
{
    if (!f->ok && f->e.code == ERR_STOPPED)
        return false;
    if (f->ok)
        tell(c, d, f, &r->remarks);
    else if (c->n_args > 2)
        cmd_complain(c, "%s", f->e.text);
    if (!f->ok && !r->failed++)
        r->first = f->e;
    r->done++;
    return true;
}

// The next n files, told in their order; false where the command is to stop.
static bool hear_next(cmd *c, queue *q, const char *const *files, int n, course *r)
{
    int turns = share(q, files, n);
    threads_run(q->count > 1 ? c->env.pool : NULL, turns, hear_part, q->turns);
    for (int i = 0; i < turns; i++)
        for (int k = 0; k < q->turns[i].n; k++)
            if (!end_file(c, q->d, &q->turns[i].files[k], r))
                return false;
    return true;
}

static bool predict_all(cmd *c, const trained *d, err *e)
{
    queue q;
    course r = {0};
    int files = c->n_args - 1;
    if (!queue_open(&q, c, d, e)) {
        queue_close(&q);
        return false;
    }
    progress *line = files > 1 ? progress_open(c, "predict", (uint64_t)files) : NULL;
    for (bool on = true; on && r.done < files;) {
        int left = files - r.done, most = q.count * LISTEN_MOST;
        on = hear_next(c, &q, c->args + 1 + r.done, left < most ? left : most, &r);
        if (line)
            progress_at(line, (uint64_t)r.done, "%d failed", r.failed);
    }
    progress_close(line);
    queue_close(&q);
    say_remarks(c, d, &r.remarks, r.done);
    if (r.done < files)
        return err_set(e, ERR_STOPPED, "stopped before '%s'", c->args[1 + r.done]);
    if (r.failed && files == 1) {
        *e = r.first;
        return false;
    }
    return !r.failed ||
           err_set(e, r.first.code, "%d of %d files could not be judged", r.failed, files);
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
