// SPDX-License-Identifier: GPL-3.0-or-later
// ops.c: tests of all ops, driven by the table. For every op, every sample and every dtype that its
// kernels take:
//
//     rules       shapes and types are what the op says it takes; a gradient and a portable form
//                 are there, or the reason why not
//     reference   forward against the plain kernel, at every vector width that this CPU has
//     threads     one, two and three threads give the same bits
//     plan        the planned run, in place and not, gives the bits of the interpreter (eval.h)
//
// Their gradients: ops_gradients.c.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/gemm/gemm_bf16.h"
#include "autograd/plan.h"
#include "autograd/run.h"
#include "tests/autograd/sampled.h"
#include "tests/test.h"

enum { OUT_MAX = 2 * OP_IN_MAX };

// ---- Rules

static void check_entry(const op_def *op)
{
    bool kernel = op->flags & OP_VIEW ? !op->forward : op->forward != NULL;
    test_expect(kernel, __FILE__, __LINE__, "%s: a view has no kernel, anything else has one",
                op->name);
    test_expect(op->n_samples > 0, __FILE__, __LINE__, "%s has no samples", op->name);
    test_expect(op->types != 0, __FILE__, __LINE__, "%s takes no dtype", op->name);
    test_expect(!op->gradient != !op->no_gradient, __FILE__, __LINE__,
                "%s: give a gradient or say why there is none", op->name);
    test_expect(!op->portable != !op->no_portable, __FILE__, __LINE__,
                "%s: give a portable form or say why there is none", op->name);
}

TEST(ops_are_complete)
{
    for (int i = 0; i < OP_COUNT; i++)
        check_entry(op_get((op_id)i));
}

static bool is_listed(const sampled *s)
{
    for (int i = 0; i < graph_nodes(s->g); i++)
        if (graph_node(s->g, i)->op == s->op)
            return true;
    return false;
}

// As many inputs as the op declares, and only optional ones left out.
static void check_inputs(const sampled *s, const node *n)
{
    bool all = n->n_in >= n->op->n_in_min && n->n_in <= n->op->n_in_max;
    for (int k = 0; k < n->n_in; k++)
        all = all && (n->in[k] || n->op->optional >> k & 1);
    test_expect(all, __FILE__, __LINE__, "%s, %s: %s has other inputs than it declares",
                s->op->name, s->sample->what, n->op->name);
}

static void check_rules(sampled *s, threads *pool)
{
    (void)pool;
    test_expect(is_listed(s), __FILE__, __LINE__, "%s, %s: the sample has no such node",
                s->op->name, s->sample->what);
    for (int i = 0; i < graph_nodes(s->g); i++) {
        const node *n = graph_node(s->g, i);
        check_inputs(s, n);
        bool takes = n->op->types >> n->out[0]->type & 1, sized = true;
        for (int k = 0; k < n->n_out; k++)
            sized = sized && shape_count(n->out[k]->shape) > 0;
        test_expect(takes && sized && n->n_out == n->op->n_out, __FILE__, __LINE__,
                    "%s, %s: the shape rule left type or shape open", n->op->name, s->sample->what);
    }
    for (int i = 0; i < s->n_wrt; i++)
        if (s->grad[i])
            test_expect(shape_same(s->grad[i]->shape, s->wrt[i]->shape), __FILE__, __LINE__,
                        "%s, %s: gradient %d has another shape", s->op->name, s->sample->what, i);
}

TEST(ops_rules)
{
    sampled_all(check_rules);
}

static void expect_missing(graph *g, const char *op, int input)
{
    char text[80];
    err e = {0};
    snprintf(text, sizeof text, "%s: input %d is not a tensor", op, input);
    EXPECT(!graph_ok(g, &e));
    test_expect(strstr(e.text, text) != NULL, __FILE__, __LINE__, "%s", e.text);
}

TEST(ops_name_an_input_that_must_be_there)
{
    arena a = {.name = "missing"};
    graph *g = graph_open(&a);
    tensor *x = graph_input(g, "x", DT_F32, shape_of(2, 3, 5));
    EXPECT(tensor_poisoned(op_linear(g, x, NULL, NULL, ACT_NONE)));
    expect_missing(g, "linear", 1);
    g = graph_open(&a);
    x = graph_input(g, "x", DT_F32, shape_of(2, 3, 5));
    EXPECT(tensor_poisoned(op_add(g, x, NULL)));
    expect_missing(g, "add", 1);
    arena_free(&a);
}

// ---- Kernels

// Tensors of both evaluations, all of them; `what` names the comparison.
static void compare(const sampled *s, const eval *a, const eval *b, double tolerance,
                    const char *what)
{
    for (int i = 0; i < a->n; i++) {
        const tensor *t = graph_tensor(s->g, i);
        int64_t n = shape_count(t->shape);
        const char *by = t->from ? t->from->op->name : "input";
        if (t->type != DT_F32 || tolerance == 0) {
            bool same = !memcmp(a->data[i], b->data[i], (size_t)n * dtype_size(t->type));
            test_expect(same, __FILE__, __LINE__,
                        "%s, %s (%s): %s: tensor %d, by %s, has other bits", s->op->name,
                        s->sample->what, dtype_name(s->type), what, i, by);
            continue;
        }
        double d = sampled_distance(a->data[i], b->data[i], n);
        test_expect(d <= tolerance, __FILE__, __LINE__,
                    "%s, %s: %s: tensor %d, by %s, is off by %.3g", s->op->name, s->sample->what,
                    what, i, by, d);
    }
}

static void check_reference(sampled *s, threads *pool)
{
    (void)pool;
    eval *plain =
        sampled_eval(s, (eval_how){.reference = true, .width = variant_best(), .threads = 1});
    for (variant v = VARIANT_BASE; v <= variant_best(); v++)
        compare(s, sampled_eval(s, (eval_how){.width = v, .threads = 1}), plain, 1e-5,
                variant_name(v));
}

TEST(ops_forward_equals_reference)
{
    sampled_all(check_reference);
}

static void check_narrow(sampled *s, threads *pool)
{
    bool narrow = false;
    for (int i = 0; i < graph_tensors(s->g); i++) {
        dtype type = graph_tensor(s->g, i)->type;
        narrow |= type == DT_BF16 || type == DT_BF16X2;
    }
    if (narrow)
        check_reference(s, pool);
}

// In all ways that this CPU has, not only in its own: a run that began elsewhere goes on so.
TEST(ops_of_bf16_equal_their_reference_in_every_way)
{
    for (int way = 0; way <= GEMM_BF16_AMX; way++)
        if (gemm_bf16_here((gemm_bf16_way)way)) {
            setenv("KMIDI_BF16", gemm_bf16_name((gemm_bf16_way)way), 1);
            sampled_all(check_narrow);
        }
}

static void check_threads(sampled *s, threads *pool)
{
    eval *one = sampled_eval(s, (eval_how){.width = variant_best(), .threads = 1});
    compare(s, sampled_eval(s, (eval_how){.width = variant_best(), .threads = 2, .pool = pool}),
            one, 0, "two threads");
    compare(s, sampled_eval(s, (eval_how){.width = variant_best(), .threads = 3, .pool = pool}),
            one, 0, "three threads");
}

TEST(ops_do_not_depend_on_threads)
{
    sampled_all(check_threads);
}

static tensor *build_linear(graph *g, tensor *const in[])
{
    return op_linear(g, in[0], in[1], NULL, ACT_NONE);
}

// Products of several tiles, some of long sums.
TEST(ops_of_long_rows_do_not_depend_on_threads)
{
    static const int64_t layers[][2] = {{1040, 380}, {90, 1030}, {1040, 1030}}; // [out, in]
    err e = {0};
    threads *pool = threads_open(3, &e);
    EXPECT_OK(pool != NULL, e);
    for (int i = 0; pool && i < 3; i++) {
        op_sample wide = {.what = "long rows", .n = 2, .build = build_linear};
        wide.in[0] =
            (op_sample_input){.type = DT_F32, .shape = shape_of(2, 2100, layers[i][1]), .scale = 1};
        wide.in[1] = (op_sample_input){
            .type = DT_F32, .shape = shape_of(2, layers[i][0], layers[i][1]), .scale = 1};
        sampled s;
        if (sampled_build(&s, op_get(OP_linear), &wide, DT_F32))
            check_threads(&s, pool);
        arena_free(&s.arena);
    }
    threads_close(pool);
}

// ---- Plan

static void compare_run(const sampled *s, run *r, const eval *ev, const tensor *t, const char *what)
{
    size_t bytes = (size_t)shape_count(t->shape) * dtype_size(t->type);
    test_expect(!memcmp(run_data(r, t), ev->data[t->id], bytes), __FILE__, __LINE__,
                "%s, %s: %s: tensor %d has other bits", s->op->name, s->sample->what, what, t->id);
}

static void check_plan_as(sampled *s, threads *pool, const eval *ev, bool no_inplace)
{
    err e = {0};
    tensor *kept[OUT_MAX];
    int n = 0;
    kept[n++] = s->y;
    for (int i = 0; i < s->n_wrt; i++)
        if (s->grad[i])
            kept[n++] = s->grad[i];
    plan_options o = {.threads = 2, .outputs = kept, .n_outputs = n, .no_inplace = no_inplace};
    plan *p = plan_make(s->g, &o, &s->arena, &e);
    run *r = p ? run_open(p, NULL, pool, &s->arena, &e) : NULL;
    if (!test_expect(r != NULL, __FILE__, __LINE__, "%s, %s: %s", s->op->name, s->sample->what,
                     e.text))
        return;
    for (int again = 0; again < 2; again++) { // a second step finds no trace of the first
        for (int i = 0; i < s->sample->n; i++)
            memcpy(run_input(r, s->x[i]->name), ev->data[s->x[i]->id],
                   (size_t)shape_count(s->x[i]->shape) * dtype_size(s->x[i]->type));
        if (s->d)
            memcpy(run_input(r, "d"), ev->data[s->d->id],
                   (size_t)shape_count(s->d->shape) * sizeof(float));
        run_step(r, EVAL_SEED, EVAL_STEP, true);
        for (int i = 0; i < n; i++)
            compare_run(s, r, ev, kept[i], no_inplace ? "planned, nothing in place" : "planned");
    }
    run_close(r);
}

static void check_plan(sampled *s, threads *pool)
{
    eval *ev = sampled_eval(s, (eval_how){.width = variant_best(), .threads = 1});
    check_plan_as(s, pool, ev, false);
    check_plan_as(s, pool, ev, true);
}

TEST(ops_planned_run_equals_interpreter)
{
    sampled_all(check_plan);
}
