// SPDX-License-Identifier: GPL-3.0-or-later
// models.c: what holds of models without a golden: counts, first weights, sums of micro-batches,
// parts of the loss.
#include <math.h>

#include "autograd/run.h"
#include "models/model.h"
#include "tests/test.h"

TEST(model_counts_are_exact)
{
    for (int i = 0; i < model_count(); i++) {
        arena a = {.name = "count"};
        err e = {0};
        params *p = params_open(&a);
        const model_def *m = model_at(i);
        network *n = model_build(
            m, p, &(model_dims){.batch = 2, .time = 3, .classes = 4, .training = true}, &a, &e);
        EXPECT_OK(n != NULL, e);
        EXPECT_INT(params_count(p, false), m->params);
        EXPECT(model_flops(m, &(model_dims){.batch = 64, .time = 64, .classes = 8}) > 0);
        arena_free(&a);
    }
}

// dynamics_engine, by hand: 13,312 elements of matrices, read forward and once for their own
// gradients; the 32 inputs have none.
TEST(model_flops_are_those_of_its_ops)
{
    const int64_t first = 32 * 128, others = 128 * 64 + 64 * 16, rows = 64;
    EXPECT_INT(model_flops(model_find("dynamics_engine"), &(model_dims){.batch = rows}),
               rows * (4 * first + 6 * others));
}

// PyTorch: U(-1/sqrt(fan_in), +), so the deviation is that over sqrt 3. Probe included.
TEST(model_weights_start_as_in_pytorch)
{
    arena a = {.name = "init"};
    err e = {0};
    params *p = params_open(&a);
    EXPECT_OK(model_build(model_find("emotion_recognizer"), p,
                          &(model_dims){.batch = 1, .time = 2, .classes = 4}, &a, &e) != NULL,
              e);
    EXPECT_OK(params_allocate(p, 0, &e), e);
    params_init(p, 7);
    const float *w = params_at(p, params_find(p, "fc2.weight"));
    double sum = 0, square = 0, bound = 1 / sqrt(512), n = 512 * 256;
    for (int i = 0; i < 512 * 256; i++) {
        sum += w[i], square += (double)w[i] * w[i];
        if (fabs(w[i]) > bound)
            EXPECT_BELOW(fabs(w[i]), bound);
    }
    EXPECT_NEAR(sum / n, 0, 3 * bound / sqrt(3 * n));
    EXPECT_NEAR(sqrt(square / n), bound / sqrt(3), 0.01 * bound);
    params_release(p);
    arena_free(&a);
}

// Three micro-batches added up, each scaled by the whole window's weight, are one large batch.
TEST(model_accumulated_gradients_equal_one_large_batch)
{
    enum { B = 6 };
    arena a = {.name = "accumulate"};
    err e = {0};
    const model_def *m = model_find("harmony_predictor");
    float *grads[2] = {0};
    params *p[2];
    for (int k = 0; k < 2; k++) {
        int64_t rows = k ? B / 3 : B;
        p[k] = params_open(&a);
        network *n =
            model_build(m, p[k], &(model_dims){.batch = rows, .time = 1, .training = true}, &a, &e);
        EXPECT_OK(n && params_allocate(p[k], 0, &e), e);
        params_init(p[k], 3);
        plan_options o = {.threads = 1,
                          .outputs = &n->loss,
                          .n_outputs = 1,
                          .params = p[k],
                          .grads = n->grads,
                          .grad_mode = k ? GRAD_ADD : GRAD_STORE};
        plan *pl = plan_make(n->g, &o, &a, &e);
        run *r = run_open(pl, p[k], NULL, &a, &e);
        float total = 0;
        for (int i = 0; i < B; i++)
            total += (float)(i % 3);
        for (int64_t first = 0; first < B; first += rows) {
            float *x = run_data(r, n->in[0]), *w = run_data(r, n->weight);
            int32_t *y = run_data(r, n->target);
            for (int64_t i = 0; i < rows; i++) {
                for (int j = 0; j < 128; j++)
                    x[i * 128 + j] = test_fill(5, (uint32_t)((first + i) * 128 + j), 1);
                y[i] = (int32_t)(first + i) * 7 % 64, w[i] = (float)((first + i) % 3);
            }
            *(float *)run_data(r, n->scale) = 1 / total;
            run_step(r, 0, 0, true);
        }
        grads[k] = p[k]->grads;
        run_close(r);
    }
    EXPECT_BELOW(test_distance(grads[1], grads[0], (size_t)p[0]->grads_len), 1e-6);
    params_release(p[0]), params_release(p[1]);
    arena_free(&a);
}

// loss = classes' cross-entropy + affect_weight * mean over rows of the mean squared error of
// embedding 0 and 1.
TEST(model_affect_is_part_of_the_loss)
{
    enum { B = 3, T = 4 };
    double loss[2] = {0}, expected = 0;
    for (int k = 0; k < 2; k++) {
        arena a = {.name = "affect"};
        err e = {0};
        params *p = params_open(&a);
        model_dims d = {
            .batch = B, .time = T, .classes = 2, .training = true, .affect_weight = k ? 0.5f : 0};
        network *n = model_build(model_find("emotion_recognizer"), p, &d, &a, &e);
        EXPECT_OK(n && params_allocate(p, 0, &e), e);
        params_init(p, 3);
        tensor *outputs[] = {n->out, n->loss};
        plan_options o = {
            .threads = 1, .outputs = outputs, .n_outputs = 2, .params = p, .grads = n->grads};
        run *r = run_open(plan_make(n->g, &o, &a, &e), p, NULL, &a, &e);
        for (int i = 0; i < B * T * 128; i++)
            ((float *)run_data(r, n->in[0]))[i] = test_fill(8, (uint32_t)i, 1);
        for (int i = 0; i < B; i++) {
            ((int32_t *)run_data(r, n->target))[i] = i % 2;
            ((float *)run_data(r, n->weight))[i] = 1;
        }
        *(float *)run_data(r, n->scale) = 1.0f / B;
        float *meant = k ? run_data(r, n->affect) : NULL;
        for (int i = 0; meant && i < B * 64; i++)
            meant[i] = test_fill(9, (uint32_t)i, 1);
        run_step(r, 0, 0, true);
        loss[k] = (double)*(float *)run_data(r, n->loss);
        const float *said = run_data(r, n->out);
        for (int i = 0; meant && i < B; i++)
            for (int j = 0; j < 2; j++)
                expected +=
                    0.5 * pow((double)said[i * 64 + j] - (double)meant[i * 64 + j], 2) / (2 * B);
        run_close(r);
        params_release(p);
        arena_free(&a);
    }
    EXPECT(expected > 0.01);
    EXPECT_NEAR(loss[1] - loss[0], expected, 1e-6);
}
