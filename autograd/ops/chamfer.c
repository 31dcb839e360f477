// SPDX-License-Identifier: GPL-3.0-or-later
// chamfer.c: how far two clouds of points lie apart (Fan et al. 2017), squared and both ways, and
// its way back. a [B, N, 3], b [B, M, 3], weight [B]:
//     loss = sum_i w_i (1 / N sum_n min_m |a_n - b_m|^2 + 1 / M sum_m min_n |a_n - b_m|^2)
// Outputs 1 and 2 keep which point of the other cloud was the nearest, [B, N] and [B, M]; of
// equally near ones the first of a lane. With those,
//     da_n = 2 d w (1 / N (a_n - b_nearest(n)) + 1 / M sum over m whose nearest is n (a_n - b_m))
// and db is the same with the clouds exchanged. No N x M matrix is ever there: coordinates lie in
// three planes, four points meet a register of others at a time, and the nearest so far stays in
// registers. Distances are of differences, not of |a|^2 - 2 a b + |b|^2, which cancels.
#include <math.h>
#include <string.h>

#include "autograd/ops/kernel.h"
#include "autograd/ops/panel.h"

enum { AXES = 3, TOGETHER = 4 };

typedef struct clouds {
    int64_t b, n, m; // items, points of a, points of b
} clouds;

static clouds clouds_of(const node *n)
{
    shape a = n->in[0]->shape, b = n->in[1]->shape;
    return (clouds){a.d[0], a.d[1], b.d[1]};
}

static bool fits(const node *n, const tensor *weight, err *e)
{
    char x[64], y[64], z[64];
    shape a = n->in[0]->shape, b = n->in[1]->shape, w = weight->shape;
    if (a.rank != 3 || b.rank != 3 || a.d[0] != b.d[0] || a.d[2] != AXES || b.d[2] != AXES ||
        a.d[1] < 1 || b.d[1] < 1 || !shape_same(w, shape_of(1, a.d[0])))
        return rule_fail(e,
                         "clouds %s and %s of three coordinates and a weight of each, %s, do "
                         "not fit",
                         shape_text(a, x), shape_text(b, y), shape_text(w, z));
    return true;
}

static bool rule(const node *n, err *e)
{
    if (!fits(n, n->in[2], e))
        return false;
    clouds k = clouds_of(n);
    n->out[0]->type = DT_F32, n->out[0]->shape = (shape){.rank = 0};
    n->out[1]->type = DT_I32, n->out[1]->shape = shape_of(2, k.b, k.n);
    n->out[2]->type = DT_I32, n->out[2]->shape = shape_of(2, k.b, k.m);
    return true;
}

static int64_t padded(int64_t n)
{
    return (n + VLANES - 1) / VLANES * VLANES;
}

// Floats of a thread: the other cloud in planes. Before them lie the sums of all clouds both ways.
static size_t planes_room(const clouds *k)
{
    return (size_t)(AXES * padded(k->n > k->m ? k->n : k->m));
}

static size_t workspace(const call *c)
{
    clouds k = clouds_of(c->n);
    return ((size_t)padded(4 * k.b) + planes_room(&k) * (size_t)c->threads) * sizeof(float);
}

static double cost(const call *c)
{
    clouds k = clouds_of(c->n);
    return 2.0 * (double)(k.b * k.n) * (double)k.m * 0.4;
}

// x [n, 3] -> to [3][padded n]; behind n lie points at infinity, which are never the nearest.
static void planes(const float *x, int64_t n, float *to)
{
    for (int64_t axis = 0, step = padded(n); axis < AXES; axis++, to += step) {
        for (int64_t i = 0; i < n; i++)
            to[i] = x[i * AXES + axis];
        for (int64_t i = n; i < step; i++)
            to[i] = INFINITY;
    }
}

static inline vf choose(vi take, vf a, vf b)
{
    return (vf)((take & (vi)a) | (~take & (vi)b));
}

// The least of a register, and of those that have it the first.
static inline float least(vf d, vi at, int32_t *index)
{
    int best = 0;
    for (int k = 1; k < VLANES; k++)
        if (d[k] < d[best])
            best = k;
    *index = at[best] + best;
    return d[best];
}

// TOGETHER points x [.., 3] -> how far, squared, and which of the others is nearest to each.
static inline void nearest(const float *x, const float *others, int64_t n, float *far,
                           int32_t *index)
{
    int64_t step = padded(n);
    vf best[TOGETHER], p[TOGETHER][AXES];
    vi at[TOGETHER];
    PANEL_EACH(r, axis, TOGETHER, AXES)
    p[r][axis] = x[r * AXES + axis] - (vf){0};
    PANEL_UNROLL for (int r = 0; r < TOGETHER; r++) best[r] = INFINITY - (vf){0}, at[r] = (vi){0};
    for (int32_t i = 0; i < step; i += VLANES) {
        vf o[AXES];
        PANEL_UNROLL for (int axis = 0; axis < AXES; axis++) o[axis] =
            vf_load(others + axis * step + i);
        PANEL_UNROLL for (int r = 0; r < TOGETHER; r++)
        {
            vf u = o[0] - p[r][0], v = o[1] - p[r][1], w = o[2] - p[r][2];
            vf d = u * u + v * v + w * w;
            vi take = d < best[r];
            best[r] = choose(take, d, best[r]);
            at[r] = (take & (i - (vi){0})) | (~take & at[r]);
        }
    }
    for (int r = 0; r < TOGETHER; r++)
        far[r] = least(best[r], at[r], &index[r]);
}

// The mean over x [n, 3] of the distance to the nearest of `others`, planes of m points.
static double one_way(const float *x, int64_t n, const float *others, int64_t m, int32_t *index)
{
    double total = 0;
    for (int64_t i = 0; i < n; i += TOGETHER) {
        float few[TOGETHER * AXES] = {0}, far[TOGETHER];
        int32_t which[TOGETHER];
        int64_t count = n - i < TOGETHER ? n - i : TOGETHER;
        memcpy(few, x + i * AXES, (size_t)(count * AXES) * sizeof *x);
        nearest(few, others, m, far, which);
        for (int64_t r = 0; r < count; r++)
            total += (double)far[r], index[i + r] = which[r];
    }
    return total / (double)n;
}

// Item and direction `unit` of 2 B.
static void cloud_part(void *arg, int thread, int64_t lo, int64_t hi)
{
    const call *c = arg;
    clouds k = clouds_of(c->n);
    float *room = (float *)c->work + padded(4 * k.b) + (size_t)thread * planes_room(&k);
    for (int64_t unit = lo; unit < hi; unit++) {
        int64_t item = unit / 2, from = unit % 2, n = from ? k.m : k.n, m = from ? k.n : k.m;
        double w = (double)((const float *)c->in[2])[item], *sum = (double *)c->work + unit;
        int32_t *index = (int32_t *)c->out[1 + from] + item * n;
        *sum = 0;
        memset(index, 0, (size_t)n * sizeof *index);
        if (w == 0)
            continue;
        planes((const float *)c->in[1 - from] + item * m * AXES, m, room);
        *sum = w * one_way((const float *)c->in[from] + item * n * AXES, n, room, m, index);
    }
}

static void forward(const call *c)
{
    double total = 0;
    int64_t units = 2 * clouds_of(c->n).b;
    threads_share(c->pool, c->threads, units, 1, cloud_part, (void *)c);
    for (int64_t i = 0; i < units; i++)
        total += ((const double *)c->work)[i];
    *(float *)c->out[0] = (float)total;
}

static double squared(const float *a, const float *b)
{
    double d = 0;
    for (int k = 0; k < AXES; k++)
        d += ((double)a[k] - (double)b[k]) * ((double)a[k] - (double)b[k]);
    return d;
}

static double exact_way(const float *x, int64_t n, const float *others, int64_t m, int32_t *index)
{
    double total = 0;
    for (int64_t i = 0; i < n; i++) {
        double best = INFINITY;
        for (int64_t j = 0; j < m; j++)
            if (squared(x + i * AXES, others + j * AXES) < best)
                best = squared(x + i * AXES, others + j * AXES), index[i] = (int32_t)j;
        total += best / (double)n;
    }
    return total;
}

static void reference(const call *c)
{
    clouds k = clouds_of(c->n);
    double total = 0;
    for (int64_t i = 0; i < k.b; i++) {
        const float *a = (const float *)c->in[0] + i * k.n * AXES,
                    *b = (const float *)c->in[1] + i * k.m * AXES;
        total += (double)((const float *)c->in[2])[i] *
                 (exact_way(a, k.n, b, k.m, (int32_t *)c->out[1] + i * k.n) +
                  exact_way(b, k.m, a, k.n, (int32_t *)c->out[2] + i * k.m));
    }
    *(float *)c->out[0] = (float)total;
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    tensor *a = n->in[0], *b = n->in[1], *of_a = n->out[1], *of_b = n->out[2], *w = n->in[2];
    if (want[0])
        din[0] = op_chamfer_back(g, (tensor *[]){a, b, of_a, of_b, w}, dout[0]);
    if (want[1])
        din[1] = op_chamfer_back(g, (tensor *[]){b, a, of_b, of_a, w}, dout[0]);
    if (want[2])
        graph_fail(g, "chamfer: its weights have no gradient");
}

// ---- The way back: points, others, the nearest other of each point, the nearest point of each
// other, weight, d

enum { IN_POINTS, IN_OTHERS, IN_OF_POINTS, IN_OF_OTHERS, IN_WEIGHT, IN_D, INPUTS };

static bool back_rule(const node *n, err *e)
{
    char a[64], b[64];
    clouds k = clouds_of(n);
    if (!fits(n, n->in[IN_WEIGHT], e))
        return false;
    if (!shape_same(n->in[IN_OF_POINTS]->shape, shape_of(2, k.b, k.n)) ||
        !shape_same(n->in[IN_OF_OTHERS]->shape, shape_of(2, k.b, k.m)) ||
        shape_count(n->in[IN_D]->shape) != 1)
        return rule_fail(e, "indices %s and %s, or the gradient of a scalar, do not fit",
                         shape_text(n->in[IN_OF_POINTS]->shape, a),
                         shape_text(n->in[IN_OF_OTHERS]->shape, b));
    return rule_same(n, e);
}

static void back_part(const call *c, int64_t lo, int64_t hi)
{
    clouds k = clouds_of(c->n);
    for (int64_t item = lo; item < hi; item++) {
        const float *p = (const float *)c->in[IN_POINTS] + item * k.n * AXES,
                    *o = (const float *)c->in[IN_OTHERS] + item * k.m * AXES;
        const int32_t *of_p = (const int32_t *)c->in[IN_OF_POINTS] + item * k.n,
                      *of_o = (const int32_t *)c->in[IN_OF_OTHERS] + item * k.m;
        float *out = (float *)c->out[0] + item * k.n * AXES,
              d = 2 * *(const float *)c->in[IN_D] * ((const float *)c->in[IN_WEIGHT])[item],
              here = d / (float)k.n, there = d / (float)k.m;
        for (int64_t i = 0; i < k.n * AXES; i++)
            out[i] = here * (p[i] - o[of_p[i / AXES] * AXES + i % AXES]);
        for (int64_t j = 0; j < k.m * AXES; j++) {
            int64_t at = of_o[j / AXES] * AXES + j % AXES;
            out[at] += there * (p[at] - o[j]);
        }
    }
}

static void back_forward(const call *c)
{
    op_parallel(c, clouds_of(c->n).b, 1, back_part);
}

static void back_reference(const call *c)
{
    clouds k = clouds_of(c->n);
    const float *p = c->in[IN_POINTS], *o = c->in[IN_OTHERS], *w = c->in[IN_WEIGHT];
    const int32_t *of_p = c->in[IN_OF_POINTS], *of_o = c->in[IN_OF_OTHERS];
    double d = (double)*(const float *)c->in[IN_D];
    for (int64_t i = 0; i < k.b * k.n * AXES; i++) {
        int64_t item = i / AXES / k.n, axis = i % AXES;
        double near = (double)o[(item * k.m + of_p[i / AXES]) * AXES + axis],
               sum = ((double)p[i] - near) / (double)k.n;
        for (int64_t j = item * k.m; j < (item + 1) * k.m; j++)
            if (of_o[j] == i / AXES % k.n)
                sum += ((double)p[i] - (double)o[j * AXES + axis]) / (double)k.m;
        ((float *)c->out[0])[i] = (float)(2 * d * (double)w[item] * sum);
    }
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_chamfer(g, in[0], in[1], in[2]);
}
static tensor *build_back(graph *g, tensor *const in[])
{
    return op_chamfer_back(g, in, in[IN_D]);
}
#define CLOUD(b, n)                                                                                \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(3, b, n, AXES), .scale = 4                                   \
    }
#define FIXED(b, n)                                                                                \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(3, b, n, AXES), .scale = 4, .no_gradient = true              \
    }
#define EACH(b)                                                                                    \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(1, b), .scale = 1, .offset = 1.5f, .no_gradient = true       \
    }
#define INDEX(b, n, most)                                                                          \
    {                                                                                              \
        .type = DT_I32, .shape = DIMS(2, b, n), .below = (most)                                    \
    }
static const op_sample samples[] = {
    {.what = "few points", .n = 3, .in = {CLOUD(3, 5), CLOUD(3, 4), EACH(3)}, .build = build},
    {.what = "one against many", .n = 3, .in = {CLOUD(2, 1), CLOUD(2, 9), EACH(2)}, .build = build},
    {.what = "more than a register",
     .n = 3,
     .in = {FIXED(2, 70), FIXED(2, 131), EACH(2)},
     .build = build},
};
static const op_sample back_samples[] = {
    {.what = "few points",
     .n = INPUTS,
     .in = {CLOUD(3, 5), CLOUD(3, 4), INDEX(3, 5, 4), INDEX(3, 4, 5), EACH(3), VALUES(0, 0)},
     .build = build_back},
};

const op_def VARIANT(op_chamfer) = {
    .name = "chamfer",
    OP_F32(3, 3),
    .flags = OP_EXACT,
    .shape = rule,
    .workspace = workspace,
    .cost = cost,
    .forward = forward,
    .reference = reference,
    .gradient = gradient,
    .no_portable = "losses are not exported",
    OP_SAMPLES(samples),
};

const op_def VARIANT(op_chamfer_back) = {
    .name = "chamfer_back",
    OP_F32(INPUTS, 1),
    .flags = OP_EXACT,
    .shape = back_rule,
    OP_BACK_KERNELS(back_forward, back_reference),
    OP_SAMPLES(back_samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_chamfer(graph *g, tensor *a, tensor *b, tensor *weight)
{
    return graph_add(g, OP_chamfer, NULL, 0, 3, (tensor *[]){a, b, weight});
}
tensor *op_chamfer_back(graph *g, tensor *const in[5], tensor *d)
{
    tensor *all[INPUTS] = {in[0], in[1], in[2], in[3], in[4], d};
    return graph_add(g, OP_chamfer_back, NULL, 0, INPUTS, all);
}
#endif
