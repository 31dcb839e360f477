// SPDX-License-Identifier: GPL-3.0-or-later
// fuse.c (tests): which additions other nodes take over, and that the numbers stay.
#include "autograd/passes/fuse.h"

#include <string.h>

#include "models/model.h"
#include "tests/autograd/eval.h"
#include "tests/test.h"

enum { ROWS = 6, WIDTH = 10 };

// A residual block: y = x + norm(x) w^T (+ b), its sum as the loss, and the gradients of all that
// is read.
typedef struct block {
    arena a;
    graph *g;
    tensor *x, *y, *in[5], *grad[5];
    int n;
} block;

static void make(block *k, bool bias)
{
    *k = (block){.a = {.name = "block"}};
    graph *g = k->g = graph_open(&k->a);
    shape row = shape_of(1, WIDTH);
    k->n = bias ? 5 : 4;
    k->x = k->in[0] = graph_input(g, "x", DT_F32, shape_of(2, ROWS, WIDTH));
    k->in[1] = graph_input(g, "w", DT_F32, shape_of(2, WIDTH, WIDTH));
    k->in[2] = graph_input(g, "scale", DT_F32, row),
    k->in[3] = graph_input(g, "shift", DT_F32, row);
    k->in[4] = graph_input(g, "b", DT_F32, row);
    tensor *x = op_scale(g, k->x, 1), *h = op_layer_norm(g, x, k->in[2], k->in[3]);
    k->y = op_add(g, x, op_linear(g, h, k->in[1], bias ? k->in[4] : NULL, ACT_NONE));
    tensor *square = op_mul(g, k->y, k->y);
    graph_gradient(g, op_sum(g, square, 3, false), k->in, k->n, k->grad);
}

static int count(const graph *g, op_id op)
{
    int n = 0;
    for (int i = 0; i < graph_nodes(g); i++)
        n += graph_node(g, i)->op == op_get(op);
    return n;
}

static eval *evaluated(block *k)
{
    eval *ev = eval_open(k->g, &k->a);
    for (int i = 0; i < 5; i++)
        for (int64_t j = 0; j < shape_count(k->in[i]->shape); j++)
            ((float *)ev->data[k->in[i]->id])[j] = test_fill((uint32_t)i, (uint32_t)j, 1);
    eval_run(ev, &(eval_how){.width = variant_best(), .threads = 1});
    return ev;
}

static void check_numbers(bool bias)
{
    block plain, fused;
    err e = {0};
    make(&plain, bias), make(&fused, bias);
    int before = count(plain.g, OP_add);
    fuse_additions(fused.g, fused.grad, fused.n);
    EXPECT_OK(graph_ok(fused.g, &e), e);
    EXPECT_INT(before, 3);                   // the residual; y y has two gradients; x has two
    EXPECT_INT(count(fused.g, OP_add), 1);   // that of y y: nobody takes it
    EXPECT_INT(count(fused.g, OP_addmm), 0); // linear has a form of its own
    const eval *want = evaluated(&plain), *got = evaluated(&fused);
    for (int i = 0; i < plain.n; i++)
        EXPECT_BELOW(test_distance(got->data[fused.grad[i]->id], want->data[plain.grad[i]->id],
                                   (size_t)shape_count(plain.in[i]->shape)),
                     1e-5);
    arena_free(&plain.a), arena_free(&fused.a);
}

TEST(fuse_keeps_the_numbers)
{
    check_numbers(false);
    check_numbers(true);
}

TEST(fuse_leaves_what_the_caller_holds)
{
    block k;
    make(&k, true);
    tensor *held[6] = {k.y};
    memcpy(held + 1, k.grad, sizeof k.grad);
    fuse_additions(k.g, held, 6);
    EXPECT_INT(count(k.g, OP_add), 2); // y is made where it was
    EXPECT(k.y->from->op == op_get(OP_add));
    arena_free(&k.a);
}

TEST(fuse_leaves_what_it_may_not_take)
{
    arena a = {.name = "graph"};
    graph *g = graph_open(&a);
    tensor *x = graph_input(g, "x", DT_F32, shape_of(2, WIDTH, WIDTH)),
           *row = graph_input(g, "row", DT_F32, shape_of(1, WIDTH));
    tensor *twice = op_matmul(g, x, x, false, false);
    (void)op_add(g, twice, twice), (void)op_add(g, x, twice);
    (void)op_add(g, op_matmul(g, x, x, false, false), row); // broadcast
    (void)op_add(g, x, op_matmul(g, x, x, true, false));    // a weight's gradient
    (void)op_add(g, x, op_linear(g, x, x, NULL, ACT_TANH)); // behind an activation
    tensor *sum = op_add(g, x, op_matmul(g, x, x, false, true)), *end = op_scale(g, sum, 2);
    fuse_additions(g, NULL, 0);
    EXPECT_INT(count(g, OP_add), 5);
    EXPECT_INT(count(g, OP_addmm), 1);
    EXPECT(end->from->in[0]->from->op == op_get(OP_addmm));
    arena_free(&a);
}

// What is left of the transformer's: the gradients of the table that is both embedding and head.
TEST(fuse_takes_the_additions_of_a_transformer)
{
    arena a = {.name = "model"};
    err e = {0};
    params *p = params_open(&a);
    model_dims d = {.batch = 2, .time = 24, .training = true};
    network *n = model_build(model_find("emotion_midi_transformer"), p, &d, &a, &e);
    EXPECT_OK(n != NULL, e);
    if (n) {
        EXPECT_INT(count(n->g, OP_add), 72);
        fuse_additions(n->g, n->grads, p->n);
        EXPECT_INT(count(n->g, OP_add), 1);
        EXPECT_INT(count(n->g, OP_addmm), 31);
    }
    arena_free(&a);
}

// ---- Casts

enum { PIXELS = 40, CHANNELS = 70 };

// A norm of what was kept as bf16, rounded for what comes next, and its way back, rounded, too.
static tensor *normed(graph *g, tensor *const in[6], tensor *made[2])
{
    tensor *x = op_cast(g, op_cast(g, in[0], DT_BF16), DT_F32),
           *y = op_batch_norm(g, (tensor *[]){x, in[1], in[2], in[3], in[4]}, NULL, ACT_RELU),
           *back = op_batch_norm_back(g, (tensor *[]){in[5], x, in[1], in[2], y->from->out[1]},
                                      ACT_RELU);
    made[0] = y, made[1] = back;
    return op_add(g, op_cast(g, op_cast(g, y, DT_BF16), DT_F32),
                  op_cast(g, op_cast(g, back, DT_BF16), DT_F32));
}

static const float *sum_of_casts(arena *a, bool fused, int casts)
{
    graph *g = graph_open(a);
    shape x = shape_of(2, PIXELS, CHANNELS), row = shape_of(1, CHANNELS);
    tensor *in[6], *made[2];
    for (int i = 0; i < 6; i++)
        in[i] = graph_input(g, (char[]){(char)('a' + i), 0}, DT_F32, i % 5 ? row : x);
    tensor *sum = normed(g, in, made);
    if (fused)
        fuse_casts(g, &sum, 1);
    EXPECT_INT(count(g, OP_cast), casts);
    EXPECT_INT(made[0]->type, fused ? DT_BF16 : DT_F32);
    EXPECT_INT(made[1]->type, fused ? DT_BF16 : DT_F32);
    eval *ev = eval_open(g, a);
    for (int i = 0; i < 6; i++)
        for (int64_t k = 0; k < shape_count(in[i]->shape); k++)
            ((float *)ev->data[in[i]->id])[k] = 1.1f + test_fill((uint32_t)i, (uint32_t)k, 1);
    eval_run(ev, &(eval_how){.width = variant_best(), .threads = 1});
    return ev->data[sum->id];
}

// Of six casts that of the input stays, and those two that an addition reads in f32.
TEST(fuse_casts_keeps_the_bits)
{
    arena a = {.name = "casts"};
    const float *plain = sum_of_casts(&a, false, 6), *fused = sum_of_casts(&a, true, 3);
    EXPECT(!memcmp(plain, fused, sizeof(float) * PIXELS * CHANNELS));
    arena_free(&a);
}

TEST(fuse_casts_leaves_what_others_read_in_f32)
{
    arena a = {.name = "casts"};
    graph *g = graph_open(&a);
    tensor *in[6], *made[2];
    for (int i = 0; i < 6; i++)
        in[i] = graph_input(g, (char[]){(char)('a' + i), 0}, DT_F32,
                            i % 5 ? shape_of(1, CHANNELS) : shape_of(2, PIXELS, CHANNELS));
    tensor *held[] = {normed(g, in, made), NULL};
    (void)op_scale(g, made[0], 2), held[1] = made[1];
    fuse_casts(g, held, 2);
    EXPECT(made[0]->type == DT_F32 && made[1]->type == DT_F32);
    arena_free(&a);
}

// Two convolutions of [1, 18, 18, 16] in steps of two, by a weight and by what is made of one.
static const float *convolved(arena *a, bool form, graph **g)
{
    *g = graph_open(a);
    shape s = shape_of(4, 32, 16, 3, 3);
    tensor *x = graph_input(*g, "x", DT_F32, shape_of(4, 1, 18, 18, 16)),
           *w = graph_param(*g, "w", 0, s), *other = op_scale(*g, w, 2), *y[2];
    for (int i = 0; i < 2; i++)
        y[i] = op_conv2d(*g, (tensor *[]){x, op_filters(*g, i ? other : w), NULL, NULL}, 2, 1,
                         ACT_RELU);
    tensor *sum = op_add(*g, y[0], y[1]);
    if (form)
        fuse_forms(*g);
    eval *ev = eval_open(*g, a);
    for (int64_t k = 0; k < shape_count(x->shape); k++)
        ((float *)ev->data[x->id])[k] = test_fill(1, (uint32_t)k, 1);
    for (int64_t k = 0; k < shape_count(s); k++)
        ((float *)ev->data[w->id])[k] = test_fill(2, (uint32_t)k, 1);
    eval_run(ev, &(eval_how){.width = variant_best(), .threads = 1});
    return ev->data[sum->id];
}

TEST(fuse_forms_gives_a_convolution_its_weight_as_it_multiplies)
{
    arena a = {.name = "forms"};
    graph *g, *h;
    const float *plain = convolved(&a, false, &g), *fused = convolved(&a, true, &h);
    EXPECT(count(g, OP_filters_quads) == 0 && count(h, OP_filters_quads) == 1);
    EXPECT(graph_nodes(h) == graph_nodes(g) + 1);
    double off = 0, most = 0;
    for (int i = 0; i < 9 * 9 * 32; i++) {
        double d = (double)plain[i] - (double)fused[i];
        off = d > off ? d : -d > off ? -d : off;
        most = (double)plain[i] > most ? (double)plain[i] : most;
    }
    EXPECT(most > 1 && off < 1e-5 * most);
    arena_free(&a);
}
