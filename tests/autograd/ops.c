// SPDX-License-Identifier: GPL-3.0-or-later
// ops.c: tests of all ops, driven by the table. For every op, every sample and every dtype that its
// kernels take:
//
//     rules       shapes and types are what the op says it takes; a gradient and a portable form
//                 are there, or the reason why not
//     reference   forward against the plain kernel, at every vector width that this CPU has
//     threads     one, two and three threads give the same bits
//     plan        the planned run, in place and not, gives the bits of the interpreter (eval.h)
//     gradient    the gradient nodes against central differences of the reference kernels, in
//                 several directions, sums in f64
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "autograd/plan.h"
#include "autograd/run.h"
#include "tests/autograd/eval.h"
#include "tests/test.h"

enum { DIRECTIONS = 5, OUT_MAX = 2 * OP_IN_MAX };

// One sample as a graph: inputs, the op behind copies of them (so that it may work in place), and
// the gradients of what can have one.
typedef struct setup {
    const op_def *op;
    const op_sample *sample;
    dtype type; // what stands for f32
    arena arena;
    graph *g;
    tensor *x[OP_IN_MAX], *y, *d, *wrt[OP_IN_MAX], *grad[OP_IN_MAX];
    int wrt_index[OP_IN_MAX], n_wrt, forward_nodes;
} setup;

static dtype type_of(const setup *s, int i)
{
    return s->sample->in[i].type == DT_F32 ? s->type : s->sample->in[i].type;
}

static bool is_listed(const setup *s)
{
    for (int i = 0; i < graph_nodes(s->g); i++)
        if (graph_node(s->g, i)->op == s->op)
            return true;
    return false;
}

static void build_gradient(setup *s)
{
    s->d = graph_input(s->g, "d", DT_F32, s->y->shape);
    for (int i = 0; i < s->sample->n; i++)
        if (type_of(s, i) == DT_F32 && !s->sample->in[i].no_gradient) {
            s->wrt_index[s->n_wrt] = i;
            s->wrt[s->n_wrt++] = s->x[i];
        }
    graph_gradient_from(s->g, s->y, s->d, s->wrt, s->n_wrt, s->grad);
}

static bool build(setup *s, const op_def *op, const op_sample *sample, dtype type)
{
    tensor *copy[OP_IN_MAX];
    err e = {0};
    *s = (setup){.op = op, .sample = sample, .type = type, .arena = {.name = "sample"}};
    s->g = graph_open(&s->arena);
    for (int i = 0; i < sample->n; i++) {
        char name[16];
        snprintf(name, sizeof name, "x%d", i);
        s->x[i] = copy[i] = graph_input(s->g, name, type_of(s, i), sample->in[i].shape);
        if (type_of(s, i) == DT_F32)
            copy[i] = op_scale(s->g, s->x[i], 1.0f);
    }
    s->y = sample->build(s->g, copy);
    s->forward_nodes = graph_nodes(s->g);
    if (op->gradient && type == DT_F32 && graph_ok(s->g, &e))
        build_gradient(s);
    return test_expect(graph_ok(s->g, &e), __FILE__, __LINE__, "%s, %s: %s", op->name, sample->what,
                       e.text);
}

static void fill(const setup *s, eval *ev)
{
    for (int i = 0; i < s->sample->n; i++)
        eval_fill(ev->data[s->x[i]->id], &s->sample->in[i], type_of(s, i), i);
    if (s->d)
        for (int64_t k = 0; k < shape_count(s->d->shape); k++)
            ((float *)ev->data[s->d->id])[k] = test_fill(99, (uint32_t)k, 1.0f);
}

static eval *evaluated(setup *s, eval_how how)
{
    eval *ev = eval_open(s->g, &s->arena);
    fill(s, ev);
    eval_run(ev, &how);
    return ev;
}

typedef void check_fn(setup *s, threads *pool);

// Runs a check over the whole table.
static void for_all(check_fn *check)
{
    err e = {0};
    threads *pool = threads_open(3, &e);
    EXPECT_OK(pool != NULL, e);
    for (int i = 0; pool && i < OP_COUNT; i++) {
        const op_def *op = op_get((op_id)i);
        for (int k = 0; k < op->n_samples; k++)
            for (int t = 0; t < DT_COUNT; t++) {
                setup s;
                if ((op->types >> t & 1) && build(&s, op, &op->samples[k], (dtype)t))
                    check(&s, pool);
                if (op->types >> t & 1)
                    arena_free(&s.arena);
            }
    }
    threads_close(pool);
}

// --- rules --------------------------------------------------------------------------------------

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
    test_expect(op_find(op->name) == op, __FILE__, __LINE__, "%s is not found by its name",
                op->name);
}

TEST(ops_are_complete)
{
    for (int i = 0; i < OP_COUNT; i++)
        check_entry(op_get((op_id)i));
    EXPECT(op_find("no such op") == NULL);
}

// As many inputs as the op declares, and only optional ones left out.
static void check_inputs(const setup *s, const node *n)
{
    bool all = n->n_in >= n->op->n_in_min && n->n_in <= n->op->n_in_max;
    for (int k = 0; k < n->n_in; k++)
        all = all && (n->in[k] || n->op->optional >> k & 1);
    test_expect(all, __FILE__, __LINE__, "%s, %s: %s has other inputs than it declares",
                s->op->name, s->sample->what, n->op->name);
}

static void check_rules(setup *s, threads *pool)
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
    for_all(check_rules);
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

// --- kernels ------------------------------------------------------------------------------------

// max |a - b| against max |b|; infinite where one of them is not finite and the other is.
static double distance(const float *a, const float *b, int64_t n)
{
    double most = 0, top = 1e-30;
    for (int64_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        if (!isfinite(a[i]) || !isfinite(b[i]))
            return INFINITY;
        most = d > most ? d : most;
        top = fabs((double)b[i]) > top ? fabs((double)b[i]) : top;
    }
    return most / top;
}

// Tensors of both evaluations, all of them; `what` names the comparison.
static void compare(const setup *s, const eval *a, const eval *b, double tolerance,
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
        double d = distance(a->data[i], b->data[i], n);
        test_expect(d <= tolerance, __FILE__, __LINE__,
                    "%s, %s: %s: tensor %d, by %s, is off by %.3g", s->op->name, s->sample->what,
                    what, i, by, d);
    }
}

static void check_reference(setup *s, threads *pool)
{
    (void)pool;
    eval *plain =
        evaluated(s, (eval_how){.reference = true, .width = variant_best(), .threads = 1});
    for (variant v = VARIANT_BASE; v <= variant_best(); v++)
        compare(s, evaluated(s, (eval_how){.width = v, .threads = 1}), plain, 1e-5,
                variant_name(v));
}

TEST(ops_forward_equals_reference)
{
    for_all(check_reference);
}

static void check_threads(setup *s, threads *pool)
{
    eval *one = evaluated(s, (eval_how){.width = variant_best(), .threads = 1});
    compare(s, evaluated(s, (eval_how){.width = variant_best(), .threads = 2, .pool = pool}), one,
            0, "two threads");
    compare(s, evaluated(s, (eval_how){.width = variant_best(), .threads = 3, .pool = pool}), one,
            0, "three threads");
}

TEST(ops_do_not_depend_on_threads)
{
    for_all(check_threads);
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
        setup s;
        if (build(&s, op_get(OP_linear), &wide, DT_F32))
            check_threads(&s, pool);
        arena_free(&s.arena);
    }
    threads_close(pool);
}

// --- plan ---------------------------------------------------------------------------------------

static void compare_run(const setup *s, run *r, const eval *ev, const tensor *t, const char *what)
{
    size_t bytes = (size_t)shape_count(t->shape) * dtype_size(t->type);
    test_expect(!memcmp(run_data(r, t), ev->data[t->id], bytes), __FILE__, __LINE__,
                "%s, %s: %s: tensor %d has other bits", s->op->name, s->sample->what, what, t->id);
}

static void check_plan_as(setup *s, threads *pool, const eval *ev, bool no_inplace)
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

static void check_plan(setup *s, threads *pool)
{
    eval *ev = evaluated(s, (eval_how){.width = variant_best(), .threads = 1});
    check_plan_as(s, pool, ev, false);
    check_plan_as(s, pool, ev, true);
}

TEST(ops_planned_run_equals_interpreter)
{
    for_all(check_plan);
}

// --- gradients ----------------------------------------------------------------------------------

static double dot(const float *a, const float *b, int64_t n)
{
    double total = 0;
    for (int64_t i = 0; i < n; i++)
        total += (double)a[i] * (double)b[i];
    return total;
}

static void shift(const setup *s, eval *ev, int direction, double by)
{
    for (int i = 0; i < s->n_wrt; i++) {
        float *x = ev->data[s->wrt[i]->id];
        for (int64_t k = 0; k < shape_count(s->wrt[i]->shape); k++)
            x[k] += (float)(by * (double)test_fill((uint32_t)(1000 + 20 * direction + i),
                                                   (uint32_t)k, 1.0f));
    }
}

// <d, y> of the reference kernels at x + by * direction.
static double objective(const setup *s, eval *ev, int direction, double by)
{
    fill(s, ev);
    shift(s, ev, direction, by);
    eval_run(ev, &(eval_how){.reference = true, .width = variant_best(), .threads = 1});
    return dot(ev->data[s->y->id], ev->data[s->d->id], shape_count(s->y->shape));
}

// <gradient, direction>, and the size that such a product has for a direction without luck.
static double derivative(const setup *s, const eval *ev, int direction, double *size)
{
    double total = 0, squares = 0;
    for (int i = 0; i < s->n_wrt; i++)
        for (int64_t k = 0; s->grad[i] && k < shape_count(s->wrt[i]->shape); k++) {
            double g = (double)((const float *)ev->data[s->grad[i]->id])[k];
            total +=
                g * (double)test_fill((uint32_t)(1000 + 20 * direction + i), (uint32_t)k, 1.0f);
            squares += g * g;
        }
    *size = sqrt(squares / 3); // a direction's numbers have variance 1/3
    return total;
}

static void check_gradient(setup *s, threads *pool)
{
    (void)pool;
    if (!s->n_wrt || s->type != DT_F32)
        return;
    double h = s->sample->step > 0 ? (double)s->sample->step : 1e-2,
           tolerance = s->sample->tolerance > 0 ? (double)s->sample->tolerance : 2e-3;
    eval *at = evaluated(s, (eval_how){.width = variant_best(), .threads = 1}),
         *moved = eval_open(s->g, &s->arena);
    for (int direction = 0; direction < DIRECTIONS; direction++) {
        double size, analytic = derivative(s, at, direction, &size);
        double numeric =
            (objective(s, moved, direction, h) - objective(s, moved, direction, -h)) / (2 * h);
        double scale = fabs(analytic) > size ? fabs(analytic) : size;
        test_expect(
            fabs(analytic - numeric) <= tolerance * scale, __FILE__, __LINE__,
            "%s, %s: gradient along direction %d is %.6g, differences give %.6g (tolerance %.2g)",
            s->op->name, s->sample->what, direction, analytic, numeric, tolerance * scale);
    }
}

TEST(ops_gradients_equal_differences)
{
    for_all(check_gradient);
}

// Asked for alone, each gradient is the one that it was among all.
static void check_alone(setup *s, threads *pool)
{
    (void)pool;
    if (s->n_wrt < 2)
        return;
    eval *all = evaluated(s, (eval_how){.width = variant_best(), .threads = 1});
    for (int i = 0; i < s->n_wrt; i++) {
        tensor *alone = NULL;
        err e = {0};
        graph_gradient_from(s->g, s->y, s->d, &s->wrt[i], 1, &alone);
        test_expect(graph_ok(s->g, &e) && !alone == !s->grad[i], __FILE__, __LINE__, "%s: %s",
                    s->op->name, e.text);
        if (!alone)
            continue;
        eval *ev = evaluated(s, (eval_how){.width = variant_best(), .threads = 1});
        double d =
            distance(ev->data[alone->id], all->data[s->grad[i]->id], shape_count(alone->shape));
        test_expect(d <= 1e-6, __FILE__, __LINE__, "%s, %s: gradient %d alone differs by %.3g",
                    s->op->name, s->sample->what, i, d);
    }
}

TEST(ops_gradients_one_at_a_time)
{
    for_all(check_alone);
}
