// SPDX-License-Identifier: GPL-3.0-or-later
// job.c: what happens between a command line and the loop.
#include "train/job.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "autograd/gemm/gemm_ways.h"
#include "base/file.h"
#include "base/hw.h"
#include "base/str.h"
#include "train/hparams.h"
#include "train/lock.h"
#include "train/products.h"
#include "train/report.h"

// Of steps until a prediction is judged by them; how far off it may be.
enum { TIMED_LEAST = 4 };
static const double OFF_MOST = 1.6;

// ---- Data and networks

// A limit on what is mapped (ulimit -v, -d) bounds the budget too. Called when the library of
// products has taken its own.
static void bound_budget(job *j)
{
    enum { ASIDE = 32 << 20 }; // stacks and heaps of threads that are still to come
    train_options *o = &j->options;
    room r = room_read();
    uint64_t most = r.left > ASIDE ? hw_rss() + r.left - ASIDE : 1;
    if (!r.name || most >= o->budget)
        return;
    o->budget = most,
    o->budget_from = arena_printf(j->a, "%s %llu", r.name, (unsigned long long)r.limit >> 10);
    o->room = r;
}

static bool check_data(job *j, err *e)
{
    const char *path = j->resume;
    const char *from = job_begins_from(j);
    if (!path && !from)
        return true;
    if (!path && !(path = checkpoint_find(j->a, from, "best", e)))
        return err_trail(e, j->options.lora.r ? "lora.base" : "init_from");
    checkpoint *k = checkpoint_open(path, j->a, e);
    bool ok = k && (!j->resume || shards_same(j->shards, k, e));
    if (ok && !j->resume && meta_get(&k->meta, "settings"))
        ok = dataset_expect(j->shards->train, NULL, 0, meta_get(&k->meta, "settings"),
                            arena_printf(j->a, "the checkpoint '%s'", path), e);
    if (ok && j->options.lora.r)
        ok = shards_hear_as(j->shards, k, j->a, e);
    checkpoint_close(k);
    return ok;
}

// A report of what there is so far. Of a long run with many evaluations not each: it takes at most
// a fiftieth of the time.
static void report_now(void *self)
{
    job *j = self;
    double began = hw_seconds();
    err e = {0};
    if (!j->folder || began < j->next_report)
        return;
    if (!report_write(j->folder->path, "running", NULL, &e))
        log_say(&j->folder->sink, LOG_WARN, "no report: %s", e.text);
    double ended = hw_seconds();
    j->next_report = ended + 50 * (ended - began);
}

trainer_setup job_setup(void *self, int64_t micro_batch)
{
    job *j = self;
    if (j->shards->train && !j->shards->train_loader)
        shards_split(j->shards, micro_batch);
    trainer_setup s = {.o = &j->options,
                       .env = j->r.env,
                       .comm = j->r.comm,
                       .micro_batch = micro_batch,
                       .rows = j->shards->rows,
                       .train = j->shards->train_source,
                       .val = j->shards->val_source,
                       .classes = j->shards->classes,
                       .time = j->shards->window,
                       .eval_batch = j->shards->eval_batch,
                       .costs = &j->costs.ops,
                       .update_seconds = j->costs.update,
                       .meta = &j->shards->meta,
                       .config = j->config_text,
                       .resume = j->resume,
                       .other_bytes = j->shards->bytes,
                       .base_bytes = j->base,
                       .profile_steps = j->r.profile_steps,
                       .tick = j->r.tick,
                       .save_asked = j->r.save_asked,
                       .record = report_now,
                       .owner = j,
                       .user = j->r.user};
    if (j->shards->train && !j->shards->train_loader)
        s.train.batches = (uint64_t)((j->shards->rows + micro_batch - 1) / micro_batch);
    if (j->shards->val && !j->shards->val_loader)
        s.val.batches =
            (uint64_t)((j->shards->val_rows + j->shards->eval_batch - 1) / j->shards->eval_batch);
    return s;
}

bool job_search(job *j, int64_t given, err *e)
{
    if (!search_splits(&j->options, job_setup, j, &j->search, e))
        return false;
    for (int i = 0; given && i < j->search.n; i++)
        if (j->search.list[i].choice.micro_batch == given)
            j->search.best = i;
    return true;
}

// Items at once: as configured; as the run that goes on had it, so that it makes the same bits; or
// what the search finds.
bool job_split(job *j, bool search, int64_t *micro_batch, err *e)
{
    const train_options *o = &j->options;
    *micro_batch = o->micro_batch ? o->micro_batch
                   : j->resume    ? (j->resume_micro > 0 ? j->resume_micro : o->batch_size)
                                  : 0;
    int64_t whole = trainer_whole(o, j->shards->rows, *micro_batch);
    if (j->resume && j->resume_micro > 0 && whole % j->resume_micro)
        return err_set(e, ERR_DAMAGED,
                       "'%s': 'state/micro_batch' is %lld, which does not divide the %lld items of "
                       "a step; no run wrote that",
                       j->resume, (long long)j->resume_micro, (long long)whole);
    if (!o->micro_batch && *micro_batch && whole / comm_size(j->r.comm) % *micro_batch)
        *micro_batch = 0; // it went on with fewer ranks
    if (*micro_batch && whole % *micro_batch)
        return err_set(e, ERR_CONFIG,
                       "'memory.micro_batch' is auto or a divisor of the %lld rows of a step, not "
                       "%lld",
                       (long long)trainer_whole(o, j->shards->rows, 0), (long long)*micro_batch);
    if (*micro_batch && !search)
        return true;
    if (!calibrate(o, job_setup, j, j->r.measure, &j->costs, j->a, e) ||
        !job_search(j, *micro_batch, e))
        return false;
    *micro_batch = *micro_batch ? *micro_batch : j->search.list[j->search.best].choice.micro_batch;
    return true;
}

// As the run that goes on had it, so that it makes the same bits.
static bool open_products(job *j, err *e)
{
    return j->resume_products ? products_open_said(j->r.env, j->resume_products, j->a, e)
                              : products_open(j->r.env, j->a, e);
}

static bool open_data(job *j, err *e)
{
    if (!open_products(j, e))
        return false;
    j->base = hw_rss();
    bound_budget(j);
    j->shards = shards_open(&j->options, j->a, e);
    return j->shards && check_data(j, e);
}

static bool open_trainer(job *j, int64_t micro_batch, err *e)
{
    loader_options *both[] = {&j->shards->train_options, &j->shards->val_options};
    for (int i = 0; i < 2; i++) {
        both[i]->of = (uint64_t)comm_size(j->r.comm);
        both[i]->part = (uint64_t)comm_rank(j->r.comm);
    }
    shards_split(j->shards, micro_batch);
    if (!shards_baseline(j->shards, j->options.model, j->a, e) || !shards_start(j->shards, e))
        return false;
    trainer_setup s = job_setup(j, micro_batch);
    j->trainer = trainer_open(&s, j->a, e);
    return j->trainer != NULL;
}

bool job_open(job *j, err *e)
{
    int64_t micro_batch;
    return comm_agree(j->r.comm, open_data(j, e), e) && job_alike(j, e) &&
           job_choose_alike(j, &micro_batch, e) &&
           comm_agree(j->r.comm, open_trainer(j, micro_batch, e), e) && job_planned_alike(j, e) &&
           trainer_share_gradients(j->trainer, e);
}

// Data that are not prepared yet: what the configuration says must do.
static bool assume_shards(job *j, const err *missing, err *e)
{
    const example_def *x = example_find(j->options.model->example);
    const port *mel = model_mel(j->options.model);
    int64_t asked = j->options.data.window,
            window = shards_window(x, asked || !mel ? asked : model_frames(mel), 0);
    if (!window) {
        if (e)
            *e = *missing;
        return err_trail(e, "prepare the data, or set data.window");
    }
    if (!j->r.supposed)
        log_say(j->r.env->log, LOG_WARN, "planned without data%s: %s",
                j->options.model->probe ? ", for two classes" : "", missing->text);
    j->shards = NEW(j->a, shards, 1);
    j->shards->window = window;
    j->shards->classes = j->options.model->probe ? 2 : 0;
    j->shards->train_source.batches = 1;
    j->shards->val_source.batches = j->options.data.val.n > 0;
    return true;
}

bool job_plan(job *j, err *e)
{
    err missing = {.code = ERR_MISSING};
    int64_t micro_batch;
    if (!open_products(j, e))
        return false;
    j->base = hw_rss();
    bound_budget(j);
    j->shards = j->r.supposed ? NULL : shards_open(&j->options, j->a, &missing);
    if (!j->shards && missing.code != ERR_MISSING) {
        if (e)
            *e = missing;
        return false;
    }
    if (!j->shards && !assume_shards(j, &missing, e))
        return false;
    const train_options *o = &j->options;
    if (!trainer_shares(j->r.comm, trainer_whole(o, j->shards->rows, o->micro_batch),
                        o->micro_batch, e) ||
        !job_split(j, true, &micro_batch, e))
        return false;
    trainer_setup s = job_setup(j, micro_batch);
    j->trainer = trainer_plan(&s, j->a, e);
    if (j->trainer && j->shards->train)
        job_say_doubts(j, j->r.env->log);
    return j->trainer != NULL;
}

// ---- The folder

static bool write_record(const job *j, err *e)
{
    strbuf text = {0};
    job_environment(j, &text);
    bool ok = folder_write(j->folder, "config.yaml", j->config_text, strlen(j->config_text), e) &&
              folder_write(j->folder, "environment.json", text.s, text.len, e);
    strbuf_free(&text);
    return ok;
}

static bool resume_stands(const job *j, err *e)
{
    int64_t now[3];
    if (!j->resume)
        return true;
    job_see_resume(j, now);
    return !memcmp(now, j->resume_seen, sizeof now) || lock_lost(j->run_dir, e);
}

static bool begin(job *j, err *e)
{
    const log_sink *log = j->r.env->log;
    if (!j->run_dir)
        j->run_dir = j->r.run_dir ? j->r.run_dir
                                  : folder_name(j->options.run_name ? j->options.run_name
                                                                    : j->options.model->name,
                                                j->a);
    j->folder = j->resume ? folder_reopen(j->run_dir, log, j->a, e)
                          : folder_create(j->run_dir, job_how(j), log, j->a, e);
    err inner = {0};
    if (!j->folder || !resume_stands(j, e))
        return false;
    if (j->resume) // what it was marked with when it ended
        folder_mark(j->folder, NULL, NULL);
    if (!write_record(j, &inner) || !trainer_attach(j->trainer, j->folder, &inner)) {
        folder_mark(j->folder, "FAILED", inner.text);
        if (e)
            *e = inner;
        return false;
    }
    job_say_start(j);
    job_say_doubts(j, &j->folder->sink);
    return true;
}

bool job_begin(job *j, err *e)
{
    return comm_agree(j->r.comm, comm_rank(j->r.comm) || begin(j, e), e);
}

// A prediction that a run has found wrong is not kept. Short steps and few of them say nothing.
static void judge_prediction(job *j, const trainer_result *r)
{
    double predicted = trainer_chosen(j->trainer).seconds,
           measured = r->steps_per_s > 0 ? (1 - r->wait_share) / r->steps_per_s : 0;
    bool enough = j->search.n && r->timed_steps >= TIMED_LEAST && fabs(measured - predicted) > 2e-3;
    if (!enough || (measured < OFF_MOST * predicted && predicted < OFF_MOST * measured))
        return;
    calibrate_forget(&j->costs, j->a);
    log_say(&j->folder->sink, LOG_INFO,
            "a step took %.3g s and %.3g s was predicted: the next plan measures anew", measured,
            predicted);
}

// A run that has stopped has not ended: it goes on.
static void end_events(job *j, bool failed)
{
    err e = {0};
    if (j->options.tensorboard && !hparams_end(j->folder->path, failed, &e))
        log_say(&j->folder->sink, LOG_WARN, "%s", e.text);
}

bool job_run(job *j, trainer_result *r, err *e)
{
    err inner = {0}, report = {0};
    bool ok = trainer_run(j->trainer, r, &inner);
    if (!j->folder) { // of a rank that does not write
        if (!ok && e)
            *e = inner;
        return ok;
    }
    if (!ok) {
        folder_mark(j->folder, "FAILED", inner.text);
        folder_note(j->folder, inner.text);
        if (!report_write(j->folder->path, "failed", inner.text, &report))
            folder_note(j->folder, report.text);
        end_events(j, true);
        if (e)
            *e = inner;
        return false;
    }
    job_say_end(j, r);
    judge_prediction(j, r);
    const char *why = r->stopped ? r->why : r->early ? "early stopping" : "all steps";
    if (!report_write(j->folder->path, r->stopped ? "stopped" : "done", why, &inner))
        log_say(&j->folder->sink, LOG_WARN, "no report: %s", inner.text);
    folder_mark(j->folder, r->stopped ? "STOPPED" : "DONE", why);
    if (!r->stopped)
        end_events(j, false);
    return true;
}

void job_close(job *j)
{
    if (!j)
        return;
    trainer_close(j->trainer);
    shards_close(j->shards);
    folder_close(j->folder);
}
