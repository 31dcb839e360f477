// SPDX-License-Identifier: GPL-3.0-or-later
// split.c: however many items are computed at once, a configuration gives one loss curve: dropout
// and the last short window included.
#include <math.h>
#include <string.h>

#include "tests/train/small.h"
#include "train/search.h"
#include "train/trainer_internal.h"

// items of a window; of the epoch's last; optimiser steps, ten epochs
enum { WHOLE = 8, SHORT = 5, STEPS = 20 };

static void adapt(train_options *o)
{
    static const char *const names[] = {"q_proj", "up_proj", "fc1", "fc3"};
    bool transformer = !strcmp(o->model->name, "emotion_midi_transformer");
    o->lora = (lora_config){
        .r = 4, .alpha = 8, .dropout = 0.3, .targets.names = {transformer ? names : names + 2, 2}};
}

static void small_model(small_run *s, const char *model, int64_t rows, int batches)
{
    err e = {0};
    small_open(s, model, rows, batches);
    if (strcmp(model, "emotion_midi_transformer"))
        return;
    const model_def *m = model_configure(
        s->o.model, "layers=2 dim=32 heads=2 ffn=48 cross=0 emotion_tokens=2", &s->a, &e);
    EXPECT_OK(m != NULL, e);
    s->o.model = m;
}

// Windows of 8 items and of 5, computed `micro` at a time; rows that are not there have weight 0.
static void open_split(small_run *s, const char *model, int64_t micro)
{
    small_model(s, model, WHOLE, 2);
    batch *whole[2] = {s->set.list[0], s->set.list[1]};
    const batch_field *weight = feed_find(whole[1], "weight");
    int64_t each = weight->rank == 2 ? weight->dim[1] : 1, parts = WHOLE / micro,
            some = (SHORT + micro - 1) / micro;
    for (int64_t i = SHORT * each; i < WHOLE * each; i++)
        ((float *)weight->data)[i] = 0;
    s->set.list = NEW(&s->a, batch *, (size_t)(2 * parts));
    for (int64_t k = 0; k < parts + some; k++)
        s->set.list[k] = small_part(whole[k / parts], k % parts * micro, micro, &s->a);
    s->set.n = (uint64_t)(parts + some);
    s->setup.train = sample_source(&s->set);
    s->setup.micro_batch = micro;
    adapt(&s->o);
}

static void curve_kept(const char *model, int64_t micro, train_activations kept, double *loss)
{
    small_run s;
    err e = {0};
    open_split(&s, model, micro);
    s.o.activations = kept;
    trainer *t = trainer_open(&s.setup, &s.a, &e);
    EXPECT_OK(t != NULL, e);
    for (int i = 0; t && i < STEPS; i++) {
        EXPECT_OK(trainer_step(t, &e), e);
        loss[i] = trainer_state(t)->last_loss;
    }
    trainer_close(t);
    small_close(&s);
}

static void curve(const char *model, int64_t micro, double *loss)
{
    curve_kept(model, micro, ACTIVATIONS_FP32, loss);
}

TEST(split_gives_one_loss_curve)
{
    static const char *const models[] = {"emotion_recognizer", "melody_transformer",
                                         "emotion_midi_transformer"};
    for (int k = 0; k < 3; k++) {
        double whole[STEPS], parts[STEPS];
        curve(models[k], WHOLE, whole);
        EXPECT_BELOW(whole[STEPS - 1], whole[1]);
        for (int64_t micro = WHOLE / 2; micro >= 1; micro /= 2) {
            curve(models[k], micro, parts);
            for (int i = 0; i < STEPS; i++)
                test_expect(fabs(parts[i] - whole[i]) <= 1e-5 * fabs(whole[i]), __FILE__, __LINE__,
                            "%s, %lld at once: step %d %.9g, not %.9g", models[k], (long long)micro,
                            i, parts[i], whole[i]);
        }
    }
}

TEST(split_learns_the_same_from_rounded_activations)
{
    static const char *const models[] = {"emotion_recognizer",
                                         // the other's tensors are too small to be rounded here
                                         "melody_transformer"};
    for (int k = 0; k < 2; k++) {
        double exact[STEPS], rounded[STEPS], most = 0;
        curve(models[k], WHOLE, exact);
        curve_kept(models[k], WHOLE, ACTIVATIONS_BF16, rounded);
        EXPECT_NEAR(rounded[0], exact[0], 0); // the forward pass is as it was
        for (int i = 1; i < STEPS; i++)
            most = larger(most, fabs(rounded[i] / exact[i] - 1));
        test_expect(most > 0 && most < 5e-3, __FILE__, __LINE__, "%s: losses differ by at most %g",
                    models[k], most);
    }
}

// A run that stops under one split goes on under another where it stood.
TEST(split_may_change_when_a_run_goes_on)
{
    double whole[STEPS];
    curve("melody_transformer", WHOLE, whole);
    small_run s;
    err e = {0};
    open_split(&s, "melody_transformer", 2);
    trainer *t = trainer_open(&s.setup, &s.a, &e);
    folder *f = t ? folder_create(test_path("run"), false, NULL, &s.a, &e) : NULL;
    EXPECT_OK(t && f && trainer_attach(t, f, &e), e);
    for (int i = 0; t && i < 7; i++) // into the middle of an epoch
        EXPECT_OK(trainer_step(t, &e), e);
    EXPECT_OK(trainer_save(t, false, false, &e), e);
    EXPECT_INT(trainer_state(t)->batch, 4);
    trainer_close(t), folder_close(f), small_close(&s);
    open_split(&s, "melody_transformer", 4);
    s.setup.resume = arena_printf(&s.a, "%s/checkpoints/last.h5", test_path("run"));
    t = trainer_open(&s.setup, &s.a, &e);
    EXPECT_OK(t != NULL, e);
    EXPECT_INT(trainer_state(t)->batch, 2);
    EXPECT_INT(trainer_state(t)->micro_batch, 4);
    for (int i = 7; t && i < STEPS; i++) {
        EXPECT_OK(trainer_step(t, &e), e);
        EXPECT_NEAR(trainer_state(t)->last_loss, whole[i], 1e-5 * whole[i]);
    }
    trainer_close(t), small_close(&s);
}

// ---- The search

static trainer_setup setup_of(void *self, int64_t micro_batch)
{
    trainer_setup s = ((small_run *)self)->setup;
    s.micro_batch = micro_batch;
    return s;
}

TEST(split_search_keeps_the_effective_batch_and_the_budget)
{
    small_run s;
    search_result r;
    err e = {0};
    small_open(&s, "emotion_midi_transformer", 12, 1);
    s.setup.time = 64, s.setup.base_bytes = 1;
    EXPECT_OK(search_splits(&s.o, setup_of, &s, &r, &e), e);
    EXPECT_INT(r.n, 6); // 12, 6, 4, 3, 2, 1: each at most 3/4 of the one before
    EXPECT_INT(r.list[r.best].choice.recomputed, 0);
    uint64_t most = r.list[0].memory.peak, least = most;
    for (int budget = 0; budget < 6; budget++) {
        s.o.budget = most - (most - least) * (uint64_t)budget / 5;
        EXPECT_OK(search_splits(&s.o, setup_of, &s, &r, &e), e);
        EXPECT(r.list[r.best].fits && r.list[r.best].memory.peak <= s.o.budget);
        for (int i = 0; i < r.n; i++) {
            EXPECT_INT(r.list[i].choice.micro_batch * r.list[i].choice.grad_accum, 12);
            EXPECT(!r.list[i].fits ||
                   r.list[i].choice.seconds * 1.06 >= r.list[r.best].choice.seconds);
        }
        if (budget == 0) { // what would be the smallest budget
            s.o.budget = 1;
            EXPECT_OK(search_splits(&s.o, setup_of, &s, &r, &e), e);
            least = r.list[r.best].memory.peak;
            EXPECT(!r.list[r.best].fits);
            EXPECT_INT(r.list[r.best].choice.recomputed, r.list[r.best].choice.segments);
        }
    }
    small_close(&s);
}

TEST(split_keeps_a_batch_whole_where_norms_need_it)
{
    small_run s;
    search_result r;
    err e = {0};
    small_open(&s, "instrument_recognizer", 4, 3);
    s.o.model = model_configure(s.o.model, "bands=16 frames=18 width=4", &s.a, &e);
    EXPECT_OK(s.o.model != NULL, e);
    s.o.batch_size = 4, s.o.grad_accum = 3, s.setup.base_bytes = 1;
    for (int tight = 0; tight < 2; tight++) {
        s.o.budget = tight ? 1 : s.o.budget;
        EXPECT_OK(search_splits(&s.o, setup_of, &s, &r, &e), e);
        EXPECT_INT(r.n, 1);
        EXPECT_INT(r.list[0].choice.micro_batch, 4);
        EXPECT_INT(r.list[0].choice.grad_accum, 3);
        EXPECT_INT(r.list[0].fits, !tight);
        EXPECT_INT(r.list[0].choice.recomputed, tight ? r.list[0].choice.segments : 0);
    }
    small_close(&s);
}

static trainer_choice chosen(small_run *s, train_activations kept, uint64_t budget,
                             trainer_memory *m)
{
    arena a = {0};
    err e = {0};
    s->o.activations = kept, s->o.budget = budget;
    trainer *t = trainer_plan(&s->setup, &a, &e);
    EXPECT_OK(t != NULL, e);
    trainer_choice c = trainer_chosen(t);
    *m = trainer_predict(t);
    arena_free(&a);
    return c;
}

TEST(split_rounds_activations_where_they_would_be_made_again)
{
    small_run s;
    trainer_memory exact, rounded, m;
    small_open(&s, "emotion_midi_transformer", 12, 1);
    s.setup.time = 64, s.setup.base_bytes = 1;
    EXPECT_INT(chosen(&s, ACTIVATIONS_FP32, UINT64_MAX, &exact).kept, PRECISION_FP32);
    EXPECT(chosen(&s, ACTIVATIONS_BF16, UINT64_MAX, &rounded).kept == PRECISION_BF16);
    EXPECT_BELOW((double)rounded.arena, 0.7 * (double)exact.arena);

    EXPECT_INT(chosen(&s, ACTIVATIONS_AUTO, exact.peak, &m).kept, PRECISION_FP32);
    EXPECT(m.peak == exact.peak);
    trainer_choice c = chosen(&s, ACTIVATIONS_AUTO, rounded.peak, &m);
    EXPECT(c.kept == PRECISION_BF16 && c.recomputed == 0 && m.peak == rounded.peak);
    EXPECT(chosen(&s, ACTIVATIONS_FP32, rounded.peak, &m).recomputed > 0);
    small_close(&s);
}

// Rounding shows in the numbers, so a run that began with it goes on with it, however much memory
// there is now.
TEST(split_keeps_what_auto_chose_when_a_run_goes_on)
{
    small_run s;
    trainer_memory rounded;
    err e = {0};
    small_open(&s, "emotion_recognizer", 64, 2);
    s.setup.base_bytes = 1;
    (void)chosen(&s, ACTIVATIONS_BF16, UINT64_MAX, &rounded);
    s.o.activations = ACTIVATIONS_AUTO, s.o.budget = rounded.peak;
    trainer *t = trainer_open(&s.setup, &s.a, &e);
    folder *f = t ? folder_create(test_path("auto"), false, NULL, &s.a, &e) : NULL;
    EXPECT_OK(t && f && trainer_attach(t, f, &e) && trainer_step(t, &e) &&
                  trainer_save(t, false, false, &e),
              e);
    EXPECT_INT(trainer_chosen(t).kept, PRECISION_BF16);
    trainer_close(t), folder_close(f);
    s.o.budget = UINT64_MAX;
    s.setup.resume = arena_printf(&s.a, "%s/checkpoints/last.h5", test_path("auto"));
    t = trainer_open(&s.setup, &s.a, &e);
    EXPECT_OK(t != NULL, e);
    EXPECT_INT(trainer_chosen(t).kept, PRECISION_BF16);
    trainer_close(t), small_close(&s);
}

// memory.recompute=none leaves rounding as the only way to fit.
TEST(split_rounds_where_nothing_may_be_made_again)
{
    small_run s;
    trainer_memory rounded, m;
    small_open(&s, "emotion_midi_transformer", 12, 1);
    s.setup.time = 64, s.setup.base_bytes = 1, s.o.recompute = RECOMPUTE_NONE;
    (void)chosen(&s, ACTIVATIONS_BF16, UINT64_MAX, &rounded);
    EXPECT_INT(chosen(&s, ACTIVATIONS_AUTO, rounded.peak, &m).kept, PRECISION_BF16);
    EXPECT(m.peak == rounded.peak);
    small_close(&s);
}
