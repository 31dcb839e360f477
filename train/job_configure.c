// SPDX-License-Identifier: GPL-3.0-or-later
// job_configure.c: which run a command means: a new one, one that goes on, or (--resume auto)
// whichever its folder asks for; and its keys.
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hw.h"
#include "base/str.h"
#include "train/job.h"

static config *read_config(const job *j, const char *text, const char *name, err *e)
{
    config *c = config_open(&train_table, j->a);
    bool ok = text ? config_parse(c, text, strlen(text), name, e) : config_load(c, name, e);
    for (int i = 0; ok && i < j->r.n_overrides; i++)
        ok = config_override(c, j->r.overrides[i], e);
    return ok && config_finish(c, e) ? c : NULL;
}

// A configuration file beside --resume is not needed; where it differs from the run's own, the
// run's own is used, and this is said.
static bool compare_file(const job *j, const config *own, err *e)
{
    err difference = {0};
    if (!j->r.config)
        return true;
    config *file = read_config(j, NULL, j->r.config, e);
    if (!file)
        return false;
    if (!train_options_resumable(own, file, &difference))
        log_say(j->r.env->log, LOG_WARN, "the run goes on with its own configuration: %s",
                difference.text);
    return true;
}

// The configuration beside --resume auto is that of the command that began the run: what a run may
// change, it may change.
static config *choose_config(const job *j, const config *own, const char *text, const char *name,
                             err *e)
{
    config *file = j->r.automatic && j->r.config ? read_config(j, NULL, j->r.config, e) : NULL;
    if (j->r.automatic && j->r.config && (!file || train_options_resumable(own, file, NULL)))
        return file;
    return compare_file(j, own, e) ? read_config(j, text, name, e) : NULL;
}

// Which way works where there is nothing to go on from.
static bool nothing_there(const job *j, const char *from, err *e)
{
    folder_state is = file_exists(from) ? folder_look(from) : FOLDER_FOREIGN;
    if (is == FOLDER_FREE || is == FOLDER_BEGUN)
        return err_set(e, ERR_MISSING,
                       "'%s' has no checkpoint to go on from; begin there with: kmidi train %s "
                       "--run-dir %s --resume auto",
                       from, j->r.config ? str_quoted(j->a, j->r.config) : "CONFIG",
                       str_quoted(j->a, from));
    err inner = e ? *e : (err){0};
    return is != FOLDER_SAVED
               ? err_trail(e, "--resume")
               : err_set(e, inner.code, "%s; go on from one of these by its path", inner.text);
}

// A run that has ended goes on only where it is to be longer.
static bool ends_there(const job *j, const config *own)
{
    static const char *const lengths[] = {"train.epochs", "train.max_steps",
                                          "train.early_stopping.patience", "train.min_epochs"};
    bool same = file_exists(arena_printf(j->a, "%s/DONE", j->run_dir));
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        char was[200], is[200];
        config_show(own, lengths[i], was, sizeof was);
        config_show(j->config, lengths[i], is, sizeof is);
        same = same && !strcmp(was, is);
    }
    return same;
}

void job_see_resume(const job *j, int64_t seen[3])
{
    struct stat st = {0};
    bool ok = stat(j->resume, &st) == 0;
    seen[0] = ok ? (int64_t)st.st_ino : -1;
    seen[1] = ok ? (int64_t)st.st_size : -1;
#ifdef __APPLE__
    struct timespec when = st.st_mtimespec;
#else
    struct timespec when = st.st_mtim;
#endif
    seen[2] = ok ? (int64_t)when.tv_sec * 1000000000 + when.tv_nsec : -1;
}

static bool configure_resumed(job *j, const char *from, err *e)
{
    job plain = *j;
    plain.r.n_overrides = 0;
    j->resume = checkpoint_find(j->a, from, "last", e);
    if (!j->resume)
        return nothing_there(j, from, e);
    job_see_resume(j, j->resume_seen);
    checkpoint *k = checkpoint_open(j->resume, j->a, e);
    checkpoint_close(k); // texts stay
    if (!k)
        return err_trail(e, "--resume");
    if (!k->has_state)
        return err_set(
            e, ERR_USAGE,
            "'%s' holds weights but no state of a run; begin a new run with init_from=%s",
            j->resume, str_quoted(j->a, j->resume));
    const char *name = arena_printf(j->a, "config of '%s'", j->resume);
    const config *own = read_config(&plain, k->config, name, e);
    j->config = own ? choose_config(j, own, k->config, name, e) : NULL;
    j->resume_micro = k->state.micro_batch;
    j->resume_products =
        meta_get(&k->meta, "products") ? arena_strdup(j->a, meta_get(&k->meta, "products")) : NULL;
    j->run_dir = path_dir(j->a, path_dir(j->a, j->resume));
    if (!j->config || !train_options_resumable(own, j->config, e))
        return false;
    const checkpoint_state *st = &k->state;
    j->done = j->r.automatic && ends_there(j, own);
    j->ended = (trainer_result){.steps = st->step,
                                .total = st->step,
                                .best = st->best_step >= 0 ? st->best : NAN,
                                .best_step = st->best_step,
                                .last_loss = st->last_loss,
                                .measured_peak = hw_peak_rss()};
    return true;
}

folder_how job_how(const job *j)
{
    return j->r.automatic ? FOLDER_RESTART : j->r.overwrite ? FOLDER_OVERWRITE : FOLDER_NEW;
}

// The folder is looked at before hours of data are.
static bool configure(job *j, err *e)
{
    bool goes_on = j->r.automatic && folder_look(j->r.run_dir) == FOLDER_SAVED;
    if (j->r.resume || goes_on)
        return configure_resumed(j, goes_on ? j->r.run_dir : j->r.resume, e);
    if (!j->r.config)
        return err_set(e, ERR_USAGE, "name a configuration, or --resume a run");
    return (!j->r.run_dir || folder_allows(j->r.run_dir, job_how(j), e)) &&
           (j->config = read_config(j, NULL, j->r.config, e));
}

// The checkpoint that a new run begins from; NULL without one.
const char *job_begins_from(const job *j)
{
    return j->options.lora.r ? j->options.lora_base : j->options.init_from;
}

static const char *described(const model_def *m, arena *a)
{
    const char *sizes = m->n_options ? model_sizes_whole(m, a) : "";
    return arena_printf(a, "%s%s%s%s", m->name, *sizes ? " (" : "", sizes, *sizes ? ")" : "");
}

static bool fits_model(const job *j, const checkpoint *k, err *e)
{
    const train_options *o = &j->options;
    bool same = !strcmp(k->model->name, o->model->name);
    if (same && (!o->sized || !strcmp(model_sizes(k->model, j->a), model_sizes(o->model, j->a))))
        return true;
    return err_set(e, ERR_MISMATCH,
                   "'%s' holds a model %s, and the configuration says %s; set model: %s%s, or name "
                   "a checkpoint of %s",
                   k->path, described(k->model, j->a), described(o->model, j->a), k->model->name,
                   same ? " of its sizes" : "", o->model->name);
}

// A run is of the model that it goes on with or begins from. Sizes that the configuration leaves
// open are that model's.
static bool adopt_model(job *j, err *e)
{
    const char *from = j->resume ? j->resume : job_begins_from(j), *path;
    const char *key = j->resume ? "--resume" : j->options.lora.r ? "lora.base" : "init_from";
    if (!from || j->r.supposed)
        return true;
    if (!(path = checkpoint_find(j->a, from, "best", e)))
        return err_trail(e, "%s", key);
    checkpoint *k = checkpoint_open(path, j->a, e);
    bool ok = k && fits_model(j, k, e);
    if (ok)
        j->options.model = k->model;
    checkpoint_close(k);
    return ok || err_trail(e, "%s", key);
}

job *job_configure(const job_request *r, arena *a, err *e)
{
    job *j = NEW(a, job, 1);
    hw machine;
    j->r = *r, j->a = a;
    if (!configure(j, e))
        return NULL;
    if (r->budget &&
        !config_override(j->config,
                         arena_printf(a, "memory.budget=%llu", (unsigned long long)r->budget), e))
        return NULL;
    hw_read(&machine);
    if (!train_options_read(j->config, machine.memory_limit / (uint64_t)comm_here(r->comm),
                            &j->options, a, e) ||
        !adopt_model(j, e))
        return NULL;
    if (r->budget)
        j->options.budget_from = "--budget";
    strbuf text = {0};
    config_print(j->config, &text);
    j->config_text = strbuf_keep(&text, a);
    return j;
}
