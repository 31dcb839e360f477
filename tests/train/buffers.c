// SPDX-License-Identifier: GPL-3.0-or-later
// buffers.c: buffers of a model (autograd/params.h), by tests/models/running_mean.c: what steps
// write into them, that nothing else does, and that checkpoints and exports have them.
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "autograd/passes/fuse.h"
#include "autograd/run.h"
#include "base/h5.h"
#include "export/onnx.h"
#include "export/safetensors.h"
#include "tests/train/small.h"
#include "train/trainer_internal.h"

enum { ROWS = 6, WIDTH = 10, BATCHES = 4 };
static const char MODEL[] = "test_running_mean";

static const float *buffer(const params *p, const char *name)
{
    int i = params_find(p, name);
    EXPECT(i >= 0 && p->list[i].buffer);
    return params_at(p, i);
}

// The running mean behind n batches, in f64.
static void expected_mean(const small_run *s, int n, double mean[WIDTH])
{
    memset(mean, 0, WIDTH * sizeof *mean);
    for (int k = 0; k < n; k++) {
        const float *x = feed_find(s->set.list[k % BATCHES], "x")->data;
        for (int j = 0; j < WIDTH; j++) {
            double sum = 0;
            for (int i = 0; i < ROWS; i++)
                sum += (double)x[i * WIDTH + j];
            mean[j] = 0.9 * mean[j] + 0.1 * sum / ROWS;
        }
    }
}

static void expect_mean(const small_run *s, const params *p, int batches)
{
    double mean[WIDTH];
    expected_mean(s, batches, mean);
    EXPECT_INT(*buffer(p, "norm.steps"), batches);
    for (int j = 0; j < WIDTH; j++)
        EXPECT_NEAR(buffer(p, "norm.running_mean")[j], mean[j], 1e-6);
}

static void steps_of(small_run *s, int steps, float *mean)
{
    err e = {0};
    trainer *t = trainer_open(&s->setup, &s->a, &e);
    EXPECT_OK(t != NULL, e);
    for (int i = 0; t && i < steps; i++)
        EXPECT_OK(trainer_step(t, &e), e);
    if (t) {
        expect_mean(s, trainer_params(t), steps * (int)s->o.grad_accum);
        memcpy(mean, buffer(trainer_params(t), "norm.running_mean"), WIDTH * sizeof *mean);
    }
    trainer_close(t);
}

TEST(buffers_hold_what_steps_write)
{
    float plain[WIDTH], other[WIDTH];
    small_run s;
    small_open(&s, MODEL, ROWS, BATCHES);
    steps_of(&s, 7, plain);
    s.o.recompute = RECOMPUTE_ALL, s.o.precision = PRECISION_BF16, s.o.ema = 0.9f;
    steps_of(&s, 7, other);
    EXPECT(!memcmp(plain, other, sizeof plain)); // its arithmetic has no products
    s.o.grad_accum = 2;
    steps_of(&s, 4, other);
    small_close(&s);
}

TEST(buffers_are_not_trained_nor_counted)
{
    small_run s;
    err e = {0};
    small_open(&s, MODEL, ROWS, BATCHES);
    trainer *t = trainer_open(&s.setup, &s.a, &e);
    EXPECT_OK(t != NULL, e);
    const params *p = trainer_params(t);
    EXPECT_INT(params_count(p, false), s.o.model->params);
    EXPECT_INT(params_count(p, true), s.o.model->params);
    EXPECT_INT(params_buffers(p), WIDTH + 1);
    int64_t trained = 0;
    for (int i = 0; i < p->n; i++) {
        EXPECT_INT(p->list[i].goffset < 0, p->list[i].buffer);
        EXPECT_INT(t->net->grads[i] == NULL, p->list[i].buffer);
        trained += p->list[i].buffer ? 0 : params_padded(p->list[i].count);
    }
    EXPECT_INT(p->grads_len, trained);
    trainer_close(t);
    small_close(&s);
}

// Neither evaluation nor rehearsals write, nor does a step that fails.
TEST(buffers_are_written_by_finished_steps_alone)
{
    small_run s;
    err e = {0};
    metrics_result r;
    small_open(&s, MODEL, ROWS, BATCHES);
    small_validate(&s, 2);
    s.o.grad_accum = 2, s.o.ema = 0.5f;
    trainer *t = trainer_open(&s.setup, &s.a, &e);
    EXPECT_OK(t != NULL, e);
    trainer_learn_products(t);
    expect_mean(&s, trainer_params(t), 0);
    EXPECT_OK(trainer_step(t, &e), e);
    EXPECT_OK(trainer_evaluate(t, &r, &e), e);
    expect_mean(&s, trainer_params(t), 2);
    float *x = feed_find(s.set.list[3], "x")->data, was = x[5];
    x[5] = NAN; // in the second batch of the step
    EXPECT(!trainer_step(t, &e));
    x[5] = was;
    expect_mean(&s, trainer_params(t), 2);
    e = (err){0};
    EXPECT_OK(trainer_step(t, &e), e);
    expect_mean(&s, trainer_params(t), 4);
    trainer_close(t);
    small_close(&s);
}

// ---- Going on

static void go(small_run *s, const char *dir, const char *resume, params *keep)
{
    err e = {0};
    trainer_result r;
    s->setup.resume = resume;
    trainer *t = trainer_open(&s->setup, &s->a, &e);
    folder *f = !t       ? NULL
                : resume ? folder_reopen(dir, NULL, &s->a, &e)
                         : folder_create(dir, FOLDER_NEW, NULL, &s->a, &e);
    EXPECT_OK(t && f && trainer_attach(t, f, &e) && trainer_run(t, &r, &e), e);
    if (t && keep) {
        const params *p = trainer_params(t);
        *keep = (params){.weights_len = p->weights_len, .grads_len = p->grads_len};
        keep->weights = NEW(&s->a, float, (size_t)p->weights_len);
        keep->moment[0] = NEW(&s->a, float, (size_t)p->grads_len);
        memcpy(keep->weights, p->weights, sizeof(float) * (size_t)p->weights_len);
        memcpy(keep->moment[0], p->moment[0], sizeof(float) * (size_t)p->grads_len);
    }
    trainer_close(t), folder_close(f);
}

static void die_at(void *user, const trainer_tick *tick)
{
    if (tick->step == *(const int64_t *)user)
        raise(SIGKILL);
}

// The run in a process that is killed behind step `at`.
static void go_and_die(small_run *s, const char *dir, const char *resume, int64_t at)
{
    int status;
    pid_t child = fork();
    if (!child) {
        test_mortal();
        s->setup.tick = die_at, s->setup.user = &at;
        go(s, dir, resume, NULL);
        _exit(0);
    }
    EXPECT(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
}

TEST(buffers_of_a_killed_run_go_on_bit_for_bit)
{
    small_run s;
    params whole, last;
    char dir[1024], file[1100];
    small_open(&s, MODEL, ROWS, BATCHES);
    s.o.grad_accum = 3, s.o.epochs = 6, s.o.save_every_steps = 2, s.o.ema = 0.9f;
    go(&s, test_path("whole"), NULL, &whole);
    snprintf(dir, sizeof dir, "%s", test_path("parts"));
    snprintf(file, sizeof file, "%s/checkpoints/last.h5", dir);
    go_and_die(&s, dir, NULL, 5);
    go_and_die(&s, dir, file, 9);
    go(&s, dir, file, &last);
    EXPECT_INT(whole.weights_len, last.weights_len);
    EXPECT(!memcmp(whole.weights, last.weights, sizeof(float) * (size_t)whole.weights_len));
    EXPECT(!memcmp(whole.moment[0], last.moment[0], sizeof(float) * (size_t)whole.grads_len));
    small_close(&s);
}

// ---- Files

// Trained for five steps with an average of its weights; `p` has what its checkpoint gives for use.
static params *trained(small_run *s, const char *dir)
{
    err e = {0};
    params *p = params_open(&s->a);
    s->o.max_steps = 5, s->o.ema = 0.9f;
    go(s, dir, NULL, NULL);
    checkpoint *k = checkpoint_open(arena_printf(&s->a, "%s/checkpoints/last.h5", dir), &s->a, &e);
    EXPECT_OK(k && model_build(k->model, p, &(model_dims){.batch = 1, .time = 1}, &s->a, &e) &&
                  params_allocate(p, 0, &e) && checkpoint_weights(k, p, &e),
              e);
    EXPECT(k->has_ema && h5_has(k->file, "buffers/norm.running_mean") &&
           h5_has(k->file, "ema/fc1.weight"));
    EXPECT(!h5_has(k->file, "params/norm.running_mean") &&
           !h5_has(k->file, "ema/norm.running_mean") &&
           !h5_has(k->file, "optim/moment1/norm.running_mean"));
    checkpoint_close(k);
    return p;
}

TEST(buffers_that_are_no_numbers_are_refused)
{
    small_run s;
    err e = {0};
    trainer_result r;
    small_open(&s, MODEL, ROWS, BATCHES);
    s.o.max_steps = 2;
    const char *dir = arena_strdup(&s.a, test_path("run"));
    trainer *t = trainer_open(&s.setup, &s.a, &e);
    folder *f = folder_create(dir, FOLDER_NEW, NULL, &s.a, &e);
    EXPECT_OK(t && f && trainer_attach(t, f, &e), e);
    const params *p = trainer_params(t);
    *params_at(p, params_find(p, "norm.steps")) = NAN; // no loss shows it
    EXPECT_OK(trainer_run(t, &r, &e), e);
    trainer_close(t), folder_close(f);
    params *q = params_open(&s.a);
    checkpoint *k = checkpoint_open(arena_printf(&s.a, "%s/checkpoints/last.h5", dir), &s.a, &e);
    EXPECT_OK(k && model_build(k->model, q, &(model_dims){.batch = 1, .time = 1}, &s.a, &e) &&
                  params_allocate(q, 0, &e),
              e);
    EXPECT_ERR(checkpoint_weights(k, q, &e), e, ERR_VALUE, "element 0 of 'norm.steps' is nan");
    checkpoint_close(k);
    params_release(q);
    small_close(&s);
}

TEST(buffers_are_copied_where_weights_are_averaged)
{
    small_run s;
    small_open(&s, MODEL, ROWS, BATCHES);
    params *p = trained(&s, test_path("run"));
    expect_mean(&s, p, 5);
    params_release(p);
    small_close(&s);
}

TEST(buffers_go_through_safetensors)
{
    small_run s;
    err e = {0};
    char one[65], other[65];
    small_open(&s, MODEL, ROWS, BATCHES);
    params *p = trained(&s, test_path("run")), *q = params_open(&s.a);
    const char *path = test_path("m.safetensors");
    EXPECT_OK(safetensors_save_params(path, p, false, NULL, &e), e);
    EXPECT_OK(model_build(s.o.model, q, &(model_dims){.batch = 1, .time = 1}, &s.a, &e) &&
                  params_allocate(q, 0, &e) && safetensors_load_params(path, q, NULL, &e),
              e);
    expect_mean(&s, q, 5);
    params_fingerprint(p, one), params_fingerprint(q, other);
    EXPECT_STR(one, other);
    q->weights[q->list[params_find(q, "norm.running_mean")].offset] += 1;
    params_fingerprint(q, other);
    EXPECT(strcmp(one, other));
    // a file without them is of another model
    q->n = 0;
    for (int i = 0; i < p->n; i++)
        if (!p->list[i].buffer)
            q->list[q->n++] = p->list[i];
    memcpy(q->weights, p->weights, sizeof(float) * (size_t)p->weights_len);
    EXPECT_OK(safetensors_save_params(path, q, false, NULL, &e), e);
    EXPECT_ERR(safetensors_load_params(path, p, NULL, &e), e, ERR_MISMATCH, "norm.running_mean");
    params_release(p), params_release(q);
    small_close(&s);
}

// Our own outputs of the exported weights, for the peer.
static void write_answer(small_run *s, params *p, const char *path)
{
    err e = {0};
    network *n = model_build(s->o.model, p, &(model_dims){.batch = ROWS, .time = 1}, &s->a, &e);
    plan_options o = {.threads = 1, .outputs = &n->out, .n_outputs = 1, .params = p};
    plan *pl = plan_make(n->g, &o, &s->a, &e);
    run *r = run_open(pl, p, NULL, &s->a, &e);
    EXPECT_OK(r != NULL, e);
    memcpy(run_input(r, "x"), feed_find(s->set.list[0], "x")->data, ROWS * WIDTH * sizeof(float));
    run_step(r, 0, 0, false);
    const weights_source list[] = {
        {.name = "x", .rank = 2, .dim = {ROWS, WIDTH}, .data = run_input(r, "x")},
        {.name = "y", .rank = 2, .dim = {ROWS, 3}, .data = run_data(r, n->out)}};
    EXPECT_OK(safetensors_write(path, list, 2, NULL, &e), e);
    expect_mean(s, p, 5);
    run_close(r);
}

TEST(buffers_are_constants_of_onnx)
{
    small_run s;
    err e = {0};
    const char *out;
    small_open(&s, MODEL, ROWS, BATCHES);
    params *p = trained(&s, test_path("run"));
    EXPECT_OK(onnx_export(test_path("m.onnx"), s.o.model, p, &(onnx_options){0}, &e), e);
    const onnx_model *m = onnx_read(test_path("m.onnx"), &s.a, &e);
    EXPECT_OK(m != NULL, e);
    int found = 0;
    for (int i = 0; m && i < m->n_tensors; i++)
        if (!strcmp(m->tensors[i].name, "norm.running_mean"))
            found +=
                !memcmp(m->tensors[i].data, buffer(p, "norm.running_mean"), WIDTH * sizeof(float));
    EXPECT_INT(found, 1);
    EXPECT_INT(m ? m->n_inputs : 0, 1);
    write_answer(&s, p, test_path("m.0.safetensors"));
    if (getenv("PEERS_PYTHON")) {
        int status =
            test_shell(&out, "\"$PEERS_PYTHON\" tests/peers/onnx_check.py '%s'", test_dir());
        test_expect(status == 0, __FILE__, __LINE__, "%s", out);
    }
    params_release(p);
    small_close(&s);
}

// ---- The graph

TEST(buffers_are_written_once_from_what_is_computed)
{
    arena a = {.name = "writes"};
    for (int i = 0; i < 4; i++) {
        graph *g = graph_open(&a);
        err e = {0};
        tensor *b = graph_param(g, "b", 0, shape_of(1, 4)),
               *x = graph_input(g, "x", DT_F32, shape_of(1, 4));
        tensor *y = op_scale(g, x, 2);
        graph_write(g, b,
                    i == 0   ? op_scale(g, graph_input(g, "z", DT_F32, shape_of(1, 5)), 2)
                    : i == 1 ? op_reshape(g, b, shape_of(1, 4))
                             : y);
        if (i == 2)
            graph_write(g, b, y);
        if (i < 3)
            EXPECT_ERR(graph_ok(g, &e), e, ERR_SHAPE, "buffer b");
        else
            EXPECT_OK(graph_ok(g, &e), e);
    }
    arena_free(&a);
}

// What a buffer is to hold stays, though it is a sum that its product could have taken over.
TEST(buffers_keep_the_sums_that_they_hold)
{
    arena a = {.name = "writes"};
    for (int written = 0; written < 2; written++) {
        graph *g = graph_open(&a);
        err e = {0};
        tensor *x = op_scale(g, graph_input(g, "x", DT_F32, shape_of(2, 2, 4)), 2),
               *w = graph_input(g, "w", DT_F32, shape_of(2, 4, 4));
        tensor *sum = op_add(g, x, op_linear(g, x, w, NULL, ACT_NONE));
        tensor *y = op_scale(g, sum, 3);
        if (written)
            graph_write(g, graph_param(g, "b", 0, shape_of(2, 2, 4)), sum);
        EXPECT_OK(graph_ok(g, &e), e);
        fuse_additions(g, &y, 1);
        EXPECT_INT(y->from->in[0] == sum, written);
        EXPECT_INT(graph_nodes(g), 3 + written);
    }
    arena_free(&a);
}
