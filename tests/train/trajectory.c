// SPDX-License-Identifier: GPL-3.0-or-later
// trajectory.c (tests): a hundred steps of the trainer beside PyTorch's (tests/golden/models.py):
// the same losses, whether the batch comes whole or one item at a time.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/train/small.h"

// The script's numbers in one field; integers are floor(u * below), the first of each row may be
// given.
static void fill_field(batch_field *f, const json *spec)
{
    uint32_t seed = (uint32_t)json_int(json_get(spec, "seed"), 0);
    int64_t n = 1, row = f->dim[f->rank - 1];
    for (int i = 0; i < f->rank; i++)
        n *= f->dim[i];
    for (int64_t i = 0; i < n; i++)
        if (f->type == BATCH_F32)
            ((float *)f->data)[i] =
                test_fill(seed, (uint32_t)i, (float)json_num(json_get(spec, "scale"), 1));
        else if (json_get(spec, "first") && i % row == 0)
            ((int32_t *)f->data)[i] = (int32_t)json_int(json_get(spec, "first"), 0);
        else
            ((int32_t *)f->data)[i] =
                (int32_t)floor((double)test_fill_u32(seed, (uint32_t)i) / 4294967296.0 *
                               json_num(json_get(spec, "below"), 1));
}

static void fill_batch(batch *b, const json *c)
{
    size_t inputs = json_len(json_get(c, "inputs"));
    for (size_t i = 0; i < inputs; i++)
        fill_field(&b->field[i], json_at(json_get(c, "inputs"), i));
    fill_field(&b->field[inputs], json_get(c, "target"));
}

static void fill_weights(const params *p, const json *table)
{
    for (int i = 0; i < p->n; i++) {
        const json *spec = json_at(table, (size_t)i);
        for (int64_t k = 0; k < p->list[i].count; k++)
            params_at(p, i)[k] =
                test_fill((uint32_t)json_int(json_get(spec, "seed"), 0), (uint32_t)k,
                          (float)json_num(json_get(spec, "scale"), 1));
    }
}

static void follow(const json *golden, const json *c, bool one_by_one)
{
    small_run s;
    err e = {0};
    int rows = (int)json_int(json_get(golden, "batch"), 0);
    small_open(&s, json_str(json_get(golden, "name"), ""), rows, 1);
    s.o.model = model_configure(s.o.model, json_str(json_get(golden, "sizes"), ""), &s.a, &e);
    EXPECT_OK(s.o.model != NULL, e);
    s.dims.time = json_int(json_get(c, "length"), 1),
    s.dims.classes = (int)json_int(json_get(golden, "classes"), 0);
    batch *whole = sample_batch(s.o.model, &s.dims, 1, 0, &s.a);
    fill_batch(whole, c);
    s.set = (sample_set){.list = NEW(&s.a, batch *, (size_t)rows),
                         .n = one_by_one ? (uint64_t)rows : 1};
    s.set.list[0] = whole;
    for (int i = 0; one_by_one && i < rows; i++)
        s.set.list[i] = small_part(whole, i, 1, &s.a);
    s.o.hyper.lr = (float)json_num(json_get(json_get(golden, "optimizer"), "lr"), NAN);
    s.o.batch_size = one_by_one ? 1 : rows, s.o.grad_accum = one_by_one ? rows : 1,
    s.o.epochs = 100;
    s.setup.train = sample_source(&s.set), s.setup.time = s.dims.time,
    s.setup.classes = s.dims.classes;
    trainer *t = trainer_open(&s.setup, &s.a, &e);
    EXPECT_OK(t != NULL, e);
    if (t)
        fill_weights(trainer_params(t), json_get(golden, "params"));
    const json *losses = json_get(c, "trajectory_f64");
    for (size_t i = 0; t && i < json_len(losses); i++) {
        EXPECT_OK(trainer_step(t, &e), e);
        double want = json_num(json_at(losses, i), NAN);
        EXPECT_NEAR(trainer_state(t)->last_loss, want, 1e-3 * want + 1e-6);
    }
    trainer_close(t);
    small_close(&s);
}

TEST(trainer_follows_pytorch_for_a_hundred_steps)
{
    for (int i = 0; model_at(i); i++) {
        char name[64];
        if (model_at(i)->task == TASK_GROUPS) // what drops out is another than PyTorch's
            continue;
        snprintf(name, sizeof name, "models_%s", model_at(i)->name);
        json *golden = test_golden(name);
        for (size_t k = 0; golden && k < json_len(json_get(golden, "cases")); k++) {
            follow(golden, json_at(json_get(golden, "cases"), k), false);
            follow(golden, json_at(json_get(golden, "cases"), k), true);
        }
        json_free(golden);
    }
}
