// SPDX-License-Identifier: GPL-3.0-or-later
// groups.c (tests): a model of several groups from shards to an answer: it learns what its items
// have classes of, says so in its record and its checkpoint, and is judged and heard by it.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "infer/listen.h"
#include "infer/session.h"
#include "tests/data/shards/group_files.h"
#include "tests/test.h"
#include "train/evaluate.h"
#include "train/job.h"
#include "train/report.h"

typedef struct fixture {
    arena a;
    env world;
    char config[1100], run[1100];
} fixture;

static void fixture_open(fixture *f, const char *more)
{
    err e = {0};
    *f = (fixture){.world = {.pool = threads_open(1, &e)}};
    snprintf(f->config, sizeof f->config, "%s", test_path("config.yaml"));
    snprintf(f->run, sizeof f->run, "%s", test_path("run"));
    const char *train = arena_strdup(&f->a, group_file_write("train-00000.h5", 0, 60)),
               *val = arena_strdup(&f->a, group_file_write("val-00000.h5", 60, 30)),
               *text = arena_printf(&f->a,
                                    "model: test_two_groups\n"
                                    "data: {train: '%s', val: '%s', window: 6%s}\n"
                                    "optim: {lr: 2e-2}\n"
                                    "train: {batch_size: 12, epochs: 20, seed: 3, threads: 1, "
                                    "label_smoothing: 0.1, ema: 0.9}\n",
                                    train, val, more);
    EXPECT_OK(file_write(f->config, text, strlen(text), &e), e);
}

static void fixture_close(fixture *f)
{
    threads_close(f->world.pool);
    arena_free(&f->a);
}

static bool train(fixture *f, trainer_result *r, err *e)
{
    job_request q = {.config = f->config, .run_dir = f->run, .env = &f->world, .command = "test"};
    job *j = job_configure(&q, &f->a, e);
    bool ok = j && job_open(j, e) && job_begin(j, e) && job_run(j, r, e);
    job_close(j);
    return ok;
}

static void expect_record(const fixture *f)
{
    arena a = {0};
    err e = {0};
    report_record r;
    EXPECT_OK(report_read(f->run, &r, &a, &e), e);
    EXPECT_INT(r.n_groups, 2);
    EXPECT_STR(r.groups[0].name, "base");
    EXPECT_INT(r.groups[0].items, 24);
    EXPECT(r.groups[0].accuracy == 1 && r.groups[1].accuracy > 0.9);
    EXPECT(r.groups[0].baseline < 0.6 && r.best.v[REPORT_UAR] > 0.9);
    EXPECT(r.classes == 2 && r.labels && !strcmp(r.labels[1], "cold"));
    strbuf page = {0};
    report_page(&r, &a, &page);
    EXPECT_HAS(page.s, "<h2>Groups</h2>");
    EXPECT_HAS(page.s, "<td class=\"l\">node</td>");
    strbuf_free(&page);
    arena_free(&a);
}

static void expect_evaluation(fixture *f)
{
    err e = {0};
    evaluation v;
    const char *val = test_path("val-00000.h5"), *best = checkpoint_find(&f->a, f->run, "best", &e);
    evaluate_request q = {.checkpoint = best, .patterns = &val, .n_patterns = 1, .rows = 7};
    EXPECT_OK(evaluate_checkpoint(&q, &f->world, &f->a, &v, &e), e);
    EXPECT_INT(v.items, 24);
    EXPECT_INT(v.result.group[1].items, 18);
    EXPECT(v.result.group[0].accuracy == 1 && v.baseline.group[0].accuracy < 0.6);
    EXPECT(v.result.group[1].macro_f1 > 0.9);
    EXPECT_STR(v.labels[0], "hot");
}

// What is heard of a waveform is what the network says of its frames as a picture.
static void expect_heard(fixture *f)
{
    enum { SAMPLES = 4000, TIME = 6, BANDS = 8 };
    float x[SAMPLES], picture[TIME * BANDS], row[TIME * BANDS];
    err e = {0};
    trained *t = trained_open(f->run, &f->a, &e);
    EXPECT_OK(t && trained_mel(t, &e), e);
    listener *l = listener_open(t, &f->world, &f->a, &e);
    heard h;
    for (uint32_t i = 0; i < SAMPLES; i++)
        x[i] = test_fill(4, i, 0.3f);
    EXPECT_OK(l && listener_hear(l, x, SAMPLES, &h, &e), e);
    EXPECT_NEAR(h.probabilities[0] + h.probabilities[1], 1, 1e-6);
    EXPECT_INT(h.windows, (h.frames + TIME - 1) / TIME);
    feature *made = feature_open(t->feature, t->mel, &e);
    float *frames = NEW(&f->a, float, (size_t)(h.frames * BANDS));
    EXPECT_OK(feature_compute(made, x, SAMPLES, frames, NULL, &e), e);
    session_setup o = {
        .model = t->model, .params = t->p, .gives = SESSION_OUT, .batch = 1, .time = TIME};
    session *s = session_open(&o, &f->a, &e);
    double sum[8] = {0}, p[6], total = 0;
    for (int k = 0; k < h.windows; k++) {
        loader_row(frames, h.frames, loader_begin(t->hear.crop, k, h.windows, h.frames, TIME), TIME,
                   BANDS, t->hear.mean, t->hear.deviation, row);
        loader_turn(row, TIME, BANDS, picture);
        memcpy(session_input(s, "mel"), picture, sizeof picture);
        session_go(s);
        for (int i = 0; i < 8; i++)
            sum[i] += (double)((const float *)session_data(s, s->net->out))[i] / h.windows;
    }
    for (int i = 0; i < 6; i++)
        total += p[i] = exp(sum[2 + i]);
    for (int i = 0; i < 6; i++)
        EXPECT_NEAR(h.probabilities[2 + i], p[i] / total, 1e-5);
    const hear_group *g = hear_find_group(&t->hear, "node");
    EXPECT_INT(g ? g->trained : -1, 36);
    session_close(s);
    feature_close(made);
    listener_close(l);
    trained_close(t);
}

TEST(groups_are_learnt_judged_and_heard)
{
    fixture f;
    err e = {0};
    trainer_result r;
    fixture_open(&f, "");
    EXPECT_OK(train(&f, &r, &e), e);
    expect_record(&f);
    expect_evaluation(&f);
    expect_heard(&f);
    fixture_close(&f);
}

// Mixed rows, masks and gain: still learnt, and the record is of plain rows.
TEST(groups_are_learnt_of_mixed_rows)
{
    fixture f;
    err e = {0};
    trainer_result r;
    fixture_open(&f, ", augment: {mixup: 0.3, freq_masks: 1, freq_width: 1}");
    EXPECT_OK(train(&f, &r, &e), e);
    expect_evaluation(&f);
    fixture_close(&f);
}

TEST(groups_refuse_what_cannot_be)
{
    fixture f;
    err e = {0};
    trainer_result r;
    fixture_open(&f, ", balance: class_weights");
    EXPECT_ERR(train(&f, &r, &e), e, ERR_CONFIG, "data.balance=class_weights weighs one label");
    (void)shard_file_write("train-00000.h5", 0, 20);
    fixture_close(&f);
    fixture_open(&f, "");
    (void)shard_file_write("train-00000.h5", 0, 20);
    EXPECT_ERR(train(&f, &r, &e), e, ERR_MISMATCH,
               "has no classes of 'base', 'node', which test_two_groups learns; prepare it with "
               "targets.set=emotion_nodes");
    fixture_close(&f);
}
