// SPDX-License-Identifier: GPL-3.0-or-later
// trainer.c (tests): the loop on data in memory: accumulation, resuming, stopping, early stopping,
// numbers that are not finite.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/gemm/gemm_bf16.h"
#include "base/file.h"
#include "tests/train/small.h"
#include "train/trainer_internal.h"

// ---- Accumulation

static double after_steps(small_run *s, int steps, float *weights)
{
    err e = {0};
    trainer *t = trainer_open(&s->setup, &s->a, &e);
    EXPECT_OK(t != NULL, e);
    for (int i = 0; t && i < steps; i++)
        EXPECT_OK(trainer_step(t, &e), e);
    double loss = t ? trainer_state(t)->last_loss : NAN;
    if (t)
        memcpy(weights, trainer_params(t)->weights,
               sizeof(float) * (size_t)trainer_params(t)->weights_len);
    trainer_close(t);
    return loss;
}

// Two epochs of a window of 8 rows and a short one of 4: as two large batches (the second half
// empty), and as three of 4 rows each.
static void accumulation_of(const char *model)
{
    small_run large, small;
    small_open(&large, model, 8, 2), small_open(&small, model, 4, 3);
    memset(feed_find(large.set.list[1], "weight")->data, 0, 0);
    float *weight = (float *)(uintptr_t)feed_find(large.set.list[1], "weight")->data;
    for (int i = 4; i < 8; i++)
        weight[i] = 0;
    large.set.list[1]->items = 4, large.set.list[1]->weight = 4;
    small.set.list[0] = small_part(large.set.list[0], 0, 4, &small.a);
    small.set.list[1] = small_part(large.set.list[0], 4, 4, &small.a);
    small.set.list[2] = small_part(large.set.list[1], 0, 4, &small.a);
    small.o.grad_accum = 2;
    size_t n = 1 << 20;
    float *x = NEW(&large.a, float, n), *y = NEW(&large.a, float, n);
    double a = after_steps(&large, 4, x), b = after_steps(&small, 4, y);
    EXPECT_NEAR(a, b, 1e-6 * fabs(a));
    // Adam's first steps are lr long however small a gradient: its rounding shows
    EXPECT_BELOW(test_distance(y, x, n), 1e-4);
    small_close(&large), small_close(&small);
}

TEST(trainer_accumulation_equals_a_large_batch)
{
    accumulation_of("dynamics_engine");
    accumulation_of("harmony_predictor");
    accumulation_of("emotion_recognizer");
}

// ---- Resuming

static char *read_metrics(folder *f, arena *a)
{
    size_t n;
    err e = {0};
    char *text = file_read(a, folder_file(f, "metrics.jsonl", a), 1 << 24, &n, &e);
    EXPECT_OK(text != NULL, e);
    return text ? small_without_clock(text) : arena_strdup(a, "");
}

typedef struct outcome {
    float *weights, *moment;
    char *metrics;
    checkpoint_state state;
} outcome;

static outcome finish(small_run *s, const char *dir, const char *resume, arena *keep)
{
    err e = {0};
    outcome o = {0};
    trainer_result r = {0};
    char path[1100];
    snprintf(path, sizeof path, "%s/checkpoints/last.h5", dir);
    s->setup.resume = resume ? path : NULL;
    trainer *t = trainer_open(&s->setup, &s->a, &e);
    folder *f = !t       ? NULL
                : resume ? folder_reopen(dir, NULL, &s->a, &e)
                         : folder_create(dir, false, NULL, &s->a, &e);
    EXPECT_OK(t && f && trainer_attach(t, f, &e) && trainer_run(t, &r, &e), e);
    if (t && f) {
        const params *p = trainer_params(t);
        o.weights = NEW(keep, float, (size_t)p->weights_len + 1),
        o.moment = NEW(keep, float, (size_t)p->grads_len + 1);
        memcpy(o.weights, p->weights, sizeof(float) * (size_t)p->weights_len);
        memcpy(o.moment, p->moment[0], sizeof(float) * (size_t)p->grads_len);
        o.metrics = read_metrics(f, keep);
        o.state = *trainer_state(t);
    }
    trainer_close(t), folder_close(f);
    s->setup.resume = NULL;
    return o;
}

static bool stop_countdown(void *user)
{
    int *left = user;
    return --*left < 0;
}

static void resumes_in(precision how)
{
    small_run s;
    arena keep = {0};
    small_open(&s, "emotion_recognizer", 4, 5);
    small_validate(&s, 2);
    s.o.precision = how;
    s.o.grad_accum = 2, s.o.epochs = 4, s.o.log_every = 2, s.o.eval_every = 1, s.o.save_every = 1,
    s.o.keep_top_k = 2, s.o.ema = 0.9f;
    s.o.schedule = (schedule_options){.curve = schedule_find("cosine"), .warmup_steps = 3};
    outcome whole = finish(&s, test_path(precision_name(how)), NULL, &keep);
    EXPECT_INT(whole.state.step, 12);
    char dir[1024];
    snprintf(dir, sizeof dir, "%s-parts", test_path(precision_name(how)));
    int parts = 0;
    outcome last = {0};
    // stopped again and again, now between steps, now during evaluation
    for (bool done = false; !done && parts < 40; parts++) {
        int left = 1 + parts % 4;
        env v = *s.setup.env;
        v.stop = stop_countdown, v.user = &left;
        s.setup.env = &v;
        last = finish(&s, dir, parts ? dir : NULL, &keep);
        s.setup.env = &s.env;
        done = last.state.step == 12 && last.state.evaluated == 12;
    }
    EXPECT(parts > 3);
    size_t n = (size_t)small_weights(&s);
    EXPECT(!memcmp(whole.weights, last.weights, sizeof(float) * n));
    EXPECT_STR(last.metrics, whole.metrics);
    EXPECT_INT(last.state.best_step, whole.state.best_step);
    EXPECT(last.state.best == whole.state.best);
    EXPECT_INT(
        test_shell(NULL,
                   "ls %s/checkpoints | grep -c epoch | grep -qx 2 && ls %s/checkpoints/last.h5 "
                   "%s/checkpoints/best.h5 %s/checkpoints/previous.h5",
                   dir, dir, dir, dir),
        0);
    small_close(&s);
    arena_free(&keep);
}

TEST(trainer_resumes_bit_for_bit)
{
    setenv("KMIDI_BF16", "widen", 1); // so that bf16x3 is not fp32 on machines where that is faster
    resumes_in(PRECISION_FP32);
    resumes_in(PRECISION_BF16X3);
    resumes_in(PRECISION_BF16);
}

static bool stop_at_the_end(void *user)
{
    trainer *const *t = user;
    return *t && trainer_state(*t)->step == 12;
}

// The last step was saved without its evaluation; when that was made up for, it is saved again.
TEST(trainer_saves_what_it_made_up_for)
{
    small_run s;
    err e = {0};
    trainer_result r = {0};
    trainer *t = NULL;
    arena keep = {0};
    const char *dir = arena_strdup(&keep, test_path("run"));
    small_open(&s, "emotion_recognizer", 4, 5);
    small_validate(&s, 2);
    s.o.grad_accum = 2, s.o.epochs = 4, s.o.eval_every = 1, s.o.save_every = 1;
    env v = *s.setup.env;
    v.stop = stop_at_the_end, v.user = &t;
    s.setup.env = &v;
    t = trainer_open(&s.setup, &s.a, &e);
    folder *f = folder_create(dir, false, NULL, &s.a, &e);
    EXPECT_OK(t && f && trainer_attach(t, f, &e) && trainer_run(t, &r, &e), e);
    EXPECT(r.stopped && t && trainer_state(t)->evaluated == 9);
    trainer_close(t), folder_close(f);
    s.setup.env = &s.env;
    outcome o = finish(&s, dir, dir, &keep);
    EXPECT_INT(o.state.evaluated, 12);
    checkpoint *k = checkpoint_open(test_path("run/checkpoints/last.h5"), &keep, &e);
    EXPECT_OK(k != NULL, e);
    EXPECT(k && k->state.evaluated == 12 && k->state.waited == o.state.waited);
    checkpoint_close(k);
    small_close(&s);
    arena_free(&keep);
}

// ---- Ends

TEST(trainer_stops_at_numbers_that_are_not_finite)
{
    small_run s;
    err e = {0};
    trainer_result r;
    small_open(&s, "dynamics_engine", 4, 3);
    ((float *)s.set.list[2]->field[0].data)[5] = NAN;
    const char *paths[] = {"a.wav", "b.wav", "c.wav", "d.wav"};
    s.set.list[2]->paths = paths;
    trainer *t = trainer_open(&s.setup, &s.a, &e);
    EXPECT_OK(t != NULL, e);
    EXPECT_ERR(trainer_run(t, &r, &e), e, ERR_NUMERIC,
               "step 3: the gradient is not finite (nan) in a batch with 'a.wav', 'b.wav', 'c.wav' "
               "and 1 more");
    EXPECT_INT(trainer_state(t)->step, 2);
    trainer_close(t);
    small_close(&s);
}

TEST(trainer_stops_early)
{
    small_run s;
    err e = {0};
    trainer_result r = {0};
    small_open(&s, "groove_predictor", 8, 2);
    small_validate(&s, 1);
    s.o.hyper.lr = 0; // no progress at all
    s.o.epochs = 50, s.o.eval_every = 1, s.o.patience = 3, s.o.min_epochs = 6;
    trainer *t = trainer_open(&s.setup, &s.a, &e);
    EXPECT_OK(t && trainer_run(t, &r, &e), e);
    EXPECT(r.early);
    EXPECT_INT(r.steps, 12);
    EXPECT_INT(r.best_step, 2);
    trainer_close(t);
    small_close(&s);
}

TEST(trainer_refuses_what_is_over_budget)
{
    small_run s;
    err e = {0};
    small_open(&s, "emotion_recognizer", 64, 1);
    s.o.budget = 1 << 20, s.o.budget_from = "memory.budget";
    EXPECT_ERR(trainer_open(&s.setup, &s.a, &e) != NULL, e, ERR_BUDGET,
               "the smallest budget it can run in is memory.budget=");
    small_close(&s);
}

TEST(trainer_clips_and_averages)
{
    small_run s;
    err e = {0};
    small_open(&s, "dynamics_engine", 8, 1);
    s.o.optim = optim_find("sgd"), s.o.hyper = s.o.optim->defaults;
    s.o.hyper.lr = 1, s.o.hyper.weight_decay = 0, s.o.grad_clip = 0.01;
    trainer *t = trainer_open(&s.setup, &s.a, &e);
    EXPECT_OK(t != NULL, e);
    int64_t n = trainer_params(t)->weights_len;
    float *before = NEW(&s.a, float, (size_t)n);
    memcpy(before, trainer_params(t)->weights, sizeof(float) * (size_t)n);
    EXPECT_OK(trainer_step(t, &e), e);
    double moved = 0;
    for (int64_t i = 0; i < n; i++)
        moved += pow((double)trainer_params(t)->weights[i] - (double)before[i], 2);
    EXPECT_NEAR(sqrt(moved), 0.01, 1e-5);
    trainer_close(t);
    small_close(&s);
}

// ---- Averaged weights

// decay 0.999 after one step is (1 + 0) / (10 + 0): a tenth of the weights that training began with
TEST(trainer_averages_little_in_its_first_steps)
{
    small_run s;
    err e = {0};
    small_open(&s, "dynamics_engine", 4, 2);
    s.o.ema = 0.999f;
    trainer *t = trainer_open(&s.setup, &s.a, &e);
    EXPECT_OK(t != NULL, e);
    const params *p = trainer_params(t);
    int64_t at = p->list[0].offset, shadow = p->list[0].goffset;
    float first = p->weights[at];
    EXPECT_OK(trainer_step(t, &e), e);
    EXPECT(p->weights[at] != first);
    EXPECT_NEAR(t->ema[shadow], 0.1f * first + 0.9f * p->weights[at], 1e-7);
    trainer_close(t);
    small_close(&s);
}
