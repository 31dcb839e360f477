// SPDX-License-Identifier: GPL-3.0-or-later
// goldens.c: the models against PyTorch (tests/golden/models.py), the transformer at a small size
// and at its own (transformer.py): names, shapes, outputs, losses, gradients, an AdamW trajectory.
//
// Bounds of the design: outputs within 1e-5 of the largest element, gradients within 1e-4,
// trajectory within 1e-3 of the loss.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "autograd/optim.h"
#include "autograd/run.h"
#include "models/model.h"
#include "tests/autograd/eval.h"
#include "tests/test.h"

typedef struct fixture {
    arena a;
    params *p;
    network *n;
    plan *pl;
    run *r;
    threads *pool;
} fixture;

static void fill(const json *spec, float *out, int64_t n)
{
    uint32_t seed = (uint32_t)json_int(json_get(spec, "seed"), 0);
    float scale = (float)json_num(json_get(spec, "scale"), 1),
          offset = (float)json_num(json_get(spec, "offset"), 0);
    for (int64_t i = 0; i < n; i++)
        out[i] = offset + test_fill(seed, (uint32_t)i, scale);
    const json *nudge = json_get(spec, "nudge"); // away from a kink (tests/golden/pictures.py)
    for (int64_t i = 0; nudge && i < n; i++)
        out[i] += 0x1p-16f * (float)json_int(json_at(nudge, (size_t)i), 0);
}

// floor(u * below) of the same u in [0, 1) that the script used; the first of each row may be
// given.
static void fill_below(const json *spec, int32_t *out, int64_t n, int64_t row)
{
    uint32_t seed = (uint32_t)json_int(json_get(spec, "seed"), 0);
    double below = json_num(json_get(spec, "below"), 1);
    for (int64_t i = 0; i < n; i++)
        out[i] = (int32_t)floor(((double)test_fill_u32(seed, (uint32_t)i) / 4294967296.0) * below);
    if (json_get(spec, "first"))
        for (int64_t i = 0; i < n; i += row)
            out[i] = (int32_t)json_int(json_get(spec, "first"), 0);
}

static void fill_port(fixture *f, const json *spec, const tensor *t)
{
    int64_t n = shape_count(t->shape);
    if (t->type == DT_I32)
        fill_below(spec, run_data(f->r, t), n, t->shape.d[t->shape.rank - 1]);
    else
        fill(spec, run_data(f->r, t), n);
}

static void fill_params(params *p, const json *table)
{
    EXPECT_INT(json_len(table), p->n);
    for (int i = 0; i < p->n; i++) {
        const json *spec = json_at(table, (size_t)i);
        const shape *have = &p->list[i].shape;
        EXPECT_STR(json_str(json_get(spec, "name"), ""), p->list[i].name);
        EXPECT_INT(json_len(json_get(spec, "shape")), have->rank);
        for (int k = 0; k < have->rank; k++)
            EXPECT_INT(json_int(json_at(json_get(spec, "shape"), (size_t)k), 0), have->d[k]);
        fill(spec, params_at(p, i), p->list[i].count);
    }
}

static bool fixture_open(fixture *f, const json *golden, const json *c, int n_threads, bool inplace,
                         double smoothing)
{
    err e = {0};
    const model_def *m = model_find(json_str(json_get(golden, "name"), ""));
    f->a = (arena){.name = "golden"};
    m = model_configure(m, json_str(json_get(golden, "sizes"), ""), &f->a, &e);
    if (!m)
        return test_expect(false, __FILE__, __LINE__, "%s", e.text);
    model_dims d = {.batch = json_int(json_get(golden, "batch"), 0),
                    .time = json_int(json_get(c, "length"), 1),
                    .classes = (int)json_int(json_get(golden, "classes"), 0),
                    .label_smoothing = (float)smoothing,
                    .training = true};
    f->p = params_open(&f->a);
    f->n = model_build(m, f->p, &d, &f->a, &e);
    if (!f->n || !params_allocate(f->p, 2, &e))
        return test_expect(false, __FILE__, __LINE__, "%s", e.text);
    f->pool = threads_open(n_threads, &e);
    tensor *outputs[] = {f->n->out, f->n->logits, f->n->loss_sum, f->n->loss};
    plan_options o = {.threads = n_threads,
                      .outputs = outputs,
                      .n_outputs = 4,
                      .params = f->p,
                      .grads = f->n->grads,
                      .no_inplace = !inplace};
    f->pl = plan_make(f->n->g, &o, &f->a, &e);
    f->r = f->pl ? run_open(f->pl, f->p, f->pool, &f->a, &e) : NULL;
    if (!f->r)
        return test_expect(false, __FILE__, __LINE__, "%s", e.text);
    fill_params(f->p, json_get(golden, "params"));
    for (int i = 0; i < m->n_inputs; i++)
        fill_port(f, json_at(json_get(c, "inputs"), (size_t)i), f->n->in[i]);
    fill_port(f, json_get(c, "target"), f->n->target);
    float *w = run_data(f->r, f->n->weight);
    int64_t rows = shape_count(f->n->weight->shape);
    for (int64_t i = 0; i < rows; i++)
        w[i] = 1;
    *(float *)run_data(f->r, f->n->scale) = 1.0f / (float)rows;
    return true;
}

static void fixture_close(fixture *f)
{
    run_close(f->r);
    params_release(f->p);
    threads_close(f->pool);
    arena_free(&f->a);
}

// `want`: all elements, or some (the largest among them) as "index" and "value".
static double distance_json(const float *got, const json *want)
{
    double worst = 0, largest = 0;
    const json *index = json_get(want, "index"), *value = index ? json_get(want, "value") : want;
    for (size_t i = 0; i < json_len(value); i++) {
        int64_t at = index ? json_int(json_at(index, i), 0) : (int64_t)i;
        double v = json_num(json_at(value, i), NAN), d = fabs((double)got[at] - v);
        worst = d > worst || isnan(d) ? d : worst;
        largest = fabs(v) > largest ? fabs(v) : largest;
    }
    return worst / largest;
}

// `least`: what rounding leaves of a gradient that cancels (a key's bias moves all scores of a row
// alike), of their norm and of their sum.
static void check_gradient(const fixture *f, const json *g, double least)
{
    int k = params_find(f->p, json_str(json_get(g, "name"), ""));
    const float *d = f->p->grads + f->p->list[k].goffset;
    int64_t n = f->p->list[k].count;
    double norm = 0, sum = 0, abs_sum = 0, largest = 0;
    for (int64_t i = 0; i < n; i++)
        norm += (double)d[i] * d[i], sum += d[i], abs_sum += fabs(d[i]),
            largest = larger(largest, fabs(d[i]));
    EXPECT_NEAR(sqrt(norm), json_num(json_get(g, "norm"), NAN), 1e-4 * sqrt(norm) + least);
    EXPECT_NEAR(sum, json_num(json_get(g, "sum"), NAN), 1e-4 * abs_sum + fmax(1e-9, least));
    const json *index = json_get(g, "index"), *value = json_get(g, "value");
    for (size_t i = 0; i < json_len(value); i++) {
        int64_t at = index ? json_int(json_at(index, i), 0) : (int64_t)i;
        EXPECT_NEAR(d[at], json_num(json_at(value, i), NAN), 1e-4 * largest + least);
    }
}

// A step whose buffers are written, as of training; models of groups drop nothing out of it, since
// the script's do not.
static void run_one(fixture *f, uint64_t step)
{
    run_go(f->r,
           &(run_pass){.step = step, .training = f->n->model->task != TASK_GROUPS, .write = true},
           NULL);
}

static void train_step(fixture *f, uint64_t step, float lr)
{
    run_one(f, step);
    const optim_def *o = optim_find("adamw");
    optim_hyper h = {.lr = lr,
                     .beta1 = 0.9f,
                     .beta2 = 0.999f,
                     .eps = 1e-8f,
                     .weight_decay = 0.01f,
                     .step = step + 1};
    h.grad_scale =
        optim_clip_factor(optim_grad_norm(f->p, eval_kit(), f->pool, threads_count(f->pool)), 1.0);
    optim_step(o, &h, f->p, NULL, eval_kit(), f->pool, threads_count(f->pool));
}

// A running statistic, after one step.
static void check_buffer(const fixture *f, const json *b)
{
    int k = params_find(f->p, json_str(json_get(b, "name"), ""));
    EXPECT(k >= 0 && f->p->list[k].buffer);
    EXPECT_BELOW(distance_json(params_at(f->p, k), json_get(b, "value")), 1e-5);
}

// One step: whatever of it the golden holds, and the gradient of every parameter.
static void check_step(fixture *f, const json *c)
{
    const json *grads = json_get(c, "grads");
    run_one(f, 0);
    EXPECT_NEAR(*(float *)run_data(f->r, f->n->loss), json_num(json_get(c, "loss_f64"), NAN), 1e-5);
    if (json_get(c, "output"))
        EXPECT_BELOW(distance_json(run_data(f->r, f->n->out), json_get(c, "output")), 1e-5);
    if (json_get(c, "logits"))
        EXPECT_BELOW(distance_json(run_data(f->r, f->n->logits), json_get(c, "logits")), 1e-5);
    int trained = 0;
    for (int i = 0; i < f->p->n; i++)
        trained += !f->p->list[i].buffer;
    EXPECT_INT(json_len(grads), trained);
    for (size_t i = 0; i < json_len(grads); i++)
        check_gradient(f, json_at(grads, i), 1e-8 * json_num(json_get(c, "grad_norm"), 0));
    EXPECT_NEAR(optim_grad_norm(f->p, eval_kit(), f->pool, threads_count(f->pool)),
                json_num(json_get(c, "grad_norm"), NAN), 1e-4);
    const json *buffers = json_get(c, "buffers");
    for (size_t i = 0; i < json_len(buffers); i++)
        check_buffer(f, json_at(buffers, i));
}

static void check_trajectory(fixture *f, const json *golden, const json *losses)
{
    float lr = (float)json_num(json_get(json_get(golden, "optimizer"), "lr"), NAN);
    double first = json_num(json_at(losses, 0), NAN);
    for (size_t i = 0; i < json_len(losses); i++) {
        train_step(f, i, lr);
        double want = json_num(json_at(losses, i), NAN);
        EXPECT_NEAR(*(float *)run_data(f->r, f->n->loss), want, 1e-3 * want + 1e-6 * first);
    }
}

static void check_case(const json *golden, const json *c, int n_threads)
{
    fixture f;
    if (!fixture_open(&f, golden, c, n_threads, true, 0))
        return;
    if (json_get(c, "loss_f64"))
        check_step(&f, c);
    check_trajectory(&f, golden, json_get(c, "trajectory_f64"));
    fixture_close(&f);
}

// The same case with label smoothing, of models whose loss is a cross-entropy.
static void check_smoothed(const json *golden, const json *c)
{
    fixture f;
    const json *smoothed = json_get(c, "smoothed");
    if (!smoothed ||
        !fixture_open(&f, golden, c, 1, true, json_num(json_get(smoothed, "label_smoothing"), NAN)))
        return;
    EXPECT(fabs(json_num(json_get(smoothed, "loss_f64"), NAN) -
                json_num(json_get(c, "loss_f64"), NAN)) > 1e-4);
    check_step(&f, smoothed);
    fixture_close(&f);
}

static void check_model(const char *name)
{
    char file[64];
    snprintf(file, sizeof file, "models_%s", name);
    json *golden = test_golden(file);
    const json *cases = json_get(golden, "cases");
    EXPECT(json_len(cases) > 0);
    for (size_t i = 0; i < json_len(cases); i++)
        check_case(golden, json_at(cases, i), 1), check_smoothed(golden, json_at(cases, i));
    json_free(golden);
}

TEST(model_emotion_recognizer_equals_pytorch)
{
    check_model("emotion_recognizer");
}
TEST(model_melody_transformer_equals_pytorch)
{
    check_model("melody_transformer");
}
TEST(model_harmony_predictor_equals_pytorch)
{
    check_model("harmony_predictor");
}
TEST(model_groove_predictor_equals_pytorch)
{
    check_model("groove_predictor");
}
TEST(model_dynamics_engine_equals_pytorch)
{
    check_model("dynamics_engine");
}
TEST(model_instrument_recognizer_equals_pytorch)
{
    check_model("instrument_recognizer");
}
TEST(model_emotion_node_classifier_equals_pytorch)
{
    check_model("emotion_node_classifier");
}
TEST(model_emotion_midi_transformer_equals_pytorch)
{
    check_model("emotion_midi_transformer");
}
TEST(model_emotion_midi_transformer_with_qk_norm_equals_pytorch)
{
    check_model("emotion_midi_transformer_qk_norm");
}
TEST(model_spectocloud_vit_equals_pytorch)
{
    check_model("spectocloud_vit");
}

// All 24,984,192 parameters: a step on 2 x 70 tokens, 100 steps on 2 x 24.
TEST(model_emotion_midi_transformer_at_its_own_size_equals_pytorch)
{
    json *golden = test_golden("transformer");
    const json *cases = json_get(golden, "cases");
    EXPECT_INT(json_len(cases), 2);
    EXPECT_INT(json_len(json_get(json_at(cases, 1), "trajectory_f64")), 100);
    for (size_t i = 0; i < json_len(cases); i++)
        check_case(golden, json_at(cases, i), 2);
    json_free(golden);
}

// All 2,166,048 and 2,962,690 parameters: a step on 2 x 128 x 128.
TEST(model_pictures_at_their_own_size_equal_pytorch)
{
    static const char *const names[] = {"pictures_instrument_recognizer",
                                        "pictures_emotion_node_classifier"};
    for (int i = 0; i < 2; i++) {
        json *golden = test_golden(names[i]);
        EXPECT_INT(json_len(json_get(golden, "cases")), 1);
        check_case(golden, json_at(json_get(golden, "cases"), 0), 2);
        json_free(golden);
    }
}

// A step of a smaller spectocloud_vit, by sizes that the reference's class takes, too.
TEST(model_clouds_of_other_sizes_equal_pytorch)
{
    json *golden = test_golden("clouds");
    EXPECT_INT(json_len(json_get(golden, "cases")), 1);
    check_case(golden, json_at(json_get(golden, "cases"), 0), 2);
    json_free(golden);
}

// Ten steps under another plan give the same bits: sharing and taking over bytes loses nothing; as
// far as BLAS allows, neither do threads.
static void check_same(const char *name, int n_threads, bool inplace, double within)
{
    char file[64];
    snprintf(file, sizeof file, "models_%s", name);
    json *golden = test_golden(file);
    fixture a, b;
    const json *c = json_at(json_get(golden, "cases"), 0);
    if (fixture_open(&a, golden, c, 1, true, 0) &&
        fixture_open(&b, golden, c, n_threads, inplace, 0)) {
        for (uint64_t s = 0; s < 10; s++)
            train_step(&a, s, 1e-3f), train_step(&b, s, 1e-3f);
        double d = test_distance(a.p->weights, b.p->weights, (size_t)a.p->weights_len);
        test_expect(d <= within, __FILE__, __LINE__, "%s: weights differ by %g", name, d);
        fixture_close(&a), fixture_close(&b);
    }
    json_free(golden);
}

TEST(model_plans_with_and_without_inplace_give_the_same_bits)
{
    for (int i = 0; i < model_count(); i++)
        check_same(model_at(i)->name, 1, false, 0);
}

TEST(model_threads_give_the_same_weights)
{
    for (int i = 0; i < model_count(); i++)
        check_same(model_at(i)->name, 2, true, 1e-5);
}
