// SPDX-License-Identifier: GPL-3.0-or-later
// trainer_save.c: the checkpoints that a run leaves on disk, their rotation, and going on from
// them.
//
// Checkpoints: `last` is written whole under a temporary name and renamed. Before that the old
// `last` gets a second name, `previous`; after it the new one may get `best` and `epoch-0010`: hard
// links, so one save costs one file however many names it has. At any instant `last` is there and
// whole. All of it can be repeated: a resumed run repairs what a kill left between two of these
// names.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hw.h"
#include "base/json.h"
#include "base/str.h"
#include "train/hparams.h"
#include "train/trainer_internal.h"

// ---- Names

static const char *named(const trainer *t, const char *name, arena *a)
{
    return arena_printf(a, "%s/checkpoints/%s.h5", t->folder->path, name);
}

// Where links are not possible (some network and removable file systems) the bytes are copied.
static bool copy_file(const char *from, const char *to, arena *a, err *e)
{
    size_t n;
    arena_mark m = arena_save(a);
    char *bytes = file_read(a, from, (size_t)1 << 40, &n, e);
    bool ok = bytes && file_write(to, bytes, n, e);
    arena_rewind(a, m);
    return ok;
}

// `to` becomes another name of `from`, in one instant.
static bool also_named(const char *from, const char *to, arena *a, err *e)
{
    struct stat one, other;
    if (stat(from, &one) == 0 && stat(to, &other) == 0 && one.st_dev == other.st_dev &&
        one.st_ino == other.st_ino)
        return true; // already; rename would do nothing then, and leave `temp`
    const char *temp = file_temp(a, to);
    unlink(temp);
    bool linked = link(from, temp) == 0;
    bool ok = linked ? rename(temp, to) == 0 || err_errno(e, "'%s' cannot be put in place", to)
                     : copy_file(from, to, a, e);
    file_discard(temp);
    return ok;
}

// Rotation: the keep_top_k best of the epoch files by the monitored value, which each holds as its
// own state (the newest without evaluation).

typedef struct kept {
    const char *path;
    double rank; // higher is kept
} kept;

static int by_rank(const void *x, const void *y)
{
    double a = ((const kept *)x)->rank, b = ((const kept *)y)->rank;
    return a < b ? 1 : a > b ? -1 : 0;
}

static double rank_of(const trainer *t, const char *path, arena *a)
{
    checkpoint *k = checkpoint_open(path, a, NULL);
    double rank = -INFINITY;
    if (k && k->has_state) {
        double value = k->state.value;
        rank = !t->s.val.batches || isnan(value)         ? (double)k->state.step
               : metrics_higher_is_better(t->o->monitor) ? value
                                                         : -value;
    }
    checkpoint_close(k);
    return rank;
}

static void rotate(const trainer *t, arena *a)
{
    size_t n = 0;
    char **list = file_list(a, path_join(a, t->folder->path, "checkpoints"), "epoch-*.h5", &n);
    if (n <= (size_t)t->o->keep_top_k)
        return;
    kept *all = NEW(a, kept, n);
    for (size_t i = 0; i < n; i++)
        // newest first: of equals the newer stays
        all[i] = (kept){list[n - 1 - i], rank_of(t, list[n - 1 - i], a)};
    qsort(all, n, sizeof *all, by_rank);
    for (size_t i = (size_t)t->o->keep_top_k; i < n; i++)
        unlink(all[i].path);
}

static bool name_copies(const trainer *t, bool best, bool epoch_end, arena *a, err *e)
{
    const char *last = named(t, "last", a);
    char name[32];
    snprintf(name, sizeof name, "epoch-%04lld", (long long)t->state.epoch);
    if (best && !also_named(last, named(t, "best", a), a, e))
        return false;
    if (epoch_end && t->o->keep_top_k && !also_named(last, named(t, name, a), a, e))
        return false;
    rotate(t, a);
    return true;
}

// A disk that failed once is asked once more (a network that came back, room that another job gave
// up), since days of work hang on it.
static bool write_last(trainer *t, const char *last, err *e)
{
    checkpoint_content c = {t->o->model, t->s.config, &t->meta, t->p, &t->state, t->ema};
    err first = {0};
    if (checkpoint_save(last, &c, &first))
        return true;
    log_say(&t->folder->sink, LOG_WARN, "%s; it is tried once more", first.text);
    return checkpoint_save(last, &c, e);
}

static bool save(trainer *t, bool new_best, bool epoch_end, arena *a, err *e)
{
    const char *last = named(t, "last", a);
    if (!folder_sync(t->folder, e) || (t->events && !events_flush(t->events, e)))
        return false;
    t->state.metrics_bytes = t->folder->metrics_bytes;
    // a damaged `last`, which the run could not go on from, must not take the place of the one that
    // it went on from
    if (t->last_whole && file_exists(last) && !also_named(last, named(t, "previous", a), a, e))
        return false;
    if (!write_last(t, last, e))
        return false;
    t->saved = t->state.step, t->saved_eval = t->state.evaluated;
    t->last_whole = true;
    return name_copies(t, new_best, epoch_end, a, e);
}

bool trainer_save(trainer *t, bool new_best, bool epoch_end, err *e)
{
    arena a = {.name = "save"};
    double began = hw_seconds();
    bool ok = save(t, new_best, epoch_end, &a, e);
    arena_free(&a);
    t->longest_save = fmax(t->longest_save, hw_seconds() - began);
    if (!ok)
        return err_trail(e, "step %lld could not be saved%s%s%s", (long long)t->state.step,
                         t->saved >= 0 ? " ('" : "", t->saved >= 0 ? t->folder->path : "",
                         t->saved >= 0 ? "' still has the one before)" : "");
    return true;
}

// ---- Going on

// Checkpoints stand between windows, so their place is a whole number of batches in every split.
static void resplit(trainer *t)
{
    checkpoint_state *st = &t->state;
    int64_t was = st->micro_batch > 0 ? st->micro_batch : t->o->batch_size;
    st->batch = st->batch * was / t->choice.micro_batch;
    st->micro_batch = t->choice.micro_batch;
}

bool trainer_resume(trainer *t, err *e)
{
    arena a = {.name = "resume"};
    checkpoint *k = checkpoint_open(t->s.resume, &a, e);
    bool ok = k && checkpoint_resume(k, t->p, t->ema, e);
    if (ok && (strcmp(k->model->name, t->o->model->name) ||
               strcmp(model_sizes(k->model, &a), model_sizes(t->o->model, &a))))
        ok = err_set(e, ERR_MISMATCH, "'%s' is of %s %s, not %s %s", t->s.resume, k->model->name,
                     model_sizes_whole(k->model, &a), t->o->model->name,
                     model_sizes_whole(t->o->model, &a));
    for (int i = 0; ok && i < k->meta.n; i++)
        if (str_starts(k->meta.keys[i], "adapter"))
            meta_set(&t->meta, k->meta.keys[i], k->meta.values[i]);
    if (ok && k->state.seed != t->o->seed)
        ok = err_set(e, ERR_DAMAGED,
                     "'%s' is of seed %lld, and its configuration says %lld; no run wrote that",
                     t->s.resume, (long long)k->state.seed, (long long)t->o->seed);
    if (ok) {
        t->state = k->state;
        t->saved = k->state.step, t->saved_eval = k->state.evaluated;
        t->last_whole = !strcmp(path_base(t->s.resume), "last.h5");
        resplit(t);
        if (t->state.batch < 0 || t->state.batch >= (int64_t)t->s.train.batches ||
            k->state.epoch < 0 || k->state.step < 0)
            ok = err_set(e, ERR_MISMATCH,
                         "'%s' stands at batch %lld of an epoch; the training data now have %llu: "
                         "they are not the same",
                         t->s.resume, (long long)t->state.batch,
                         (unsigned long long)t->s.train.batches);
    }
    checkpoint_close(k);
    arena_free(&a);
    return ok;
}

// What a kill left undone between a save and its other names.
static bool repair_names(trainer *t, err *e)
{
    arena a = {.name = "resume"};
    bool epoch_end = t->state.step > 0 && t->state.batch == 0 && t->o->save_every &&
                     t->state.epoch % t->o->save_every == 0;
    bool ok = strcmp(path_base(t->s.resume), "last.h5") ||
              name_copies(t, t->state.best_step == t->state.step, epoch_end, &a, e);
    arena_free(&a);
    return ok;
}

static const char *const step_figures[] = {"loss", "lr", "grad_norm", "weight_norm",
                                           "samples_per_s"};

// The evaluation of the saved step is still to come, or came and was not saved: TensorBoard forgets
// the whole step, and is told of its training once more.
static bool repeat_events(trainer *t, err *e)
{
    arena a = {.name = "events"};
    char tag[64], *line = folder_last_metric(t->folder, &a);
    json *j = line ? json_parse(line, strlen(line), NULL) : NULL;
    bool same = j && json_int(json_get(j, "step"), -1) == t->state.step &&
                !strcmp(json_str(json_get(j, "kind"), ""), "train");
    bool ok = !same || events_resume(t->events, t->state.step - 1, e);
    for (size_t i = 0; ok && same && i < sizeof step_figures / sizeof *step_figures; i++) {
        snprintf(tag, sizeof tag, "train/%s", step_figures[i]);
        ok = events_scalar(t->events, t->state.step, tag,
                           json_num(json_get(j, step_figures[i]), NAN), e);
    }
    json_free(j);
    arena_free(&a);
    return ok && (!same || events_resume(t->events, t->state.step, e)) &&
           events_flush(t->events, e);
}

bool trainer_attach(trainer *t, folder *f, err *e)
{
    t->folder = f;
    if (t->s.resume && (!folder_cut(f, t->state.metrics_bytes, e) || !repair_names(t, e)))
        return false;
    if (!t->o->tensorboard)
        return true;
    hparam *keys;
    size_t n = hparams_of(t->s.config, &keys, t->a);
    t->events = events_open(f->path, t->s.resume ? t->state.step : -1, t->a, e);
    return t->events && (!n || hparams_start(t->events, keys, n, e)) &&
           (!t->s.resume || t->state.evaluated == t->state.step || repeat_events(t, e));
}
