// SPDX-License-Identifier: GPL-3.0-or-later
// train.c (tests): adapters in a training run: what is trainable, what stays, that gradients are
// right, that a run resumes, and that a checkpoint's merged weights are the network that was
// trained.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "autograd/op.h"
#include "autograd/run.h"
#include "base/file.h"
#include "tests/lora/train_net.h"

static void lora_open(small_run *s, int64_t rows, int batches)
{
    small_open(s, "melody_transformer", rows, batches);
    s->o.lora = train_lora;
}

TEST(lora_counts_and_keeps_what_peft_does)
{
    small_run s;
    err e = {0};
    lora_open(&s, 4, 1);
    trainer *t = trainer_open(&s.setup, &s.a, &e);
    EXPECT_OK(t != NULL, e);
    const params *p = trainer_params(t);
    EXPECT_INT(params_count(p, false), 641664);
    EXPECT_INT(params_count(p, true), 19968);
    EXPECT_INT(p->grads_len, 19968);
    int a = params_find(p, "lstm.weight_ih_l0.lora_A.weight"),
        b = params_find(p, "fc1.lora_B.weight");
    EXPECT(a >= 0 && b >= 0);
    double largest = 0, mean = 0;
    for (int64_t i = 0; i < p->list[a].count; i++)
        largest = larger(largest, fabs((double)params_at(p, a)[i])),
        mean += (double)params_at(p, a)[i] / (double)p->list[a].count;
    EXPECT(largest > 0.06 && largest <= 1 / sqrt(256.0)); // Kaiming's bound for 256 inputs
    EXPECT_BELOW(fabs(mean), 3e-3);
    for (int64_t i = 0; i < p->list[b].count; i++)
        EXPECT(params_at(p, b)[i] == 0);
    trainer_close(t);
    small_close(&s);
}

TEST(lora_configurations_train_as_many_as_documented)
{
    static const struct {
        const char *path;
        int64_t trainable, all;
    } rows[] = {{"configs/lora_melody.yaml", 19968, 641664},
                {"configs/lora_harmony.yaml", 7680, 74176},
                {"configs/lora_groove.yaml", 3840, 18656},
                {"configs/lora_dynamics.yaml", 3456, 13520},
                {"configs/lora_audio.yaml", 9472, 403264},
                {"configs/lora_instrument.yaml", 35140, 2166048},
                {"configs/lora_nodes.yaml", 38444, 2962690},
                {"configs/lora_transformer.yaml", 147456, 24984192},
                {"configs/lora_long.yaml", 294912, 24984192}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena a = {0};
        err e = {0};
        train_options o;
        config *c = config_open(&train_table, &a);
        EXPECT_OK(config_load(c, rows[i].path, &e) && config_finish(c, &e) &&
                      train_options_read(c, 1u << 30, &o, &a, &e),
                  e);
        params *p = params_open(&a);
        model_dims d = {
            .batch = 1, .time = 1, .adapters = lora_match(&o.lora, o.model, true, &a, &e)};
        EXPECT_OK(model_build(o.model, p, &d, &a, &e) != NULL, e);
        EXPECT_INT(params_count(p, true), rows[i].trainable);
        EXPECT_INT(params_count(p, false), rows[i].all);
        arena_free(&a);
    }
}

// Nothing that only frozen weights need is in the plan: no gradient of w_hh, one product a layer
// less, no bias sums.
TEST(lora_does_no_backward_work_for_frozen_weights)
{
    small_run s, whole;
    err e = {0};
    lora_open(&s, 4, 1), small_open(&whole, "melody_transformer", 4, 1);
    trainer *t = trainer_open(&s.setup, &s.a, &e), *w = trainer_open(&whole.setup, &whole.a, &e);
    EXPECT_OK(t && w, e);
    const plan *pl = trainer_step_plan(t);
    int sums = 0, to_gradient = 0;
    for (int i = 0; i < pl->n_steps; i++) {
        const node *n = pl->steps[i].node;
        EXPECT(!n || strcmp(n->op->name, "lstm_weight") != 0);
        sums += n && !strcmp(n->op->name, "sum");
        for (int k = 0; n && k < n->n_out; k++)
            to_gradient += pl->places[n->out[k]->id].kind == PLACE_GRADS;
    }
    EXPECT_INT(sums, 0);
    EXPECT_INT(to_gradient, 8); // four As, four Bs
    EXPECT_BELOW((double)trainer_predict(t).params, 0.3 * (double)trainer_predict(w).params);
    trainer_close(t), trainer_close(w);
    small_close(&s), small_close(&whole);
}

// Of the transformer, too: a product for each factor and each way back, none for a frozen matrix;
// no sum of a bias, norm or embedding.
TEST(lora_does_no_backward_work_for_frozen_weights_of_the_transformer)
{
    static const char *const names[] = {"q_proj", "v_proj"};
    lora_config c = {.r = 4, .alpha = 8, .together = true, .targets.names = {names, 2}};
    arena a = {0};
    err e = {0};
    const model_def *m =
        model_configure(model_find("emotion_midi_transformer"),
                        "layers=2 dim=16 heads=2 ffn=24 cross=0 emotion_tokens=3", &a, &e);
    model_dims d = {.batch = 2,
                    .time = 5,
                    .training = true,
                    .adapters = m ? lora_match(&c, m, true, &a, &e) : NULL};
    params *p = params_open(&a);
    network *n = d.adapters ? model_build(m, p, &d, &a, &e) : NULL;
    EXPECT_OK(n != NULL, e);
    for (int i = 0; n && i < graph_nodes(n->g); i++) {
        const node *k = graph_node(n->g, i);
        for (int j = 0; k->backward && j < p->n; j++) // whatever has a frozen parameter's shape
            test_expect(p->list[j].trainable || !shape_same(k->out[0]->shape, p->list[j].shape),
                        __FILE__, __LINE__, "%s for %s", k->op->name, p->list[j].name);
        EXPECT(strcmp(k->op->name, "layer_norm_back") && strcmp(k->op->name, "embedding_back"));
    }
    arena_free(&a);
}

// ---- Runs

// Adapters do in so many steps, and nothing else.
static void expect_adapters_move(trainer *t, int steps, arena *a)
{
    err e = {0};
    const params *p = trainer_params(t);
    float *before = NEW(a, float, (size_t)p->weights_len);
    memcpy(before, p->weights, sizeof *before * (size_t)p->weights_len);
    for (int i = 0; i < steps; i++)
        EXPECT_OK(trainer_step(t, &e), e);
    for (int i = 0; i < p->n; i++) {
        bool same = !memcmp(before + p->list[i].offset, params_at(p, i),
                            sizeof *before * (size_t)p->list[i].count);
        test_expect(same != p->list[i].adapter, __FILE__, __LINE__, "%s %s", p->list[i].name,
                    same ? "did not move" : "moved");
    }
}

TEST(lora_by_dora_begins_with_the_lengths_and_trains_all_three)
{
    small_run s;
    err e = {0};
    lora_open(&s, 4, 2);
    s.o.lora.dora = true, s.o.lora.targets.names.n = 3;
    trainer *t = trainer_open(&s.setup, &s.a, &e);
    EXPECT_OK(t != NULL, e);
    const params *p = trainer_params(t);
    const param *m = &p->list[params_find(p, "fc2.lora_magnitude_vector")],
                *w = &p->list[params_find(p, "fc2.weight")];
    for (int64_t o = 0; o < m->count; o++) {
        double sum = 0;
        for (int64_t i = 0; i < w->shape.d[1]; i++) {
            double x = (double)p->weights[w->offset + o * w->shape.d[1] + i];
            sum += x * x;
        }
        EXPECT_NEAR(p->weights[m->offset + o], sqrt(sum), 1e-6 * sqrt(sum));
    }
    expect_adapters_move(t, 3, &s.a);
    trainer_close(t);
    small_close(&s);
}

TEST(lora_trains_its_factors_and_nothing_else)
{
    small_run s;
    err e = {0};
    lora_open(&s, 4, 2);
    s.o.ema = 0.9f;
    trainer *t = trainer_open(&s.setup, &s.a, &e);
    EXPECT_OK(t != NULL, e);
    expect_adapters_move(t, 5, &s.a);
    trainer_close(t);
    small_close(&s);
}

static bool stop_countdown(void *user)
{
    int *left = user;
    return --*left < 0;
}

// Weights after the run in `dir`, which is gone on with where `resume`.
static float *finish(small_run *s, const char *dir, bool resume, int *left, int64_t *n)
{
    err e = {0};
    trainer_result r = {0};
    env v = s->env;
    char path[1100];
    snprintf(path, sizeof path, "%s/checkpoints/last.h5", dir);
    if (left)
        v.stop = stop_countdown, v.user = left;
    s->setup.env = &v, s->setup.resume = resume ? path : NULL;
    trainer *t = trainer_open(&s->setup, &s->a, &e);
    folder *f = !t       ? NULL
                : resume ? folder_reopen(dir, NULL, &s->a, &e)
                         : folder_create(dir, false, NULL, &s->a, &e);
    EXPECT_OK(t && f && trainer_attach(t, f, &e) && trainer_run(t, &r, &e), e);
    *n = t ? trainer_params(t)->weights_len : 0;
    float *w = NEW(&s->a, float, (size_t)*n + 1);
    if (t)
        memcpy(w, trainer_params(t)->weights, sizeof *w * (size_t)trainer_params(t)->weights_len);
    EXPECT_INT(r.stopped, left != NULL);
    trainer_close(t), folder_close(f);
    s->setup.env = &s->env;
    return w;
}

// Its weights are those of a run that was left alone.
static void check_resumed(small_run *s)
{
    char dir[2][512];
    int left = 3;
    s->o.epochs = 3, s->o.ema = 0.5f, s->o.save_every = 1;
    snprintf(dir[0], sizeof dir[0], "%s", test_path("whole")),
        snprintf(dir[1], sizeof dir[1], "%s", test_path("parts"));
    int64_t n, m;
    const float *whole = finish(s, dir[0], false, NULL, &n);
    (void)finish(s, dir[1], false, &left, &m);
    const float *parts = finish(s, dir[1], true, NULL, &m);
    EXPECT(n > 641664 && n == m && !memcmp(whole, parts, sizeof *whole * (size_t)n));
}

TEST(lora_resumes_bit_for_bit)
{
    small_run s;
    lora_open(&s, 4, 3);
    s.o.lora.save = (lora_names){(const char *const[]){"fc3"}, 1};
    check_resumed(&s);
    small_close(&s);
}

TEST(lora_by_dora_resumes_bit_for_bit)
{
    small_run s;
    lora_open(&s, 4, 3);
    s.o.lora.dora = true, s.o.lora.targets.names.n = 3;
    s.o.precision = PRECISION_BF16, s.o.recompute = RECOMPUTE_ALL;
    check_resumed(&s);
    small_close(&s);
}

static void output_of(const char *path, bool adapted, float *out, int64_t *n)
{
    train_net f;
    err e = {0};
    train_net_open(&f, "melody_transformer", adapted ? &train_lora : NULL, false);
    checkpoint *k = checkpoint_open(path, &f.a, &e);
    EXPECT_OK(k && checkpoint_weights(k, f.p, &e), e);
    checkpoint_close(k);
    run_step(f.r, 0, 0, false);
    *n = shape_count(f.n->out->shape);
    memcpy(out, run_data(f.r, f.n->out), sizeof *out * (size_t)*n);
    train_net_close(&f);
}

TEST(lora_checkpoints_are_used_merged_or_not)
{
    small_run s;
    err e = {0};
    char dir[512], path[1100];
    static float merged[4096], apart[4096];
    int64_t n, m;
    lora_open(&s, 4, 2);
    s.o.hyper.lr = 0.02f, s.o.epochs = 8;
    snprintf(dir, sizeof dir, "%s", test_path("run"));
    (void)finish(&s, dir, false, NULL, &n);
    snprintf(path, sizeof path, "%s/checkpoints/last.h5", dir);
    output_of(path, false, merged, &n), output_of(path, true, apart, &m);
    EXPECT_INT(n, m);
    EXPECT_BELOW(test_distance(merged, apart, (size_t)n), 1e-5);
    checkpoint *k = checkpoint_open(path, &s.a, &e);
    EXPECT_OK(k != NULL, e);
    EXPECT_HAS(k ? k->adapter : "", "\"target_parameters\": [\n    \"lstm.weight_ih_l0\"\n  ]");
    EXPECT_INT(k ? strlen(meta_get(&k->meta, "adapter_base")) : 0, 64);
    EXPECT(k && h5_has(k->file, "lora/fc1.lora_A.weight") && h5_has(k->file, "params/fc1.weight") &&
           !h5_has(k->file, "params/fc1.lora_A.weight"));
    checkpoint_close(k);
    // A further run adapts what this one made: its base is the merged model.
    s.o.lora_base = dir;
    trainer *t = trainer_open(&s.setup, &s.a, &e);
    EXPECT_OK(t != NULL, e);
    train_net f;
    train_net_open(&f, "melody_transformer", NULL, false);
    k = checkpoint_open(path, &f.a, &e);
    EXPECT_OK(k && checkpoint_weights(k, f.p, &e), e);
    for (int i = 0; t && i < f.p->n; i++) {
        int at = params_find(trainer_params(t), f.p->list[i].name);
        EXPECT(!memcmp(params_at(f.p, i), params_at(trainer_params(t), at),
                       sizeof(float) * (size_t)f.p->list[i].count));
    }
    checkpoint_close(k);
    train_net_close(&f);
    trainer_close(t);
    small_close(&s);
}
