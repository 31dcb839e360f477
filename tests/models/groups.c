// SPDX-License-Identifier: GPL-3.0-or-later
// groups.c (tests): losses of groups (models/groups.h) against PyTorch (tests/golden/groups.py).
#include "models/groups.h"

#include <math.h>

#include "autograd/run.h"
#include "tests/autograd/eval.h"
#include "tests/models/guests.h"
#include "tests/test.h"

enum { ROWS = 5, WIDTH = 8 };

typedef struct fixture {
    arena a;
    network n;
    tensor *logits, *gradient;
} fixture;

static void fixture_open(fixture *f)
{
    *f = (fixture){.n = {.model = &test_two_groups, .dims = {.label_smoothing = 0.1f}}};
    f->n.g = graph_open(&f->a);
    f->logits = graph_input(f->n.g, "logits", DT_F32, shape_of(2, ROWS, WIDTH));
    f->n.target = graph_input(f->n.g, "target", DT_I32, shape_of(2, ROWS, 2));
    f->n.weight = graph_input(f->n.g, "weight", DT_F32, shape_of(2, ROWS, 2));
}

// The loss and its gradient are what the golden says.
static void expect(fixture *f, tensor *loss, const json *value, const json *gradient)
{
    static const int32_t target[ROWS * 2] = {0, 2, 1, 5, 1, 3, 0, -1, -1, -1};
    static const float weight[ROWS * 2] = {1, 1, 0.5f, 0.5f, 2, 2, 1.5f, 0, 0, 0};
    err e = {0};
    graph_gradient(f->n.g, loss, &f->logits, 1, &f->gradient);
    if (!test_expect(graph_ok(f->n.g, &e), __FILE__, __LINE__, "%s", e.text))
        return;
    eval *v = eval_open(f->n.g, &f->a);
    for (uint32_t i = 0; i < ROWS * WIDTH; i++)
        ((float *)v->data[f->logits->id])[i] = test_fill(1, i, 3);
    for (int i = 0; i < ROWS * 2; i++) {
        ((int32_t *)v->data[f->n.target->id])[i] = target[i];
        ((float *)v->data[f->n.weight->id])[i] = weight[i];
    }
    eval_run(v, &(eval_how){.threads = 1});
    EXPECT_NEAR(*(float *)v->data[loss->id], json_num(value, 0), 1e-6 * json_num(value, 0));
    EXPECT_INT(json_len(gradient), ROWS * WIDTH);
    for (size_t i = 0; i < ROWS * WIDTH; i++)
        EXPECT_NEAR(((float *)v->data[f->gradient->id])[i], json_num(json_at(gradient, i), 9),
                    1e-6);
}

TEST(groups_loss_is_pytorchs)
{
    fixture f;
    fixture_open(&f);
    json *golden = test_golden("groups");
    expect(&f, groups_loss(&f.n, f.logits), json_get(golden, "loss"), json_get(golden, "dlogits"));
    json_free(golden);
    arena_free(&f.a);
}

TEST(groups_agreement_is_pytorchs)
{
    fixture f;
    err e = {0};
    fixture_open(&f);
    json *golden = test_golden("groups");
    expect(&f, groups_agreement(&f.n, f.logits, "base", "node"), json_get(golden, "agreement"),
           json_get(golden, "dagreement"));
    json_free(golden);
    (void)groups_agreement(&f.n, f.logits, "node", "base"); // wholes are no parts
    EXPECT_ERR(graph_ok(f.n.g, &e), e, ERR_SHAPE, "'base' are no parts of 'node'");
    arena_free(&f.a);
}

// Groups lie side by side and fill the output.
static void expect_whole(const model_group *list, int n, int width)
{
    int at = 0;
    for (int k = 0; k < n; k++) {
        EXPECT_INT(list[k].offset, at);
        EXPECT(list[k].size >= 2 && list[k].weight > 0 && list[k].name && list[k].says);
        at += list[k].size;
    }
    EXPECT_INT(at, width);
}

TEST(groups_fill_their_outputs)
{
    expect_whole(instrument_groups, INSTRUMENT_GROUPS, 160);
    expect_whole(node_groups, NODE_GROUPS, 258);
    expect_whole(test_two_groups.groups, test_two_groups.n_groups, WIDTH);
    EXPECT_INT(model_find_group(&test_two_groups, "node"), 1);
    EXPECT_INT(model_find_group(&test_two_groups, "sub"), -1);
}

// Rows that are mixed of two items have the loss of both.
TEST(groups_of_mixed_rows)
{
    enum { B = 3, T = 2, BANDS = 8 };
    double loss[3];
    for (int k = 0; k < 3; k++) { // the first items alone, the second alone, both by weights
        arena a = {.name = "mixed"};
        err e = {0};
        params *p = params_open(&a);
        network *n = model_build(
            &test_two_groups, p,
            &(model_dims){.batch = B, .time = T, .training = true, .mixed = k == 2}, &a, &e);
        EXPECT_OK(n && params_allocate(p, 0, &e), e);
        params_init(p, 3);
        plan_options o = {
            .threads = 1, .outputs = &n->loss, .n_outputs = 1, .params = p, .grads = n->grads};
        run *r = run_open(plan_make(n->g, &o, &a, &e), p, NULL, &a, &e);
        for (uint32_t i = 0; i < B * T * BANDS; i++)
            ((float *)run_data(r, n->in[0]))[i] = test_fill(8, i, 1);
        for (int i = 0; i < B * 2; i++) {
            ((int32_t *)run_data(r, n->target))[i] = k == 1;
            ((float *)run_data(r, n->weight))[i] = k == 2 ? 0.25f : 1;
            if (k == 2)
                ((int32_t *)run_data(r, n->other_target))[i] = 1,
                                        ((float *)run_data(r, n->other_weight))[i] = 0.75f;
        }
        *(float *)run_data(r, n->scale) = 1;
        run_step(r, 0, 0, true);
        loss[k] = (double)*(float *)run_data(r, n->loss);
        run_close(r);
        params_release(p);
        arena_free(&a);
    }
    EXPECT(fabs(loss[0] - loss[1]) > 0.01);
    EXPECT_NEAR(loss[2], 0.25 * loss[0] + 0.75 * loss[1], 1e-5);
}
