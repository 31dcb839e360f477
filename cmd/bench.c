// SPDX-License-Identifier: GPL-3.0-or-later
// bench.c: training steps a second of one model on one batch in memory, through the same trainer as
// `kmidi train` (of several ranks, through the trainer of each); or, for `mel`, seconds of audio
// that become mel spectrograms in a second (ten minutes of noise in memory, as data_speed.py gives
// its peers); or what bench.h names.
//
// The step of the reference: forward, loss, backward, clip at 1.0, AdamW with lr 1e-4 and weight
// decay 0.01, on random values; three steps to warm up, then the median of five slices.
#include <stdlib.h>
#include <string.h>

#include "autograd/gemm/gemm_ways.h"
#include "base/hw.h"
#include "cmd/bench.h"
#include "data/features/mel_bench.h"
#include "train/products.h"
#include "train/profile_files.h"
#include "train/sample.h"
#include "train/trainer.h"

enum { WARM_UP = 3, PROBE_CLASSES = 8, MEL_SECONDS = 600 };

static const option options[] = {
    {"batch", 'b', OPT_INT, "N", "items a step (default 16; with --inference 1)", false},
    {"length", 'l', OPT_INT, "T", "frames or tokens of an item (default 128; with --inference 1)",
     false},
    {"sizes", 0, OPT_TEXT, "TEXT", "of a model whose sizes are options, as \"layers=4 dim=128\"",
     false},
    {"precision", 0, OPT_TEXT, "P",
     PRECISION_CHOICES " (default fp32); with --generate: fp32, bf16 or int8 weights", false},
    {"lora", 0, OPT_INT, "R",
     "train adapters of rank R instead: q_proj and v_proj, or fc1, fc2, fc3 where a model has none",
     false},
    {"dora", 0, OPT_FLAG, NULL, "with --lora: by DoRA, with the lengths of rows", false},
    {"activations", 0, OPT_TEXT, "P",
     "fp32, or bf16: how what the backward pass needs is kept (default fp32)", false},
    {"recompute", 0, OPT_TEXT, "HOW",
     "none, all, or auto: what the machine's memory asks for (default none)", false},
    {"seconds", 's', OPT_NUM, "S", "how long to measure (default 5)", false},
    {"generate", 0, OPT_FLAG, NULL, "tokens a second instead, of a model that makes music", false},
    {"inference", 0, OPT_FLAG, NULL,
     "how long an answer takes instead: mean, p50, p90, p99 and most, in milliseconds", false},
    {"context", 0, OPT_INT, "N", "with --generate: tokens that are heard before (default 512)",
     false},
    {"count", 'n', OPT_INT, "N", "with --generate: pieces side by side (default 1)", false},
    {"profile", 0, OPT_COUNT, "N", "where the time of a step goes instead, the mean of N (10)",
     false},
    {"out", 'o', OPT_TEXT, "DIR",
     "of --profile: the folder of profile.txt, profile.jsonl, trace.json (default: "
     "runs/MODEL-TIME)",
     false},
    {0},
};

// What a step takes: steps a second, as rank 0 counts them, and seconds of this process' threads.
typedef struct speed {
    double rate, cpu;
} speed;

static bool slice(comm *ranks, trainer *t, double seconds, speed *s, err *e)
{
    double cpu = bench_cpu_seconds(), began = hw_seconds(), took = 0;
    int64_t n = 0;
    do {
        if (!trainer_step(t, e))
            return false;
        n++;
        took = hw_seconds() - began;
        if (!comm_broadcast(ranks, &took, sizeof took, e))
            return false;
    } while (took < seconds);
    *s = (speed){(double)n / took, (bench_cpu_seconds() - cpu) / (double)n};
    return true;
}

static bool measure(comm *ranks, trainer *t, double seconds, speed *median, err *e)
{
    double rates[BENCH_SLICES], cpus[BENCH_SLICES];
    for (int i = 0; i < WARM_UP; i++)
        if (!trainer_step(t, e))
            return false;
    for (int i = 0; i < BENCH_SLICES; i++) {
        speed s;
        if (!slice(ranks, t, seconds / BENCH_SLICES, &s, e))
            return false;
        rates[i] = s.rate, cpus[i] = s.cpu;
    }
    *median = (speed){bench_median(rates, BENCH_SLICES), bench_median(cpus, BENCH_SLICES)};
    return true;
}

static bool read_recompute(const char *how, train_options *o, err *e)
{
    static const char *const names[] = {
        [RECOMPUTE_AUTO] = "auto", [RECOMPUTE_NONE] = "none", [RECOMPUTE_ALL] = "all"};
    for (int i = RECOMPUTE_AUTO; i <= RECOMPUTE_ALL; i++)
        if (!strcmp(how, names[i])) {
            hw h;
            hw_read(&h);
            o->recompute = (train_recompute)i;
            o->budget = i == RECOMPUTE_AUTO ? h.memory_limit : UINT64_MAX;
            return true;
        }
    return err_set(e, ERR_USAGE, "--recompute takes none, auto or all, not '%s'", how);
}

static bool read_choices(cmd *c, train_options *o, int64_t *length, err *e)
{
    const char *name = option_text(c, "precision", "fp32");
    if (!(o->model = model_named(c->args[0], e)))
        return false;
    o->model = model_configure(o->model, option_text(c, "sizes", NULL), c->arena, e);
    if (!o->model)
        return false;
    if (!precision_find(name, &o->precision) || o->precision == PRECISION_INT8)
        return err_set(e, ERR_USAGE, "--precision takes " PRECISION_CHOICES ", not '%s'", name);
    precision kept;
    if (!cmd_narrow(c, "activations", false, &kept, e))
        return false;
    o->activations = kept == PRECISION_BF16 ? ACTIVATIONS_BF16 : ACTIVATIONS_FP32;
    if (!read_recompute(option_text(c, "recompute", "none"), o, e))
        return false;
    o->batch_size = option_int(c, "batch", 16);
    *length = option_int(c, "length", 128);
    if (o->batch_size < 1 || o->batch_size > 65536 || *length < 1 || *length > 65536)
        return err_set(e, ERR_USAGE, "--batch and --length take numbers from 1 to 65536");
    return true;
}

// The targets of the reference's --lora.
static bool choose_adapters(train_options *o, int64_t rank, bool dora, err *e)
{
    static const char *const names[] = {"q_proj", "v_proj", "fc1", "fc2", "fc3"};
    arena a = {.name = "layers"};
    o->lora = (lora_config){.r = rank,
                            .alpha = 2 * (double)rank,
                            .dora = dora,
                            .together = true,
                            .targets.names = {names, 2}};
    if (!lora_match(&o->lora, o->model, false, &a, NULL))
        o->lora.targets.names = (lora_names){names + 2, 3};
    bool ok = lora_match(&o->lora, o->model, false, &a, e) != NULL;
    arena_free(&a);
    return ok || err_trail(e, "--lora");
}

static train_options reference_step(void)
{
    train_options o = {.grad_accum = 1,
                       .epochs = 1 << 30,
                       .seed = 1,
                       .grad_clip = 1.0,
                       .monitor = "loss",
                       .budget = UINT64_MAX,
                       .budget_from = "bench"};
    o.optim = optim_find("adamw");
    o.hyper = o.optim->defaults;
    o.hyper.lr = 1e-4f;
    o.hyper.weight_decay = 0.01f;
    o.schedule = (schedule_options){.curve = schedule_find("constant")};
    return o;
}

static void bench_report(cmd *c, trainer *t, const train_options *o, const model_dims *d,
                         const speed *s)
{
    model_dims adapted = *d;
    if (o->lora.r)
        adapted.adapters = lora_match(&o->lora, o->model, false, c->arena, NULL);
    trainer_memory m = trainer_predict(t);
    uint64_t peak_rss = hw_peak_rss(); // before gemm_peak takes memory of its own
    double ranks = comm_size(c->ranks),
           gflops = ranks * s->rate * (double)model_flops(o->model, &adapted) * 1e-9,
           peak = gemm_peak(&c->env.kit->products, c->env.pool, threads_count(c->env.pool));
    json *j = json_object();
    json_set_str(j, "model", o->model->name);
    json_set_int(j, "batch", o->batch_size);
    json_set_int(j, "length", d->time);
    json_set_str(j, "precision", precision_name(o->precision));
    json_set_int(j, "lora", o->lora.r);
    json_set_bool(j, "dora", o->lora.dora);
    json_set_int(j, "recomputed", trainer_chosen(t).recomputed);
    json_set_str(j, "activations", precision_name(trainer_chosen(t).kept));
    json_set_int(j, "segments", trainer_chosen(t).segments);
    json_set_int(j, "trainable", params_count(trainer_params(t), true));
    json_set_int(j, "threads", threads_count(c->env.pool));
    json_set_int(j, "ranks", comm_size(c->ranks));
    json_set_str(j, "products",
                 gemm_said(&trainer_kit(t)->products, o->precision != PRECISION_FP32, c->arena));
    json_set_num(j, "steps_per_s", s->rate);
    json_set_num(j, "cpu_ms", 1e3 * s->cpu);
    json_set_int(j, "peak_rss_mb", (int64_t)(peak_rss >> 20));
    json_set_int(j, "arena_bytes", (int64_t)m.arena);
    json_set_num(j, "gflops", gflops);
    json_set_num(j, "gemm_peak_gflops", peak);
    cmd_json(c, j);
    cmd_print(
        c, "%s, batch %lld, length %lld, %d threads: %.4g steps/s, %.4g GFLOP/s of %.4g, %llu MiB",
        o->model->name, (long long)o->batch_size, (long long)d->time, threads_count(c->env.pool),
        s->rate, gflops, peak, (unsigned long long)(peak_rss >> 20));
}

static bool bench_mel(cmd *c, err *e)
{
    if (!cmd_threads(c, 0, e))
        return false;
    double rate = mel_bench(c->env.pool, MEL_SECONDS, BENCH_SLICES, e);
    if (rate <= 0)
        return false;
    json *j = json_object();
    json_set_str(j, "feature", "mel");
    json_set_num(j, "audio_s_per_s", rate);
    json_set_int(j, "threads", threads_count(c->env.pool));
    json_set_int(j, "peak_rss_mb", (int64_t)(hw_peak_rss() >> 20));
    cmd_json(c, j);
    cmd_print(c,
              "mel, 44.1 kHz, 2048/512, 128 bands, dB, %d threads: %.0f seconds of audio a second",
              threads_count(c->env.pool), rate);
    return true;
}

static bool bench_profile(cmd *c, trainer *t, err *e)
{
    const profile *f = trainer_profile(t);
    const char *dir = option_text(c, "out", NULL);
    strbuf text = {0};
    while (!profile_complete(f))
        if (!trainer_step(t, e))
            return false;
    if (!dir)
        dir = folder_name(c->args[0], c->arena);
    if (!profile_write(f, dir, e))
        return false;
    profile_ops(f, &text);
    json *j = json_object();
    json_set_str(j, "profile", dir);
    cmd_json(c, j);
    cmd_print(c, "%s\nEvery node: %s/profile.txt; trace.json beside it opens in ui.perfetto.dev",
              text.s, dir);
    strbuf_free(&text);
    return true;
}

static bool bench_model(cmd *c, trainer *t, const train_options *o, const model_dims *d, err *e)
{
    speed s = {0};
    if (trainer_profile(t))
        return bench_profile(c, t, e);
    if (!measure(c->ranks, t, option_num(c, "seconds", 5), &s, e))
        return false;
    if (!comm_rank(c->ranks))
        bench_report(c, t, o, d, &s);
    return true;
}

// What is of training steps alone would be left unsaid; --generate has no batch and no length,
// either.
static const char *const of_steps[] = {"profile", "lora", "dora", "recompute", "activations", NULL},
                         *const of_batches[] = {"batch", "length", NULL};

static bool takes_none(cmd *c, const char *instead, const char *const *list, err *e)
{
    for (; *list; list++)
        if (option_given(c, *list))
            return err_set(
                e, ERR_USAGE,
                "--%s is of training steps, and --%s measures none; leave one of them out", *list,
                instead);
    return true;
}

// One batch, which every rank takes.
static sample_set same_for_each(cmd *c, const model_def *m, const model_dims *d)
{
    sample_set set = {.n = (uint64_t)comm_size(c->ranks)};
    set.list = NEW(c->arena, batch *, (size_t)set.n);
    set.list[0] = sample_batch(m, d, 1, 0, c->arena);
    for (uint64_t i = 1; i < set.n; i++)
        set.list[i] = set.list[0];
    return set;
}

// Training steps of a model.
static bool bench_steps(cmd *c, err *e)
{
    train_options o = reference_step();
    int64_t length = 0, rank = option_int(c, "lora", 0);
    if (option_given(c, "out") && !option_given(c, "profile"))
        return err_set(e, ERR_USAGE, "--out is of --profile, which is not given");
    if (option_given(c, "dora") && !rank)
        return err_set(e, ERR_USAGE, "--dora is of --lora, which is not given");
    if (!read_choices(c, &o, &length, e) ||
        (rank && !choose_adapters(&o, rank, option_given(c, "dora"), e)) ||
        !comm_open(&c->ranks, e) || !trainer_shares(c->ranks, o.batch_size, 0, e) ||
        !cmd_threads(c, 0, e) || !products_open(&c->env, c->arena, e))
        return false;
    model_dims d = {.batch = o.batch_size / comm_size(c->ranks),
                    .time = length,
                    .classes = o.model->probe ? PROBE_CLASSES : 0,
                    .training = true};
    sample_set set = same_for_each(c, o.model, &d);
    trainer_setup s = {.o = &o,
                       .env = &c->env,
                       .comm = c->ranks,
                       .micro_batch = d.batch,
                       .train = sample_source(&set),
                       .classes = d.classes,
                       .time = length,
                       .profile_steps = option_count(c, "profile", PROFILE_STEPS)};
    trainer *t = trainer_open(&s, c->arena, e);
    if (t)
        trainer_learn_products(t);
    bool ok = comm_agree(c->ranks, t != NULL, e) && trainer_share_gradients(t, e) &&
              bench_model(c, t, &o, &d, e);
    trainer_close(t);
    return ok;
}

static bool bench_run(cmd *c, err *e)
{
    if (!strcmp(c->args[0], "mel"))
        return bench_mel(c, e);
    if (!strcmp(c->args[0], "attention"))
        return bench_attention(c, e);
    if (!strcmp(c->args[0], "sum"))
        return bench_sum(c, e);
    if (option_given(c, "generate"))
        return takes_none(c, "generate", of_steps, e) && takes_none(c, "generate", of_batches, e) &&
               bench_generate(c, e);
    if (option_given(c, "inference"))
        return takes_none(c, "inference", of_steps, e) && bench_inference(c, e);
    return bench_steps(c, e);
}
const command cmd_bench = {
    .name = "bench",
    .summary = "Measures the speed of a model, of attention, of mel spectrograms or of ranks",
    .usage = "MODEL|attention|mel|sum [--batch N] [--length T] [--lora R] [--generate] "
             "[--inference] [--profile]",
    .options = options,
    .args_min = 1,
    .args_max = 1,
    .example = "kmidi bench emotion_recognizer --batch 64 --length 64 --threads 2 --json\n"
               "kmidi bench emotion_midi_transformer --generate --context 512 --threads 2\n"
               "kmidi bench dynamics_engine --inference --threads 1",
    .run = bench_run,
};
