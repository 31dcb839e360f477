// SPDX-License-Identifier: GPL-3.0-or-later
// checkpoint.c (tests): everything comes back bit for bit; every damaged bit is noticed; a full
// disk leaves the old file.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "checkpoint/checkpoint.h"
#include "tests/test.h"

typedef struct sample {
    arena a;
    const model_def *model;
    params *p;
    float *ema;
    checkpoint_state state;
    model_meta meta;
} sample;

static params *declared(arena *a, int classes)
{
    err e = {0};
    params *p = params_open(a);
    model_dims d = {.batch = 1, .time = 4, .classes = classes};
    EXPECT_OK(model_build(model_find("emotion_recognizer"), p, &d, a, &e) != NULL &&
                  params_allocate(p, 2, &e),
              e);
    return p;
}

static void make(sample *s)
{
    *s = (sample){.model = model_find("emotion_recognizer")};
    s->p = declared(&s->a, 4);
    params_init(s->p, 5);
    s->ema = NEW(&s->a, float, (size_t)s->p->grads_len);
    for (int64_t i = 0; i < s->p->grads_len; i++)
        s->p->moment[0][i] = test_fill(1, (uint32_t)i, 1),
        s->p->moment[1][i] = 1 + test_fill(2, (uint32_t)i, 1),
        s->ema[i] = test_fill(3, (uint32_t)i, 1);
    s->state = (checkpoint_state){.step = 12,
                                  .epoch = 3,
                                  .batch = 1,
                                  .seed = 5,
                                  .best = 0.1 + 0.2,
                                  .best_step = 9,
                                  .seconds = 1.5};
    s->meta.arena = &s->a;
    meta_set(&s->meta, "labels", "[\"a\", \"b\", \"c\", \"d\"]");
}

static bool save(const sample *s, const char *path, const float *ema, err *e)
{
    return checkpoint_save(path,
                           &(checkpoint_content){s->model, "model: emotion_recognizer\n", &s->meta,
                                                 s->p, &s->state, ema},
                           e);
}

// Gradients' layout has padding that no parameter owns.
static bool same_trainable(const params *p, const float *x, const float *y)
{
    for (int i = 0; i < p->n; i++)
        if (memcmp(x + p->list[i].goffset, y + p->list[i].goffset,
                   sizeof(float) * (size_t)p->list[i].count))
            return false;
    return true;
}

TEST(checkpoint_comes_back_bit_for_bit)
{
    sample s;
    arena a = {0};
    err e = {0};
    make(&s);
    const char *path = test_path("a.h5");
    EXPECT_OK(save(&s, path, s.ema, &e), e);
    checkpoint *k = checkpoint_open(path, &a, &e);
    EXPECT_OK(k != NULL, e);
    if (!k)
        return;
    EXPECT_INT(k->classes, 4);
    EXPECT_STR(k->config, "model: emotion_recognizer\n");
    EXPECT_STR(meta_get(&k->meta, "labels"), "[\"a\", \"b\", \"c\", \"d\"]");
    EXPECT(!memcmp(&k->state, &s.state, sizeof s.state));
    params *p = declared(&a, 4);
    float *ema = NEW(&a, float, (size_t)p->grads_len);
    EXPECT_OK(checkpoint_resume(k, p, ema, &e), e);
    EXPECT(!memcmp(p->weights, s.p->weights, sizeof(float) * (size_t)p->weights_len));
    EXPECT(same_trainable(p, p->moment[0], s.p->moment[0]) &&
           same_trainable(p, p->moment[1], s.p->moment[1]) && same_trainable(p, ema, s.ema));
    EXPECT_OK(checkpoint_weights(k, p, &e), e); // the averaged ones
    EXPECT(!memcmp(params_at(p, 0), s.ema + p->list[0].goffset,
                   sizeof(float) * (size_t)p->list[0].count));
    params *other = declared(&a, 7);
    params_init(other, 9);
    float probe = params_at(other, params_find(other, "probe.weight"))[0];
    EXPECT_ERR(checkpoint_weights(k, other, &e), e, ERR_SHAPE, "probe.weight");
    EXPECT_OK(checkpoint_start(k, other, &e), e);
    EXPECT(params_at(other, params_find(other, "probe.weight"))[0] == probe);
    checkpoint_close(k);
    params_release(p), params_release(other), params_release(s.p);
    arena_free(&a), arena_free(&s.a);
}

// Of a network with a parameter, an average or a buffer more, nothing is left out unsaid; a probe
// is, where a new run begins without one.
TEST(checkpoint_leaves_nothing_out)
{
    static const struct {
        const char *name;
        bool buffer;
    } more[] = {{"fc1.scale", false}, {"norm.steps", true}};
    sample s;
    err e = {0};
    make(&s);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        arena a = {0};
        const char *path = test_path(more[i].buffer ? "buffer.h5" : "scale.h5");
        params *p = declared(&a, 4), *wide = params_open(&a);
        for (int j = 0; j < p->n; j++)
            (void)params_declare(wide, p->list[j].name, p->list[j].shape, p->list[j].init, &e);
        int at = (more[i].buffer ? params_declare_buffer : params_declare)(
            wide, more[i].name, shape_of(1, 3), (init){0}, &e);
        EXPECT_OK(
            at >= 0 && params_allocate(wide, 0, &e) &&
                checkpoint_save(path, &(checkpoint_content){.model = s.model, .params = wide}, &e),
            e);
        checkpoint *k = checkpoint_open(path, &a, &e);
        EXPECT_OK(k != NULL, e);
        if (k) {
            EXPECT_ERR(checkpoint_weights(k, p, &e), e, ERR_MISMATCH, more[i].name);
            EXPECT_ERR(checkpoint_start(k, p, &e), e, ERR_MISMATCH, "use the kmidi that wrote it");
            EXPECT_OK(checkpoint_weights(k, wide, &e), e);
        }
        checkpoint_close(k);
        params_release(p), params_release(wide);
        arena_free(&a);
    }
    EXPECT_OK(save(&s, test_path("probe.h5"), s.ema, &e), e);
    params *bare = declared(&s.a, 0);
    checkpoint *k = checkpoint_open(test_path("probe.h5"), &s.a, &e);
    EXPECT_OK(k && checkpoint_start(k, bare, &e), e);
    EXPECT_ERR(k && checkpoint_weights(k, bare, &e), e, ERR_MISMATCH, "probe.");
    checkpoint_close(k);
    params_release(bare), params_release(s.p);
    arena_free(&s.a);
}

static long size_of(const char *path)
{
    FILE *f = fopen(path, "rb");
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    fclose(f);
    return n;
}

static void flip(const char *path, long at)
{
    FILE *f = fopen(path, "r+b");
    fseek(f, at, SEEK_SET);
    int c = fgetc(f);
    fseek(f, at, SEEK_SET);
    fputc(c ^ 4, f);
    fclose(f);
}

// Bits in weights are always noticed and named; bits elsewhere never crash. A few hit slack that
// HDF5 does not use.
TEST(checkpoint_notices_flipped_bits)
{
    sample s;
    err e = {0};
    make(&s);
    char good[1024], bad[1024];
    snprintf(good, sizeof good, "%s", test_path("previous.h5"));
    snprintf(bad, sizeof bad, "%s", test_path("last.h5"));
    EXPECT_OK(save(&s, good, NULL, &e) && save(&s, bad, NULL, &e), e);
    long n = size_of(bad);
    int noticed = 0, tried = 60;
    arena a = {0};
    params *p = declared(&a, 4);
    for (int i = 0; i < tried; i++) {
        long at = (long)((double)n * (i + 0.5) / tried);
        flip(bad, at);
        arena b = {0};
        e = (err){0};
        checkpoint *k = checkpoint_open(bad, &b, &e);
        bool ok = k && checkpoint_resume(k, p, NULL, &e);
        noticed += !ok;
        if (!ok) {
            EXPECT_HAS(e.text, "last.h5");
            EXPECT_HAS(e.text, "the newest intact checkpoint beside it is");
            EXPECT_HAS(e.text, "previous.h5");
        }
        checkpoint_close(k);
        arena_free(&b);
        flip(bad, at);
    }
    EXPECT(noticed >= tried - 3);
    params_release(p), params_release(s.p);
    arena_free(&a), arena_free(&s.a);
}

TEST(checkpoint_of_something_else)
{
    arena a = {0};
    err e = {0};
    EXPECT_OK(file_write(test_path("x.h5"), "not at all", 10, &e), e);
    EXPECT_ERR(checkpoint_open(test_path("x.h5"), &a, &e) != NULL, e, ERR_FORMAT, "x.h5");
    EXPECT_ERR(checkpoint_open(test_path("none.h5"), &a, &e) != NULL, e, ERR_MISSING, "none.h5");
    h5 *f = h5_create(test_path("y.h5"), &e);
    EXPECT_OK(f && h5_commit(f, &e), e);
    EXPECT_ERR(checkpoint_open(test_path("y.h5"), &a, &e) != NULL, e, ERR_FORMAT,
               "not a checkpoint");
    EXPECT_ERR(checkpoint_find(&a, test_dir(), "best", &e) != NULL, e, ERR_MISSING,
               "no checkpoints");
    arena_free(&a);
}

TEST(checkpoint_on_a_full_disk_keeps_the_old_one)
{
    if (test_shell(NULL, "mkdir -p %s && mount -t tmpfs -o size=6m tmpfs %s", test_path("small"),
                   test_path("small"))) {
        test_skip("needs the right to mount a small tmpfs");
        return;
    }
    sample s;
    arena a = {0};
    err e = {0};
    make(&s);
    char path[1024];
    snprintf(path, sizeof path, "%s/last.h5", test_path("small"));
    EXPECT_OK(save(&s, path, NULL, &e), e); // about 5 MB: a second one does not fit
    s.state.step = 13;
    EXPECT_ERR(save(&s, path, NULL, &e), e, ERR_IO, "last.h5");
    checkpoint *k = checkpoint_open(path, &a, &e);
    EXPECT_OK(k && k->state.step == 12, e);
    checkpoint_close(k);
    EXPECT_INT(test_shell(NULL, "test $(ls %s | wc -l) = 1", test_path("small")), 0);
    EXPECT_INT(test_shell(NULL, "umount %s", test_path("small")), 0);
    params_release(s.p);
    arena_free(&a), arena_free(&s.a);
}

// The sizes of a model go with its weights, whatever else a caller says of them.
TEST(checkpoint_keeps_a_models_sizes)
{
    arena a = {.name = "sizes"};
    err e = {0};
    const model_def *m = model_configure(model_find("emotion_midi_transformer"),
                                         "layers=1 dim=16 heads=2 ffn=16 cross=", &a, &e);
    model_meta meta = {.arena = &a};
    params *p = params_open(&a);
    EXPECT_OK(m && model_build(m, p, &(model_dims){.batch = 1, .time = 1}, &a, &e) &&
                  params_allocate(p, 0, &e),
              e);
    meta_set(&meta, "sizes", "layers=7");
    const char *path = test_path("sizes.h5");
    EXPECT_OK(
        checkpoint_save(path, &(checkpoint_content){.model = m, .params = p, .meta = &meta}, &e),
        e);
    checkpoint *k = checkpoint_open(path, &a, &e);
    EXPECT_OK(k != NULL, e);
    EXPECT_STR(k ? model_sizes(k->model, &a) : "", model_sizes(m, &a));
    EXPECT_INT(k ? k->model->params : 0, m->params);
    checkpoint_close(k);
    params_release(p);
    arena_free(&a);
}

// Numbers with right checksums that no run wrote: each field below and above its range, and a few
// together that cannot be.
static void expect_refused(const checkpoint_state *state, const char *what)
{
    sample s;
    arena a = {0};
    err e = {0};
    make(&s);
    params_release(s.p);
    s.p = params_open(&s.a); // the weights are not asked
    s.state = *state;
    EXPECT_OK(save(&s, test_path("f.h5"), NULL, &e), e);
    checkpoint *k = checkpoint_open(test_path("f.h5"), &a, &e);
    test_expect(!k && e.code == ERR_DAMAGED && test_has(e.text, "no run wrote that"), __FILE__,
                __LINE__, "%s: %s", what, e.text);
    checkpoint_close(k);
    params_release(s.p);
    arena_free(&s.a), arena_free(&a);
}

TEST(checkpoint_refuses_a_state_that_no_run_wrote)
{
    const checkpoint_state good = {.step = 12, .epoch = 3, .batch = 1, .seed = 5, .best_step = 9};
    const int64_t counts[] = {-2, INT64_MAX};
    const double numbers[] = {(double)NAN, -1e300};
#define STATE_INT(name, least, most, help)                                                         \
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {                                  \
        checkpoint_state s = good;                                                                 \
        s.name = counts[i];                                                                        \
        expect_refused(&s, #name);                                                                 \
    }
#define STATE_NUM(name, least, most, help)                                                         \
    for (size_t i = 0; i < (isinf((double)(least)) ? 1 : sizeof numbers / sizeof *numbers); i++) { \
        checkpoint_state s = good;                                                                 \
        s.name = numbers[i];                                                                       \
        expect_refused(&s, #name);                                                                 \
    }
#define STATE_LATER STATE_INT
#define STATE_ANY(name, help)
#include "checkpoint/checkpoint_state.def"
#undef STATE_INT
#undef STATE_NUM
#undef STATE_LATER
#undef STATE_ANY
    checkpoint_state s = good;
    s.micro_batch = (INT64_C(1) << 32) + 1;
    expect_refused(&s, "micro_batch");
    s = good, s.best_step = 13;
    expect_refused(&s, "best_step after step");
    s = good, s.evaluated = 13;
    expect_refused(&s, "evaluated after step");
}

TEST(checkpoint_refuses_moments_that_no_run_wrote)
{
    static const struct {
        int moment; // -1: weights, 2: averages
        float value;
    } wrong[] = {{0, NAN}, {0, INFINITY}, {1, NAN}, {1, -1}, {-1, NAN}, {2, -INFINITY}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        sample s;
        arena a = {0};
        err e = {0};
        make(&s);
        float *at = wrong[i].moment < 0    ? s.p->weights
                    : wrong[i].moment == 2 ? s.ema
                                           : s.p->moment[wrong[i].moment];
        at[7] = wrong[i].value;
        EXPECT_OK(save(&s, test_path("f.h5"), s.ema, &e), e);
        checkpoint *k = checkpoint_open(test_path("f.h5"), &a, &e);
        params *p = declared(&a, 4);
        float *ema = NEW(&a, float, (size_t)p->grads_len);
        EXPECT_OK(k != NULL, e);
        EXPECT_ERR(k && checkpoint_resume(k, p, ema, &e), e, ERR_DAMAGED, "no run wrote that");
        checkpoint_close(k);
        params_release(s.p), params_release(p);
        arena_free(&s.a), arena_free(&a);
    }
}
