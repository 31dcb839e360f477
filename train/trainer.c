// SPDX-License-Identifier: GPL-3.0-or-later
// trainer.c: opening, a step, an evaluation.
#include <math.h>
#include <string.h>

#include "autograd/gemm/gemm_ways.h"
#include "base/hw.h"
#include "base/str.h"
#include "lora/adapter.h"
#include "train/products.h"
#include "train/shards.h"
#include "train/trainer_internal.h"

// ---- One step

static bool not_finite(const trainer *t, const char *what, double value, const batch *b, err *e)
{
    char paths[512] = "";
    bool saved = t->saved >= 0 && t->folder;
    return err_set(e, ERR_NUMERIC,
                   "step %lld: the %s is not finite (%g) in a batch with %s; the weights of step "
                   "%lld are untouched%s%s%s; try a lower optim.lr",
                   (long long)t->state.step + 1, what, value, b ? feed_paths(b, paths) : paths,
                   (long long)t->state.step, saved ? ", the last good checkpoint is '" : "",
                   saved ? t->folder->path : "", saved ? "/checkpoints/last.h5'" : "");
}

// The next batch, in the run's inputs; NULL on failure.
static const batch *take_batch(trainer *t, err *e)
{
    double at = profile_clock(t->profile);
    const batch *b = t->s.train.next(t->s.train.self, e);
    profile_part_end(t->profile, PROFILE_WAIT, at);
    at = profile_clock(t->profile);
    if (!b || !feed_copy(t->net, t->run, b, e))
        return NULL;
    profile_part_end(t->profile, PROFILE_FEED, at);
    return b;
}

// Batch `k` of a window, forward and backward; gradients are added up, or stored where there is one
// batch of it alone.
static bool run_batch(trainer *t, window *w, int64_t k, bool first, err *e)
{
    const float *loss = run_data(t->run, t->net->loss_sum);
    const batch *b = take_batch(t, e);
    if (!b)
        return false;
    profile_run(t->profile, t->run,
                &(run_pass){.seed = (uint64_t)t->o->seed,
                            .step = (uint64_t)t->state.step,
                            .part = (uint64_t)k,
                            .training = true,
                            .write = true,
                            .same_weights = !first});
    w->last = b;
    if (!isfinite(*loss))
        return not_finite(t, "loss", (double)*loss, b, e);
    w->loss += (double)*loss;
    w->weight += b->weight;
    w->items += b->items;
    return true;
}

// Nothing of a step is kept before its end, so one that is to stop does it again. Of several
// processes none stops alone.
static bool stops_here(const trainer *t)
{
    return env_stop(t->s.env) && comm_size(t->s.comm) == 1;
}

// Forward and backward of this process's batches of one step; gradients are left in p->grads, times
// `scale`.
static bool run_window(trainer *t, window *w, err *e)
{
    const checkpoint_state *st = &t->state;
    int64_t left = (int64_t)t->s.train.batches - st->batch;
    int64_t n = left < t->choice.grad_accum ? left : t->choice.grad_accum;
    int size = comm_size(t->s.comm);
    bool first = true;
    w->batches = n;
    if (trainer_own(t) > 1 || n <= comm_rank(t->s.comm))
        memset(t->p->grads, 0, (size_t)t->p->grads_len * sizeof(float));
    for (int64_t k = comm_rank(t->s.comm); k < n; k += size, first = false) {
        if (!first && stops_here(t))
            return err_set(e, ERR_STOPPED, "asked to stop during a step");
        if (!run_batch(t, w, k, first, e))
            return false;
    }
    return true;
}

// The first steps average over fewer weights, so that a short run is not judged by the ones that it
// began with: min(decay, (1 + step) / (10 + step)), as TensorFlow's ExponentialMovingAverage with
// num_updates.
static float ema_decay(const trainer *t)
{
    double step = (double)t->state.step;
    return (float)fmin((double)t->o->ema, (1 + step) / (10 + step));
}

// p->grads holds gradients times 1 / expected weight; the real weight and the clip factor go into
// the optimiser's one multiplication.
static bool update(trainer *t, const window *w, err *e)
{
    if (w->weight <= 0) // not one label in the window: nothing to learn
        return true;
    double correction = t->expected_weight / w->weight, at = profile_clock(t->profile);
    t->norm = optim_grad_norm(t->p, &t->kit, t->s.env->pool, t->threads) * correction;
    profile_part_end(t->profile, PROFILE_NORM, at);
    if (!isfinite(t->norm))
        return not_finite(t, "gradient", t->norm, w->last, e);
    optim_hyper h = t->o->hyper;
    t->lr = (double)h.lr * schedule_factor(&t->o->schedule, t->warmup, t->state.step, t->total);
    h.lr = (float)t->lr;
    h.step = (uint64_t)t->state.step + 1;
    double clip = t->o->grad_clip > 0 ? (double)optim_clip_factor(t->norm, t->o->grad_clip) : 1.0;
    h.grad_scale = (float)(correction * clip);
    at = profile_clock(t->profile);
    optim_step(t->o->optim, &h, t->p, t->work, &t->kit, t->s.env->pool, t->threads);
    profile_part_end(t->profile, PROFILE_OPTIM, at);
    at = profile_clock(t->profile);
    if (t->ema)
        optim_ema(t->ema, ema_decay(t), t->p, &t->kit, t->s.env->pool, t->threads);
    if (t->ema)
        profile_part_end(t->profile, PROFILE_EMA, at);
    return true;
}

static void advance(trainer *t, const window *w)
{
    checkpoint_state *st = &t->state;
    st->step++;
    st->samples += w->items;
    st->last_loss = w->weight > 0 ? w->loss / w->weight : 0;
    st->log_loss += w->loss, st->log_weight += w->weight;
    st->epoch_loss += w->loss, st->epoch_weight += w->weight;
    st->batch += w->batches;
    if (st->batch >= (int64_t)t->s.train.batches)
        st->batch = 0, st->epoch++, st->epoch_loss = st->epoch_weight = 0;
}

// The first step touches all memory for the first time: it counts only while there is no other.
static void count_time(trainer *t, double took, double wait, int64_t items)
{
    if (t->state.step == t->first_step + 2) {
        t->step_seconds = t->wait_seconds = t->log_seconds = t->log_wait = t->sum_seconds = 0;
        t->timed_steps = t->timed_samples = t->log_samples = 0;
    }
    t->step_seconds += took;
    t->wait_seconds += wait;
    t->timed_steps++;
    t->timed_samples += items;
}

static double waited(const trainer *t)
{
    return t->s.train.waited ? t->s.train.waited(t->s.train.self) : 0;
}

bool trainer_step(trainer *t, err *e)
{
    double began = hw_seconds(), waited_before = waited(t);
    window w = {0};
    if (!t->seeked)
        t->s.train.seek(t->s.train.self, (uint64_t)t->state.epoch, (uint64_t)t->state.batch);
    t->seeked = true;
    profile_begin(t->profile);
    params_keep_buffers(t->p, t->buffers);
    bool ok = run_window(t, &w, e);
    if (!trainer_share(t, &w, ok, e) || !update(t, &w, e)) {
        params_restore_buffers(t->p, t->buffers);
        t->seeked = false;
        return false;
    }
    profile_end(t->profile);
    advance(t, &w);
    double took = hw_seconds() - began;
    t->longest_step = fmax(t->longest_step, took);
    t->state.seconds += took;
    count_time(t, took, waited(t) - waited_before, w.items);
    return true;
}

// ---- Evaluation

// Exchanges the weights with their averages and back again.
static void swap_ema(trainer *t)
{
    for (int i = 0; t->ema && i < t->p->n; i++) {
        const param *q = &t->p->list[i];
        float *w = params_at(t->p, i), *s = q->goffset >= 0 ? t->ema + q->goffset : NULL;
        for (int64_t k = 0; s && k < q->count; k++) {
            float keep = w[k];
            w[k] = s[k], s[k] = keep;
        }
    }
}

bool trainer_evaluate(trainer *t, metrics_result *r, err *e)
{
    double began = hw_seconds();
    t->eval->constant = t->state.evaluated < 0 ? t->guess : NULL;
    swap_ema(t);
    bool ok = evaluator_run(t->eval, &t->s.val, t->s.env, r, e);
    swap_ema(t);
    t->longest_eval = fmax(t->longest_eval, hw_seconds() - began);
    return ok;
}

// ---- Opening

int64_t trainer_whole(const train_options *o, int64_t rows, int64_t micro_batch)
{
    bool all = rows > 0 && rows < o->batch_size && (!micro_batch || rows % micro_batch == 0);
    return all ? rows : o->batch_size * o->grad_accum;
}

static void plan_steps(trainer *t)
{
    int64_t batches = (int64_t)t->s.train.batches,
            micro = t->s.micro_batch ? t->s.micro_batch : t->o->batch_size;
    int64_t whole = trainer_whole(t->o, t->s.rows, micro);
    CHECK(whole % (micro * comm_size(t->s.comm)) == 0);
    t->choice = (trainer_choice){.micro_batch = micro, .grad_accum = whole / micro};
    t->per_epoch = (batches + t->choice.grad_accum - 1) / t->choice.grad_accum;
    t->total = t->o->epochs * t->per_epoch;
    if (t->o->max_steps && t->o->max_steps < t->total)
        t->total = t->o->max_steps;
    t->warmup = schedule_warmup(&t->o->schedule, t->per_epoch);
}

static bool start_from(trainer *t, const char *run_or_file, err *e)
{
    const char *path = checkpoint_find(t->a, run_or_file, "best", e);
    checkpoint *k = path ? checkpoint_open(path, t->a, e) : NULL;
    bool ok = k && checkpoint_start(k, t->p, e);
    checkpoint_close(k);
    return ok;
}

// What a checkpoint must say, so that the factors in it can be used.
static bool describe_adapter(trainer *t, err *e)
{
    strbuf text = {0};
    char hex[65];
    bool ok = lora_config_write(&t->o->lora, t->o->model, t->o->lora_base, &text, e);
    params_fingerprint(t->p, hex);
    if (ok)
        meta_set(&t->meta, "adapter", text.s), meta_set(&t->meta, "adapter_base", hex),
            meta_set(&t->meta, "adapter_dropout", arena_printf(t->a, "%g", t->o->lora.dropout));
    strbuf_free(&text);
    return ok;
}

// What a model must beat, where the setup says it.
static bool compare(trainer *t, err *e)
{
    float *row;
    size_t n;
    if (!t->eval || !meta_get(&t->meta, "baseline"))
        return true;
    if (!meta_floats(&t->meta, "baseline", t->a, &row, &n, e))
        return false;
    if ((int64_t)n == evaluator_width(t->eval))
        evaluator_compare(t->eval, row, t->a);
    t->guess = t->eval->constant;
    return true;
}

static bool start(trainer *t, err *e)
{
    t->saved = -1;
    t->shares = arena_alloc(t->a, trainer_share_bytes(t), 1);
    if (comm_size(t->s.comm) > 1 && params_buffers(t->p) && !t->adapters)
        return err_set(e, ERR_CONFIG,
                       "%s keeps statistics of the batches that it saw, which ranks do not share; "
                       "train it in one process",
                       t->o->model->name);
    t->state.evaluated = t->state.best_step = -1;
    t->state.value = NAN;
    t->state.seed = t->o->seed;
    t->state.micro_batch = t->choice.micro_batch;
    t->meta.arena = t->a;
    for (int i = 0; t->s.meta && i < t->s.meta->n; i++)
        meta_set(&t->meta, t->s.meta->keys[i], t->s.meta->values[i]);
    if (!compare(t, e))
        return false;
    meta_set(&t->meta, "products",
             gemm_said(&t->kit.products, t->o->precision != PRECISION_FP32, t->a));
    if (*t->products)
        meta_set(&t->meta, "bf16x3", t->products);
    if (t->o->activations == ACTIVATIONS_AUTO)
        meta_set(&t->meta, "activations", precision_name(t->choice.kept));
    const char *from = t->adapters ? t->o->lora_base : t->o->init_from;
    if (from && !t->s.resume && !start_from(t, from, e))
        return err_trail(e, t->adapters ? "lora.base" : "init_from");
    if (t->adapters && !t->s.resume && !lora_begin(t->p, t->adapters, e))
        return err_trail(e, "lora.dora");
    if (t->adapters && !t->s.resume && !describe_adapter(t, e))
        return false;
    for (int i = 0; t->ema && i < t->p->n; i++)
        if (t->p->list[i].goffset >= 0)
            memcpy(t->ema + t->p->list[i].goffset, params_at(t->p, i),
                   sizeof(float) * (size_t)t->p->list[i].count);
    if (t->s.resume && !trainer_resume(t, e))
        return false;
    t->first_step = t->log_step = t->state.step;
    return true;
}

trainer *trainer_plan(const trainer_setup *s, arena *a, err *e)
{
    trainer *t = NEW(a, trainer, 1);
    t->s = *s, t->o = s->o, t->a = a;
    if (s->env->kit)
        t->kit = *s->env->kit;
    else if (!kit_choose(&t->kit, e))
        return NULL;
    plan_steps(t);
    return trainer_build(t, e) ? t : NULL;
}

trainer *trainer_open(const trainer_setup *s, arena *a, err *e)
{
    trainer *t = trainer_plan(s, a, e);
    if (t && trainer_fits(t, e) && trainer_allocate(t, e) && start(t, e))
        return t;
    trainer_close(t);
    return NULL;
}

void trainer_close(trainer *t)
{
    if (!t)
        return;
    events_close(t->events);
    run_close(t->run);
    evaluator_close(t->eval);
    if (t->ema)
        base_pages_free(t->ema, (size_t)t->p->grads_len * sizeof(float));
    if (t->work)
        base_pages_free(t->work, trainer_work_bytes(t));
    if (t->p)
        params_release(t->p);
}

void trainer_learn(trainer *t, run *r, bool anew)
{
    products_learn(t->s.env, r, anew, &t->kit.products, t->a);
    if (t->s.env->kit)
        *t->s.env->kit = t->kit;
}

void trainer_learn_products(trainer *t)
{
    trainer_learn(t, t->run, false);
    if (t->eval)
        run_multiply_by(t->eval->session->run, &t->kit.products);
}
