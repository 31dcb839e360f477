// SPDX-License-Identifier: GPL-3.0-or-later
// job_say.c: what a run says of itself: when it starts, what may not be meant so, and how it ended.
#include <string.h>

#include "autograd/gemm/gemm_ways.h"
#include "base/str.h"
#include "train/job.h"

static const char *describe_rows(const job *j)
{
    const dataset *d = j->shards->train;
    long long window = (long long)j->shards->window,
              units = (long long)j->shards->train_source.items;
    if (d->n_mels)
        return arena_printf(j->a, "%lld frames of %d bands a row", window, d->n_mels);
    return d->example->windows ? arena_printf(j->a, "%lld rows of %lld of their %lld %s", units,
                                              window, (long long)d->frames, d->column.name)
                               : arena_printf(j->a, "%lld rows of %s", units, d->column.name);
}

static void say_data(const job *j, const log_sink *log)
{
    const dataset *d = j->shards->train;
    strbuf labels = {0};
    for (size_t i = 0; i < d->n_labels; i++)
        strbuf_printf(&labels, "%s%s %lld", i ? ", " : "", d->labels[i],
                      (long long)d->label_count[i]);
    log_say(log, LOG_INFO, "data: %lld items of %s%s (%s), %lld to evaluate on; %s",
            (long long)d->items, d->name, d->synthetic ? ", synthetic" : "",
            labels.s ? labels.s : "no labels",
            j->shards->val ? (long long)j->shards->val->items : 0LL, describe_rows(j));
    strbuf_free(&labels);
}

job_size job_count(const job *j)
{
    const params *p = trainer_params(j->trainer);
    job_size s = {.all = params_count(p, false)};
    for (int i = 0; i < p->n; i++) {
        bool probe = !p->list[i].counted && !p->list[i].adapter && !p->list[i].buffer;
        s.trainable += p->list[i].trainable && !probe ? p->list[i].count : 0;
        s.aside += probe ? p->list[i].count : 0;
    }
    return s;
}

static void say_model(const job *j, const log_sink *log)
{
    job_size size = job_count(j);
    log_say(log, LOG_INFO, "%s: %lld parameters, %lld trainable%s", j->options.model->name,
            (long long)size.all, (long long)size.trainable,
            size.aside
                ? arena_printf(j->a, "; %lld of a probe for training only", (long long)size.aside)
                : "");
}

static void say_steps(const job *j, const log_sink *log)
{
    const train_options *o = &j->options;
    trainer_choice t = trainer_chosen(j->trainer);
    trainer_memory m = trainer_predict(j->trainer);
    char peak[32], budget[32];
    log_say(log, LOG_INFO,
            "steps: %lld x %lld = %lld items each, %lld an epoch, %lld in all, %s %g, %s",
            (long long)t.micro_batch, (long long)t.grad_accum,
            (long long)(t.micro_batch * t.grad_accum),
            (long long)trainer_steps_per_epoch(j->trainer), (long long)trainer_total(j->trainer),
            o->optim->name, (double)o->hyper.lr, o->schedule.curve->name);
    if (train_bound(o))
        log_say(log, LOG_INFO,
                "norms: means and variances over %lld items at once, train.batch_size, which no "
                "memory budget changes",
                (long long)t.micro_batch);
    log_say(log, LOG_INFO, "memory: %s predicted of %s (%s)%s%s", str_human_bytes(m.peak, peak),
            str_human_bytes(o->budget, budget), o->budget_from,
            t.recomputed
                ? arena_printf(j->a, "; %d of %d segments computed twice", t.recomputed, t.segments)
                : "",
            t.kept == PRECISION_BF16 ? "; activations kept as bf16" : "");
}

static void say_machine(const job *j, const log_sink *log)
{
    const kit *k = j->r.env->kit;
    int count = threads_count(j->r.env->pool);
    char blas[128], how[48];
    log_say(log, LOG_INFO, "device: cpu, %d thread%s, %s, %s", count, count == 1 ? "" : "s",
            gemm_describe(&k->products, blas), precision_describe(j->options.precision, k, how));
    if (comm_size(j->r.comm) > 1)
        log_say(log, LOG_INFO, "ranks: %d, %d of them here; threads and memory are of each",
                comm_size(j->r.comm), comm_here(j->r.comm));
    char products[80];
    if (strchr(gemm_told(&k->products, products), ','))
        log_say(log, LOG_INFO, "products: %s of shapes, as measured here", products);
}

void job_say_start(const job *j)
{
    const log_sink *log = &j->folder->sink;
    say_model(j, log);
    say_data(j, log);
    say_steps(j, log);
    say_machine(j, log);
    if (j->resume)
        log_say(log, LOG_INFO, "run: %s, going on at step %lld from %s", j->run_dir,
                (long long)trainer_state(j->trainer)->step, path_base(j->resume));
    else
        log_say(log, LOG_INFO, "run: %s", j->run_dir);
}

// ---- What is allowed, and hardly meant so

static void doubt_batch(const job *j, const log_sink *log)
{
    const train_options *o = &j->options;
    long long rows = (long long)j->shards->rows, asked = (long long)(o->batch_size * o->grad_accum);
    if (rows > 0 && asked > rows)
        log_say(log, LOG_WARN,
                "a step takes all %lld rows of data.train: %lld x %lld were asked for "
                "(train.batch_size x train.grad_accum)",
                rows, (long long)o->batch_size, (long long)o->grad_accum);
}

static void doubt_warmup(const job *j, const log_sink *log)
{
    const schedule_options *s = &j->options.schedule;
    int64_t warmup = trainer_warmup(j->trainer), total = trainer_total(j->trainer);
    if (total > 0 && warmup >= total)
        log_say(log, LOG_WARN,
                "the warm-up of %lld steps does not end within the run's %lld: the learning rate "
                "only gets to %.3g of %g; lower %s",
                (long long)warmup, (long long)total,
                schedule_factor(s, warmup, total - 1, total) * (double)j->options.hyper.lr,
                (double)j->options.hyper.lr,
                s->warmup_steps ? "schedule.warmup_steps" : "schedule.warmup_epochs");
}

static void doubt_labels(const job *j, const log_sink *log)
{
    const dataset *d = j->shards->train;
    strbuf names = {0};
    int n = 0;
    for (size_t i = 0; d && d->example->labelled && !d->example->grouped && i < d->n_labels; i++)
        if (!d->label_count[i])
            strbuf_printf(&names, "%s'%s'", n++ ? ", " : "", d->labels[i]);
    if (n)
        log_say(log, LOG_WARN, "no item of data.train is labelled %s: the model cannot learn %s",
                names.s, n > 1 ? "them" : "it");
    strbuf_free(&names);
}

// What makes figures look better than they are.
static void doubt_shared(const job *j, const log_sink *log)
{
    const dataset *d = j->shards->train, *val = j->shards->val;
    const char *first;
    int64_t n = d && val ? dataset_shared(d, val, j->a, &first) : 0;
    if (n)
        log_say(log, LOG_WARN,
                "%lld of the %lld items of data.val are in data.train, too ('%s'%s): what is "
                "measured on them says nothing about new ones; "
                "prepare both together, so that the splits part them",
                (long long)n, (long long)val->items, first, n > 1 ? " and more" : "");
}

void job_say_doubts(const job *j, const log_sink *log)
{
    doubt_shared(j, log);
    doubt_labels(j, log);
    doubt_batch(j, log);
    doubt_warmup(j, log);
}

void job_say_end(const job *j, const trainer_result *r)
{
    const log_sink *log = &j->folder->sink;
    char predicted[32], measured[32];
    if (comm_size(j->r.comm) > 1)
        log_say(log, LOG_INFO, "%.1f%% of the time of steps went into what ranks sent",
                100 * r->sum_share);
    if (r->early)
        log_say(log, LOG_INFO, "ended early: no progress in %lld evaluations",
                (long long)trainer_state(j->trainer)->waited);
    if (r->best_step >= 0)
        log_say(log, LOG_INFO, "best %s %.4f at step %lld", j->options.monitor, r->best,
                (long long)r->best_step);
    log_say(log, LOG_INFO,
            "%s after %lld of %lld steps, %.4g steps/s, %.4g samples/s, %.1f%% of the time waiting "
            "for data; memory %s predicted, %s "
            "measured",
            r->stopped ? arena_printf(j->a, "stopped (%s)", r->why) : "done", (long long)r->steps,
            (long long)r->total, r->steps_per_s, r->samples_per_s, 100 * r->wait_share,
            str_human_bytes(r->predicted_peak, predicted),
            str_human_bytes(r->measured_peak, measured));
}
