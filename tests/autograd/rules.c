// SPDX-License-Identifier: GPL-3.0-or-later
// rules.c: what the table-driven tests of ops.c cannot know: the sentences for shapes that do not
// fit, free dimensions carried along, and the promises of single ops (padding, invalid targets,
// dropout's mask).
#include "autograd/rules.h"

#include <math.h>
#include <string.h>

#include "tests/autograd/eval.h"
#include "tests/test.h"

static tensor *input(graph *g, shape s)
{
    return graph_input(g, "x", DT_F32, s);
}

static tensor *bad_add(graph *g)
{
    return op_add(g, input(g, shape_of(2, 3, 5)), input(g, shape_of(1, 4)));
}
static tensor *bad_types(graph *g)
{
    return op_mul(g, input(g, shape_of(1, 4)), graph_input(g, "i", DT_I32, shape_of(1, 4)));
}
static tensor *bad_linear(graph *g)
{
    return op_linear(g, input(g, shape_of(2, 3, 5)), input(g, shape_of(2, 7, 6)), NULL, ACT_RELU);
}
static tensor *bad_bias(graph *g)
{
    return op_linear(g, input(g, shape_of(2, 3, 5)), input(g, shape_of(2, 7, 5)),
                     input(g, shape_of(1, 5)), ACT_NONE);
}
static tensor *bad_matmul(graph *g)
{
    return op_matmul(g, input(g, shape_of(2, 3, 5)), input(g, shape_of(2, 4, 6)), true, false);
}
static tensor *bad_reshape(graph *g)
{
    return op_reshape(g, input(g, shape_of(2, 3, 5)), shape_of(2, 4, 4));
}
static tensor *bad_slice(graph *g)
{
    return op_slice(g, input(g, shape_of(2, 3, 5)), 1, 4, 2);
}
static tensor *bad_axis(graph *g)
{
    return op_transpose(g, input(g, shape_of(2, 3, 5)), 0, 2);
}
static tensor *bad_begin(graph *g)
{
    return op_slice(g, input(g, shape_of(2, 3, 5)), 0, -4, 1);
}
static tensor *bad_concat(graph *g)
{
    return op_concat(g, 1, 2,
                     (tensor *[]){input(g, shape_of(2, 3, 5)), input(g, shape_of(2, 4, 5))});
}
static tensor *bad_broadcast(graph *g)
{
    return op_broadcast(g, input(g, shape_of(2, 3, 5)), shape_of(2, 3, 1));
}
static tensor *bad_sum(graph *g)
{
    return op_sum(g, input(g, shape_of(2, 3, 5)), 4, false);
}
static tensor *bad_dropout(graph *g)
{
    return op_dropout(g, input(g, shape_of(2, 3, 5)), 1, "d", 0);
}
static tensor *bad_target(graph *g)
{
    tensor *t = graph_input(g, "t", DT_I32, shape_of(1, 4));
    return op_cross_entropy(g, input(g, shape_of(2, 3, 5)), t, input(g, shape_of(1, 3)), 0);
}
static tensor *bad_weight(graph *g)
{
    tensor *x = input(g, shape_of(2, 3, 5));
    return op_mse(g, x, x, input(g, shape_of(1, 5)));
}
static tensor *bad_dim(graph *g)
{
    return op_note_code(g, graph_input(g, "n", DT_I32, shape_of(1, 4)), 7);
}
// The first error stays; what is built on it is not looked at.
static tensor *bad_then_worse(graph *g)
{
    tensor *first = op_act(g, bad_add(g), ACT_GELU);
    return op_matmul(g, first, bad_slice(g), false, false);
}

static const struct {
    tensor *(*build)(graph *g);
    const char *says;
} refused[] = {
    {bad_add, "add: shapes [3, 5] and [4] do not broadcast"},
    {bad_types, "mul: types f32 and i32 differ"},
    {bad_linear, "linear: input [3, 5] does not fit weight [7, 6]"},
    {bad_bias, "bias is [5]"},
    {bad_matmul, "matmul: inner sizes 3 and 4 of [3, 5]^T and [4, 6] differ"},
    {bad_reshape, "reshape: [3, 5] and [4, 4] differ in size"},
    {bad_slice, "slice: 2 elements from 4 on do not lie in axis 1 of [3, 5]"},
    {bad_begin, "slice: 1 elements from -4 on do not lie in axis 0 of [3, 5]"},
    {bad_axis, "transpose: [3, 5] has no axis 2"},
    {bad_concat, "concat: f32 [4, 5] does not join f32 [3, 5] along axis 1"},
    {bad_broadcast, "broadcast: [3, 5] does not broadcast to [3, 1]"},
    {bad_sum, "sum: [3, 5] has no axes for mask 0x4"},
    {bad_dropout, "dropout: p is 1; it must lie in [0, 1)"},
    {bad_target, "need a target i32 and a weight f32 a row"},
    {bad_weight, "mse: output [3, 5] needs one weight a row, not [5]"},
    {bad_dim, "length 7 must be even"},
    {bad_then_worse, "add: shapes [3, 5] and [4] do not broadcast"},
};

TEST(rules_refuse_with_the_numbers)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        arena a = {.name = "rules"};
        graph *g = graph_open(&a);
        err e = {0};
        EXPECT(tensor_poisoned(refused[i].build(g)));
        EXPECT_ERR(graph_ok(g, &e), e, ERR_SHAPE, refused[i].says);
        arena_free(&a);
    }
}

// ---- Free dimensions

// "B" batch, "T" time, "." fixed
static const char *symbols(const tensor *t)
{
    static char text[RANK_MAX + 1];
    for (int i = 0; i < t->shape.rank; i++)
        text[i] = ".BT"[t->shape.sym[i]];
    text[t->shape.rank] = 0;
    return text;
}

TEST(rules_carry_free_dimensions)
{
    arena a = {.name = "rules"};
    err e = {0};
    graph *g = graph_open(&a);
    tensor *x = input(g, (shape){.rank = 3, .d = {2, 5, 8}, .sym = {SYM_BATCH, SYM_TIME}});
    tensor *v = input(g, (shape){.rank = 2, .d = {2, 8}, .sym = {SYM_BATCH}}),
           *w = input(g, shape_of(2, 6, 8));
    EXPECT_STR(symbols(op_linear(g, x, w, NULL, ACT_NONE)), "BT.");
    EXPECT_STR(symbols(op_matmul(g, x, w, false, true)), "BT.");
    EXPECT_STR(symbols(op_matmul(g, x, x, true, false)), "..");
    EXPECT_STR(symbols(op_add(g, op_reshape(g, v, shape_of(3, 2, 1, 8)), x)), "BT.");
    EXPECT_STR(symbols(op_slice(g, x, 1, -1, 1)), "B..");
    EXPECT_STR(symbols(op_slice(g, x, 1, 0, 5)), "BT.");
    EXPECT_STR(symbols(op_squeeze(g, op_slice(g, x, 1, -1, 1), 1)), "B.");
    EXPECT_STR(symbols(op_unsqueeze(g, v, 1)), "B..");
    EXPECT_STR(symbols(op_transpose(g, x, 0, 2)), ".TB");
    EXPECT_STR(symbols(op_concat(g, 2, 2, (tensor *[]){x, x})), "BT.");
    EXPECT_STR(symbols(op_sum(g, x, 2, false)), "B.");
    EXPECT_STR(symbols(op_sum(g, x, 2, true)), "B..");
    EXPECT_STR(symbols(op_reshape(g, x, shape_of(2, 10, 8))), "B.");
    EXPECT_STR(symbols(op_reshape(g, x, shape_of(4, 2, 5, 2, 4))), "BT..");
    EXPECT_STR(symbols(op_reshape(g, v, shape_of(3, 2, 1, 8))), "B..");
    EXPECT_STR(symbols(op_reshape(g, v, shape_of(3, 1, 2, 8))), ".B.");
    EXPECT_STR(symbols(op_softmax(g, x)), "BT.");
    EXPECT_OK(graph_ok(g, &e), e);
    arena_free(&a);
}

// ---- Single promises

static void cross_entropy_once(const int32_t target[3], const float weight[3], float *loss,
                               float grad[6])
{
    arena a = {.name = "rules"};
    err e = {0};
    graph *g = graph_open(&a);
    tensor *x = input(g, shape_of(2, 3, 2)), *dx, *y,
           *one = graph_const(g, DT_F32, (shape){.rank = 0}, &(float){1});
    y = op_cross_entropy(g, x, graph_const(g, DT_I32, shape_of(1, 3), target),
                         graph_const(g, DT_F32, shape_of(1, 3), weight), 0);
    graph_gradient_from(g, y, one, &x, 1, &dx);
    EXPECT_OK(graph_ok(g, &e), e);
    eval *ev = eval_open(g, &a);
    memcpy(ev->data[x->id], (const float[]){0, 0, 2, -1, 5, 5}, 6 * sizeof(float));
    eval_run(ev, &(eval_how){.width = variant_best(), .threads = 1});
    *loss = *(float *)ev->data[y->id];
    memcpy(grad, ev->data[dx->id], 6 * sizeof(float));
    arena_free(&a);
}

TEST(cross_entropy_does_not_look_at_padding)
{
    float loss, grad[6];
    cross_entropy_once((const int32_t[]){1, INT32_MAX, INT32_MIN}, (const float[]){2, 0, 0}, &loss,
                       grad);
    EXPECT_NEAR((double)loss, 2 * log(2), 1e-6);
    EXPECT(grad[0] == 1 && grad[1] == -1 && grad[2] == 0 && grad[3] == 0 && grad[4] == 0 &&
           grad[5] == 0);
}

TEST(cross_entropy_of_an_impossible_target_is_not_a_number)
{
    float loss, grad[6];
    cross_entropy_once((const int32_t[]){0, 1, 2}, (const float[]){1, 1, 1}, &loss, grad);
    EXPECT(isnan(loss));
    cross_entropy_once((const int32_t[]){0, -1, 0}, (const float[]){1, 1, 1}, &loss, grad);
    EXPECT(isnan(loss));
}

// The mask as a kernel draws it, and the same from a gradient of ones.
TEST(dropout_keeps_its_share_and_its_mask)
{
    enum { N = 40000 };
    arena a = {.name = "rules"};
    graph *g = graph_open(&a);
    tensor *x = input(g, shape_of(1, N)), *y = op_dropout(g, x, 0.25f, "d", 1),
           *dy = graph_input(g, "d", DT_F32, x->shape), *dx;
    EXPECT(op_dropout(g, x, 0, "d", 1) == x);
    graph_gradient_from(g, y, dy, &x, 1, &dx);
    eval *ev = eval_open(g, &a);
    float *in = ev->data[x->id], *d = ev->data[dy->id];
    const float *out = ev->data[y->id], *back = ev->data[dx->id];
    int kept = 0;
    for (int i = 0; i < N; i++)
        in[i] = d[i] = 1;
    eval_run(ev, &(eval_how){.width = variant_best(), .threads = 1});
    for (int i = 0; i < N; i++) {
        kept += out[i] != 0;
        EXPECT(out[i] == back[i] && (out[i] == 0 || fabsf(out[i] - 4.0f / 3) < 1e-6f));
    }
    EXPECT_NEAR(kept / (double)N, 0.75, 0.01); // more than four standard deviations
    eval_run(ev, &(eval_how){.width = variant_best(), .threads = 1, .idle = true});
    EXPECT(!memcmp(in, out, N * sizeof *in));
    arena_free(&a);
}

TEST(note_code_stays_in_its_table)
{
    arena a = {.name = "rules"};
    graph *g = graph_open(&a);
    tensor *n = graph_input(g, "n", DT_I32, shape_of(1, 4)), *y = op_note_code(g, n, 4);
    eval *ev = eval_open(g, &a);
    memcpy(ev->data[n->id], (const int32_t[]){-1, INT32_MIN, 127, INT32_MAX}, 4 * sizeof(int32_t));
    eval_run(ev, &(eval_how){.width = variant_best(), .threads = 1});
    const float *c = ev->data[y->id];
    EXPECT(c[0] == 0 && c[3] == 0 && !memcmp(c, c + 4, 4 * sizeof *c));
    EXPECT(c[8] != 0 && !memcmp(c + 8, c + 12, 4 * sizeof *c));
    arena_free(&a);
}
