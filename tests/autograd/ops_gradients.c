// SPDX-License-Identifier: GPL-3.0-or-later
// ops_gradients.c: the gradients of all ops: their nodes against central differences of the
// reference kernels, in several directions, sums in f64; and each asked for alone.
#include <math.h>

#include "tests/autograd/sampled.h"
#include "tests/test.h"

enum { DIRECTIONS = 5 };

static double dot(const float *a, const float *b, int64_t n)
{
    double total = 0;
    for (int64_t i = 0; i < n; i++)
        total += (double)a[i] * (double)b[i];
    return total;
}

static void shift(const sampled *s, eval *ev, int direction, double by)
{
    for (int i = 0; i < s->n_wrt; i++) {
        float *x = ev->data[s->wrt[i]->id];
        for (int64_t k = 0; k < shape_count(s->wrt[i]->shape); k++)
            x[k] += (float)(by * (double)test_fill((uint32_t)(1000 + 20 * direction + i),
                                                   (uint32_t)k, 1.0f));
    }
}

// <d, y> of the reference kernels at x + by * direction.
static double objective(const sampled *s, eval *ev, int direction, double by)
{
    sampled_fill(s, ev);
    shift(s, ev, direction, by);
    eval_run(ev, &(eval_how){.reference = true, .width = variant_best(), .threads = 1});
    return dot(ev->data[s->y->id], ev->data[s->d->id], shape_count(s->y->shape));
}

// <gradient, direction>, and the size that such a product has for a direction without luck.
static double derivative(const sampled *s, const eval *ev, int direction, double *size)
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

static void check_gradient(sampled *s, threads *pool)
{
    (void)pool;
    if (!s->n_wrt || s->type != DT_F32)
        return;
    double h = s->sample->step > 0 ? (double)s->sample->step : 1e-2,
           tolerance = s->sample->tolerance > 0 ? (double)s->sample->tolerance : 2e-3;
    eval *at = sampled_eval(s, (eval_how){.width = variant_best(), .threads = 1}),
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
    sampled_all(check_gradient);
}

// Asked for alone, each gradient is the one that it was among all.
static void check_alone(sampled *s, threads *pool)
{
    (void)pool;
    if (s->n_wrt < 2)
        return;
    eval *all = sampled_eval(s, (eval_how){.width = variant_best(), .threads = 1});
    for (int i = 0; i < s->n_wrt; i++) {
        tensor *alone = NULL;
        err e = {0};
        graph_gradient_from(s->g, s->y, s->d, &s->wrt[i], 1, &alone);
        test_expect(graph_ok(s->g, &e) && !alone == !s->grad[i], __FILE__, __LINE__, "%s: %s",
                    s->op->name, e.text);
        if (!alone)
            continue;
        eval *ev = sampled_eval(s, (eval_how){.width = variant_best(), .threads = 1});
        double d = sampled_distance(ev->data[alone->id], all->data[s->grad[i]->id],
                                    shape_count(alone->shape));
        test_expect(d <= 1e-6, __FILE__, __LINE__, "%s, %s: gradient %d alone differs by %.3g",
                    s->op->name, s->sample->what, i, d);
    }
}

TEST(ops_gradients_one_at_a_time)
{
    sampled_all(check_alone);
}
