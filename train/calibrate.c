// SPDX-License-Identifier: GPL-3.0-or-later
// calibrate.c: the measurement, and the file that keeps it (calibrate.h).
#include "train/calibrate.h"

#include <stdlib.h>
#include <string.h>

#include "autograd/gemm/gemm_bf16.h"
#include "autograd/op.h"
#include "base/hw.h"
#include "base/version.h"
#include "train/machine.h"
#include "train/products.h"
#include "train/trainer_internal.h"

enum { RUNS_LEAST = 2, RUNS_MOST = 20 };
// of the batch, as estimated; of all its runs
static const double BATCH_SECONDS = 0.1, ENOUGH_SECONDS = 0.06;

// ---- The file

static const char *file_of(const trainer *t, arena *a)
{
    char products[128];
    hw h;
    hw_read(&h);
    return machine_file("machine",
                        arena_printf(a, "%s, %s, %d threads, %s, kmidi %s %s", h.cpu, h.isa,
                                     t->threads, gemm_describe(&t->kit.products, products),
                                     KMIDI_VERSION, version_revision()),
                        a);
}

// What the times of a step depend on beside the machine and the number of items.
static const char *entry_of(const trainer *t, arena *a)
{
    bool narrow = t->o->precision != PRECISION_FP32;
    return arena_printf(a, "%s %s, length %lld, %lld of %lld weights, %s%s%s, %s%s",
                        t->o->model->name, model_sizes(t->o->model, a), (long long)t->s.time,
                        (long long)params_count(t->p, true), (long long)t->p->weights_len,
                        precision_name(t->o->precision), narrow ? " by " : "",
                        narrow ? gemm_bf16_name(t->kit.products.bf16) : "", t->o->optim->name,
                        t->o->ema > 0 ? ", ema" : "");
}

static bool sane(double ratio)
{
    return ratio > 1e-6 && ratio < 1e6;
}

static bool from_json(const json *entry, calibration *c)
{
    const json *ops = json_get(entry, "ops");
    c->update = json_num(json_get(entry, "update_s"), -1);
    for (int k = 0; k <= OP_COUNT; k++) {
        c->ops.ratio[k] =
            json_num(json_get(ops, k < OP_COUNT ? op_get((op_id)k)->name : "move"), 0);
        if (c->ops.ratio[k] != 0 && !sane(c->ops.ratio[k]))
            return false;
    }
    return machine_stands(entry) && json_len(ops) > 0 && c->update >= 0 && c->update < 1e3;
}

static json *to_json(const calibration *c)
{
    json *entry = json_object(), *ops = json_object();
    for (int k = 0; k <= OP_COUNT; k++)
        if (sane(c->ops.ratio[k]))
            json_set_num(ops, k < OP_COUNT ? op_get((op_id)k)->name : "move", c->ops.ratio[k]);
    json_set(entry, "ops", ops);
    json_set_num(entry, "update_s", c->update);
    machine_stamp(entry);
    return entry;
}

// ---- The measurement

// When each step of the plan began and ended in the fastest of a few runs.
static void time_steps(trainer *t, run *r, run_span *best, run_span *spans)
{
    double least = 0, all = 0;
    run_step(r, 1, 0, true);
    for (int n = 0; n < RUNS_LEAST || (n < RUNS_MOST && all < ENOUGH_SECONDS); n++) {
        double sum = 0;
        run_go(r, &(run_pass){.seed = 1, .training = true}, spans);
        for (int i = 0; i < t->plan->n_steps; i++)
            sum += spans[i].end - spans[i].begin;
        all += sum;
        if (n == 0 || sum < least)
            least = sum, memcpy(best, spans, sizeof *best * (size_t)t->plan->n_steps);
    }
}

static double time_update(trainer *t)
{
    double least = 0;
    float *work = base_checked(malloc(trainer_work_bytes(t) + 1), 0);
    optim_hyper h = t->o->hyper;
    h.step = 1, h.grad_scale = 1;
    for (int n = 0; n < 3; n++) {
        double began = hw_seconds(), took;
        optim_grad_norm(t->p, &t->kit, t->s.env->pool, t->threads);
        optim_step(t->o->optim, &h, t->p, work, &t->kit, t->s.env->pool, t->threads);
        took = hw_seconds() - began;
        least = n == 0 || took < least ? took : least;
    }
    free(work);
    return t->o->ema > 0 ? 1.3 * least : least;
}

// Weights are no zeros: those would all be one page of memory.
static bool measure(trainer *t, bool anew, calibration *c, err *e)
{
    bool ok = params_allocate(t->p, t->o->optim->moments, e);
    for (int64_t i = 0; ok && i < t->p->weights_len; i++)
        t->p->weights[i] = 0.01f;
    run *r = ok ? run_open(t->plan, t->p, t->s.env->pool, t->a, e) : NULL;
    if (r) {
        run_span *best = NEW(t->a, run_span, (size_t)t->plan->n_steps + 1),
                 *spans = NEW(t->a, run_span, (size_t)t->plan->n_steps + 1);
        trainer_learn(t, r, anew);
        time_steps(t, r, best, spans);
        cost_learn(&c->ops, t->plan, best);
        c->update = time_update(t);
        c->measured = true;
    }
    run_close(r);
    params_release(t->p);
    return r != NULL;
}

static int64_t divisor_below(int64_t n, double most)
{
    int64_t d = most < 1 ? 1 : most < (double)n ? (int64_t)most : n;
    while (n % d)
        d--;
    return d;
}

// The trainer whose step is measured: of one item, or of so many as take BATCH_SECONDS.
static trainer *probe(const train_options *all, search_setup setup, void *self, arena *a, err *e)
{
    trainer_setup s = setup(self, 1);
    s.o = all;
    trainer *t = trainer_plan(&s, a, e);
    int64_t more = t ? divisor_below(trainer_whole(all, s.rows, 0) / comm_size(s.comm),
                                     BATCH_SECONDS / cost_seconds(NULL, t->plan))
                     : 1;
    if (more == 1)
        return t;
    s = setup(self, more);
    s.o = all;
    trainer *larger = trainer_plan(&s, a, e);
    return larger && larger->memory.peak <= all->budget ? larger : t;
}

static bool too_large(const trainer *t)
{
    hw h;
    hw_read(&h);
    return t->memory.peak > h.memory_limit;
}

// What the cache has of this step, or else a measurement.
static bool find(trainer *t, bool anew, calibration *c, err *e)
{
    json *file = machine_read(c->file, t->a);
    bool ok = !anew && from_json(json_get(file, c->entry), c) &&
              products_settled(t->s.env, &t->kit.products, t->a);
    if (!ok && too_large(t)) {
        *c = (calibration){.too_large = true};
        log_say(t->s.env->log, LOG_WARN,
                "a step is too large to be measured on this machine: times are estimates");
        ok = true;
    } else if (!ok) {
        *c = (calibration){.file = c->file, .entry = c->entry};
        ok = measure(t, anew, c, e);
        json_free(file); // another process may have written meanwhile
        file = machine_read(c->file, t->a);
        file = file ? file : json_object();
        if (ok)
            json_set(file, c->entry, to_json(c)), machine_keep(c->file, file, t->a);
    }
    json_free(file);
    return ok;
}

bool calibrate(const train_options *o, search_setup setup, void *self, bool anew, calibration *c,
               arena *keep, err *e)
{
    arena a = {.name = "calibrate"};
    train_options all = *o;
    all.recompute = RECOMPUTE_ALL;
    *c = (calibration){0};
    trainer *t = probe(&all, setup, self, &a, e);
    bool ok = t != NULL;
    if (ok) {
        c->file = file_of(t, keep), c->entry = entry_of(t, keep);
        ok = find(t, anew, c, e);
    }
    arena_free(&a);
    return ok;
}

void calibrate_forget(const calibration *c, arena *a)
{
    json *file = c->entry ? machine_read(c->file, a) : NULL;
    if (file) {
        json_set(file, c->entry, json_object());
        machine_keep(c->file, file, a);
    }
    json_free(file);
}
