// SPDX-License-Identifier: GPL-3.0-or-later
// trainer_build.c: from options to networks, plans and buffers; and how much memory they will take.
//
// The prediction is made before anything large is allocated. What plans and parameter tables say is
// exact; what the libraries take beside it (GEMM packing buffers, HDF5's caches while a checkpoint
// is written) is stated below as measured.
#include <math.h>
#include <string.h>

#include "autograd/gemm/gemm.h"
#include "autograd/passes/fuse.h"
#include "autograd/passes/recompute.h"
#include "base/hw.h"
#include "base/str.h"
#include "train/trainer_internal.h"

// Resident bytes that appear with the first step and the first save, after the libraries were
// opened: their buffers, HDF5's while a checkpoint is written; and for each thread what it packs of
// a weight. Chosen so that the measured peak (VmHWM) of runs of 13,520 to 24,984,192 parameters and
// batches of 2 to 256, on 1 and 2 threads, by either library or both, lies 0 to 9 MiB below the
// prediction.
enum { PACKED_MOST = 4 << 20 };
static const uint64_t library_bytes[] = {
    [GEMM_OPENBLAS] = 19 << 19, [GEMM_ONEDNN] = 25 << 19, [GEMM_OWN] = 0};

static uint64_t packed_bytes(const params *p)
{
    uint64_t most = 0;
    for (int i = 0; i < p->n; i++) {
        uint64_t bytes = sizeof(float) * (uint64_t)p->list[i].count;
        most = bytes > most ? bytes : most;
    }
    return most < PACKED_MOST ? most : PACKED_MOST;
}

static model_dims dims_of(const trainer *t, bool training)
{
    return (model_dims){.batch =
                            !training && t->s.eval_batch ? t->s.eval_batch : t->choice.micro_batch,
                        .time = t->s.time,
                        .classes = t->s.classes,
                        .label_smoothing = training ? t->o->label_smoothing : 0,
                        .affect_weight = training ? t->o->affect_weight : 0,
                        .training = training,
                        .mixed = training && t->o->data.mixup > 0,
                        .adapters = t->adapters};
}

// What a resumed run wrote down when it began; NULL: nothing, or it is a new run.
static bool said_before(const trainer *t, const char *key, const char **said, err *e)
{
    *said = NULL;
    if (!t->s.resume)
        return true;
    checkpoint *k = checkpoint_open(t->s.resume, t->a, e);
    if (k && meta_get(&k->meta, key))
        *said = arena_strdup(t->a, meta_get(&k->meta, key));
    checkpoint_close(k);
    return k != NULL;
}

// What a step leaves behind: gradients and the loss.
static void fuse(trainer *t)
{
    tensor **held = NEW(t->a, tensor *, (size_t)t->p->n + 1);
    memcpy(held, t->net->grads, sizeof *held * (size_t)t->p->n);
    held[t->p->n] = t->net->loss_sum;
    fuse_additions(t->net->g, held, t->p->n + 1);
    fuse_casts(t->net->g, held, t->p->n + 1);
}

static bool build_train(trainer *t, err *e)
{
    model_dims d = dims_of(t, true);
    const char *chosen = NULL;
    if (t->o->precision == PRECISION_BF16X3 && !said_before(t, "bf16x3", &chosen, e))
        return false;
    t->net = model_build(t->o->model, t->p, &d, t->a, e);
    if (!t->net)
        return false;
    t->products = precision_products(t->net->g, t->o->precision, &t->kit, chosen);
    if (t->choice.kept == PRECISION_BF16)
        precision_store(t->net->g);
    fuse(t);
    params_layout(t->p);
    t->expected_weight = (double)shape_count(t->net->weight->shape) * (double)t->choice.grad_accum;
    return true;
}

static bool build_eval(trainer *t, err *e)
{
    model_dims d = dims_of(t, false);
    if (!t->s.val.batches)
        return true;
    t->eval = evaluator_plan(t->o->model, t->p, &d, &t->kit, t->threads, t->a, e);
    return t->eval != NULL;
}

// params_declare has the shapes; gradients are laid out by params_allocate, so its length is summed
// here.
static uint64_t grads_bytes(const trainer *t)
{
    uint64_t n = 0;
    for (int i = 0; i < t->p->n; i++)
        n += t->p->list[i].trainable ? ((uint64_t)t->p->list[i].count + 15) / 16 * 16 : 0;
    return n * sizeof(float);
}

static uint64_t ema_bytes(const trainer *t)
{
    return t->o->ema > 0 ? grads_bytes(t) : 0;
}

size_t trainer_work_bytes(const trainer *t)
{
    return sizeof(float) * (size_t)optim_work(t->o->optim, t->p, t->threads);
}

// All but the activations of a step.
static void predict_rest(trainer *t)
{
    trainer_memory *m = &t->memory;
    m->base = t->s.base_bytes ? t->s.base_bytes : hw_rss();
    m->params = params_bytes(t->p, t->o->optim->moments) + ema_bytes(t) + trainer_work_bytes(t);
    m->eval = t->eval
                  ? plan_bytes(t->eval->session->plan) + evaluator_share_bytes(t->eval, t->s.comm)
                  : 0;
    m->loader = t->s.other_bytes + comm_bytes(t->s.comm, grads_bytes(t));
    m->libraries = library_bytes[t->kit.products.first] + (uint64_t)t->threads * packed_bytes(t->p);
    m->peak = m->base + m->params + m->eval + m->loader + m->libraries;
}

// The plan of a step that makes the first `n` of `order` again.
static plan *plan_with(trainer *t, const segments *s, const int *order, int n, err *e)
{
    bool *chosen = NEW(t->a, bool, (size_t)s->n + 1);
    tensor **outputs = NEW(t->a, tensor *, 1);
    outputs[0] = t->net->loss_sum;
    for (int i = 0; i < n; i++)
        chosen[order[i]] = true;
    plan_options po = {.kit = &t->kit,
                       .threads = t->threads,
                       .outputs = outputs,
                       .n_outputs = 1,
                       .params = t->p,
                       .grads = t->net->grads,
                       .grad_mode = trainer_own(t) > 1 ? GRAD_ADD : GRAD_STORE};
    return plan_make(n ? recompute_graph(t->net->g, s, chosen, t->a) : t->net->g, &po, t->a, e);
}

static bool fits_with(trainer *t, const segments *s, const int *order, int n)
{
    arena_mark m = arena_save(t->a);
    const plan *p = plan_with(t, s, order, n, NULL);
    bool fits = p && t->memory.peak + plan_bytes(p) <= t->o->budget;
    arena_rewind(t->a, m);
    return fits;
}

// The fewest that must be made again for the step to fit: a search by halves, as each more makes
// the plan smaller, or hardly larger. None is tried first: where activations are rounded, a few may
// well make it larger.
static int fewest(trainer *t, const segments *s, const int *order)
{
    int lo = 1, hi = s->n;
    if (!s->n || fits_with(t, s, order, 0))
        return 0;
    while (lo < hi) {
        int n = (lo + hi) / 2;
        if (fits_with(t, s, order, n))
            hi = n;
        else
            lo = n + 1;
    }
    return lo;
}

static bool make_plan(trainer *t, err *e)
{
    segments s = recompute_segments(t->net->g, &t->kit, t->a);
    const int *order = recompute_order(&s, t->a);
    int n = t->o->recompute == RECOMPUTE_NONE  ? 0
            : t->o->recompute == RECOMPUTE_ALL ? s.n
                                               : fewest(t, &s, order);
    t->choice.recomputed = n, t->choice.segments = s.n;
    t->plan = plan_with(t, &s, order, n, e);
    if (!t->plan)
        return false;
    t->choice.seconds =
        (double)trainer_own(t) * cost_seconds(t->s.costs, t->plan) + t->s.update_seconds;
    t->memory.arena = plan_bytes(t->plan);
    t->memory.peak += t->memory.arena;
    return true;
}

bool trainer_fits(const trainer *t, err *e)
{
    char need[32], have[32];
    bool bound = t->o->micro_batch || t->o->recompute == RECOMPUTE_NONE;
    if (t->memory.peak <= t->o->budget)
        return true;
    if (t->o->room.name)
        return room_refuse(e, "this run", t->o->room.left + t->memory.peak - t->o->budget, 0);
    uint64_t mib = (t->memory.peak + (1 << 20) - 1) >> 20;
    return err_set(e, ERR_BUDGET,
                   "this run needs %s, over the budget of %s (%s); the smallest budget it can run "
                   "in is memory.budget=%lluMiB%s%s",
                   str_human_bytes(t->memory.peak, need), str_human_bytes(t->o->budget, have),
                   t->o->budget_from, (unsigned long long)mib,
                   bound ? " (memory.micro_batch=auto and memory.recompute=auto may need less)"
                   : t->choice.kept != PRECISION_BF16 ? " (memory.activations=auto may need less)"
                                                      : "",
                   train_bound(t->o) ? "; its norms need train.batch_size items at once, and a "
                                       "smaller one with more of train.grad_accum needs less"
                                     : "");
}

static bool open_runs(trainer *t, err *e)
{
    t->run = run_open(t->plan, t->p, t->s.env->pool, t->a, e);
    if (!t->run)
        return false;
    *(float *)run_input(t->run, "scale") = (float)(1.0 / t->expected_weight);
    if (t->eval)
        evaluator_share(t->eval, t->s.comm, t->a);
    return !t->eval || evaluator_open(t->eval, t->s.env->pool, e);
}

static bool open_weights(trainer *t, err *e)
{
    if (!params_allocate(t->p, t->o->optim->moments, e))
        return false;
    if (t->o->ema > 0 && !(t->ema = base_pages((size_t)t->p->grads_len * sizeof(float))))
        return err_set(e, ERR_MEMORY, "no memory for averaged weights; set train.ema=0");
    if (trainer_work_bytes(t) && !(t->work = base_pages(trainer_work_bytes(t))))
        return err_set(e, ERR_MEMORY,
                       "no memory for the optimiser to work in; set optim.name=adamw");
    t->buffers = NEW(t->a, float, (size_t)params_buffers(t->p) + 1);
    params_init(t->p, (uint64_t)t->o->seed);
    return true;
}

static bool build(trainer *t, err *e)
{
    t->p = params_open(t->a);
    if (t->o->lora.r && !(t->adapters = lora_match(&t->o->lora, t->o->model, true, t->a, e)))
        return err_trail(e, "lora");
    if (!build_train(t, e) || !build_eval(t, e))
        return false;
    predict_rest(t);
    return true;
}

// How what lives from forward to backward is kept. open: it is rounded if it does not fit as it is.
// A resumed run does as it did, whatever fits now: rounding is seen in its numbers.
static bool choose_kept(trainer *t, bool *open, err *e)
{
    const char *before = NULL;
    bool is_auto = t->o->activations == ACTIVATIONS_AUTO && t->o->precision != PRECISION_BF16;
    t->choice.kept = t->o->precision == PRECISION_BF16 || t->o->activations == ACTIVATIONS_BF16
                         ? PRECISION_BF16
                         : PRECISION_FP32;
    if (is_auto && !said_before(t, "activations", &before, e))
        return false;
    *open = is_auto && !(before && precision_find(before, &t->choice.kept));
    return true;
}

bool trainer_build(trainer *t, err *e)
{
    bool open;
    t->threads = threads_count(t->s.env->pool);
    if (!choose_kept(t, &open, e) || !build(t, e))
        return false;
    if (open && !fits_with(t, &(segments){0}, NULL, 0)) {
        t->choice.kept = PRECISION_BF16;
        if (!build(t, e))
            return false;
    }
    return make_plan(t, e);
}

bool trainer_allocate(trainer *t, err *e)
{
    if (!open_weights(t, e) || !open_runs(t, e))
        return false;
    if (t->s.profile_steps)
        t->profile =
            profile_open(t->plan, t->s.env->pool, t->s.profile_steps, t->o->grad_accum, t->a);
    return true;
}
