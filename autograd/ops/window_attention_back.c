// SPDX-License-Identifier: GPL-3.0-or-later
// window_attention_back: the gradients of window_attention. With P the softmax's weights, computed
// again from q, k and the bias:
//     dv = P^T d        dP = d v^T        dS = P o (dP - rowsum(dP o P))
//     dq = dS k / sqrt(d)        dk = dS^T q / sqrt(d)        dbias = dS, summed over all windows
// The mask is a constant. Inputs: d, q, k, v, bias; outputs dq, dk, dv, dbias. A head of each group
// of the batch has a sum of dS of its own, N x N, and those are added in order at the end: the bits
// do not depend on the threads.
#include "autograd/ops/window_scores.h"

enum { IN_D, IN_Q, IN_K, IN_V, IN_BIAS, INPUTS };

static window_dims dims_of(const node *n)
{
    return window_of(n->in[IN_Q], n->attrs);
}

static bool rule(const node *n, err *e)
{
    char a[64], b[64];
    shape d = n->in[IN_D]->shape;
    if (!window_fits(n, IN_Q, IN_BIAS, e))
        return false;
    if (!shape_same(d, n->in[IN_Q]->shape))
        return rule_fail(e, "gradient %s does not fit %s", shape_text(d, a),
                         shape_text(n->in[IN_Q]->shape, b));
    for (int i = 1; i < 4; i++)
        n->out[i]->type = DT_F32, n->out[i]->shape = n->in[i + 1]->shape;
    return rule_same(n, e);
}

typedef struct buffers {
    float *table, *q, *k, *v, *d;                   // [edges][N][P], [N][D] four times
    float *q_transposed, *d_transposed, *p, *s, *x; // [d][P] twice, [N][P] twice, [N][D]
} buffers;

static size_t take_buffers(const window_dims *m, float *base, buffers *w)
{
    size_t at = 0;
    float **rows[] = {&w->q, &w->k, &w->v, &w->d, &w->x};
    w->table = workspace_take(base, &at, WINDOW_EDGES * m->n * m->np);
    for (int i = 0; i < LENGTH(rows); i++)
        *rows[i] = workspace_take(base, &at, m->n * m->dp);
    w->q_transposed = workspace_take(base, &at, m->d * m->np);
    w->d_transposed = workspace_take(base, &at, m->d * m->np);
    w->p = workspace_take(base, &at, m->n * m->np);
    w->s = workspace_take(base, &at, m->n * m->np);
    return at;
}

// The sums of dS, [heads][groups][N][P], lie before what threads work in.
static size_t sums_room(const window_dims *m)
{
    return (size_t)(m->heads * m->groups * m->n * m->np);
}

static size_t workspace(const call *c)
{
    window_dims m = dims_of(c->n);
    return (take_buffers(&m, NULL, &(buffers){0}) * (size_t)c->threads + sums_room(&m)) *
           sizeof(float);
}

static double cost(const call *c)
{
    window_dims m = dims_of(c->n);
    return window_pairs(&m) * (0.5 * (double)m.d + 3);
}

static double flops(const node *n)
{
    window_dims m = dims_of(n);
    return 10 * window_pairs(&m) * (double)m.d;
}

// s: d v^T [N][P], key by query -> dS, which is added to `sum`.
static inline void slopes(const window_dims *m, const float *restrict p, float *restrict s,
                          float *restrict sum)
{
    float inner[WINDOW_MOST + VLANES];
    for (int64_t i = 0; i < m->np; i++)
        inner[i] = 0;
    for (int64_t j = 0; j < m->n; j++)
        for (int64_t i = 0; i < m->np; i++)
            inner[i] += p[j * m->np + i] * s[j * m->np + i];
    for (int64_t j = 0; j < m->n; j++)
        for (int64_t i = 0; i < m->np; i++) {
            float x = p[j * m->np + i] * (s[j * m->np + i] - inner[i]);
            s[j * m->np + i] = x;
            sum[j * m->np + i] += x;
        }
}

static void window_gradients(const call *c, const window_dims *m, const buffers *w,
                             const int64_t *at, const float *table, float *sum)
{
    window_rows(m, c->in[IN_D], at, 1, w->d);
    window_rows(m, c->in[IN_Q], at, m->scale, w->q);
    window_rows(m, c->in[IN_K], at, 1, w->k);
    window_rows(m, c->in[IN_V], at, 1, w->v);
    window_transpose(m, w->q, w->q_transposed);
    window_transpose(m, w->d, w->d_transposed);
    window_weights(m, w->k, w->q_transposed, table, w->p);
    window_product(w->s, (window_left){w->v, m->dp, 1}, w->d_transposed, m->d, m->n, m->np);
    slopes(m, w->p, w->s, sum);
    window_product(w->x, (window_left){w->s, 1, m->np}, w->k, m->n, m->n, m->dp);
    window_back(m, w->x, at, m->scale, c->out[0]);
    window_product(w->x, (window_left){w->s, m->np, 1}, w->q, m->n, m->n, m->dp);
    window_back(m, w->x, at, 1, c->out[1]);
    window_product(w->x, (window_left){w->p, m->np, 1}, w->d, m->n, m->n, m->dp);
    window_back(m, w->x, at, 1, c->out[2]);
}

static float *sum_of(const call *c, const window_dims *m, int64_t head, int64_t group)
{
    float *sums = (float *)c->work + take_buffers(m, NULL, &(buffers){0}) * (size_t)c->threads;
    return sums + (head * m->groups + group) * m->n * m->np;
}

static void group_back(const call *c, const window_dims *m, float *work, int64_t head,
                       int64_t group)
{
    buffers w;
    int64_t at[WINDOW_MOST], lo, hi, windows = m->rows * m->columns;
    float *sum = sum_of(c, m, head, group);
    (void)take_buffers(m, work, &w);
    window_group(m, group, &lo, &hi);
    window_tables(m, c->in[IN_BIAS], head, w.table);
    memset(sum, 0, (size_t)(m->n * m->np) * sizeof *sum);
    for (int64_t unit = lo * windows; unit < hi * windows; unit++) {
        window_places(m, unit / windows, unit % windows, head, at);
        window_gradients(c, m, &w, at, w.table + window_edge(m, unit % windows) * m->n * m->np,
                         sum);
    }
}

static void forward(const call *c)
{
    window_dims m = dims_of(c->n);
    float *dbias = c->out[3];
    window_jobs(c, group_back, &m, take_buffers(&m, NULL, &(buffers){0}));
    memset(dbias, 0, (size_t)shape_count(c->n->out[3]->shape) * sizeof *dbias);
    for (int64_t unit = 0; unit < m.heads * m.groups; unit++) {
        const float *sum = sum_of(c, &m, unit / m.groups, unit % m.groups);
        for (int64_t j = 0; j < m.n; j++)
            for (int64_t i = 0; i < m.n; i++)
                dbias[window_relative(&m, i, j) * m.heads + unit / m.groups] += sum[j * m.np + i];
    }
}

// ---- In f64, a window of a head at a time

typedef struct exact {
    const float *d, *q, *k, *v, *bias;
    double p[WINDOW_MOST], ds[WINDOW_MOST];
} exact;

// Weights and slopes of query i.
static void exact_query(exact *x, const window_dims *m, const int64_t *at, int edge, int64_t head,
                        int64_t i)
{
    double top = -INFINITY, total = 0, inner = 0;
    for (int64_t j = 0; j < m->n; j++) {
        double s = 0;
        x->ds[j] = 0;
        for (int64_t k = 0; k < m->d; k++) {
            s += (double)x->q[at[i] + k] * (double)x->k[at[j] + k] / sqrt((double)m->d);
            x->ds[j] += (double)x->d[at[i] + k] * (double)x->v[at[j] + k];
        }
        x->p[j] = s + (double)x->bias[window_relative(m, i, j) * m->heads + head] +
                  (window_parted(m, edge, i, j) ? (double)window_apart : 0);
        top = x->p[j] > top ? x->p[j] : top;
    }
    for (int64_t j = 0; j < m->n; j++)
        total += x->p[j] = exp(x->p[j] - top);
    for (int64_t j = 0; j < m->n; j++)
        inner += (x->p[j] /= total) * x->ds[j];
    for (int64_t j = 0; j < m->n; j++)
        x->ds[j] = x->p[j] * (x->ds[j] - inner);
}

// Added to the gradients [map] thrice, and to that of the bias.
static void exact_add(const exact *x, const window_dims *m, const int64_t *at, int64_t head,
                      int64_t i, double *const out[4])
{
    double scale = 1 / sqrt((double)m->d);
    for (int64_t j = 0; j < m->n; j++) {
        out[3][window_relative(m, i, j) * m->heads + head] += x->ds[j];
        for (int64_t k = 0; k < m->d; k++) {
            out[0][at[i] + k] += x->ds[j] * scale * (double)x->k[at[j] + k];
            out[1][at[j] + k] += x->ds[j] * scale * (double)x->q[at[i] + k];
            out[2][at[j] + k] += x->p[j] * (double)x->d[at[i] + k];
        }
    }
}

static void reference(const call *c)
{
    window_dims m = dims_of(c->n);
    int64_t at[WINDOW_MOST], windows = m.rows * m.columns;
    arena a = {.name = "gradients"};
    exact x = {c->in[IN_D], c->in[IN_Q], c->in[IN_K], c->in[IN_V], c->in[IN_BIAS], {0}, {0}};
    double *out[4];
    for (int k = 0; k < 4; k++)
        out[k] = NEW(&a, double, (size_t)shape_count(c->n->out[k]->shape));
    for (int64_t unit = 0; unit < m.b * windows * m.heads; unit++) {
        int64_t head = unit % m.heads, window = unit / m.heads % windows;
        window_places(&m, unit / m.heads / windows, window, head, at);
        for (int64_t i = 0; i < m.n; i++) {
            exact_query(&x, &m, at, window_edge(&m, window), head, i);
            exact_add(&x, &m, at, head, i, out);
        }
    }
    for (int k = 0; k < 4; k++)
        for (int64_t i = 0; i < shape_count(c->n->out[k]->shape); i++)
            ((float *)c->out[k])[i] = (float)out[k][i];
    arena_free(&a);
}

static tensor *build_shifted(graph *g, tensor *const in[])
{
    tensor *o = op_window_attention(g, in + 1, 2, (window_cut){2, 3, 1, 1});
    return op_window_attention_back(g, o->from, in[0]);
}
static tensor *build_down(graph *g, tensor *const in[])
{
    tensor *o = op_window_attention(g, in + 1, 4, (window_cut){4, 2, 2, 0});
    return op_window_attention_back(g, o->from, in[0]);
}
static tensor *build_large(graph *g, tensor *const in[])
{
    tensor *o = op_window_attention(g, in + 1, 1, (window_cut){5, 5, 0, 0});
    return op_window_attention_back(g, o->from, in[0]);
}
#define MAPS_OF(b, h, w, c, bias, heads)                                                           \
    {                                                                                              \
        VALUES(4, b, h, w, c), VALUES(4, b, h, w, c), VALUES(4, b, h, w, c),                       \
            VALUES(4, b, h, w, c), VALUES(2, bias, heads)                                          \
    }
static const op_sample samples[] = {
    {.what = "shifted both ways", .n = 5, .in = MAPS_OF(2, 4, 6, 8, 15, 2), .build = build_shifted},
    {.what = "shifted down, more items than groups",
     .n = 5,
     .in = MAPS_OF(11, 8, 2, 8, 21, 4),
     .build = build_down},
    {.what = "more tokens and numbers than a register",
     .n = 5,
     .in = MAPS_OF(1, 10, 10, 37, 81, 1),
     .build = build_large},
};

const op_def VARIANT(op_window_attention_back) = {
    .name = "window_attention_back",
    OP_F32(INPUTS, 4),
    .flags = OP_INPLACE0 | OP_INPLACE1,
    .shape = rule,
    OP_PLANNED(workspace, cost, flops),
    OP_BACK_KERNELS(forward, reference),
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_window_attention_back(graph *g, const node *attention, tensor *d)
{
    const node *n = attention;
    tensor *in[INPUTS] = {d, n->in[0], n->in[1], n->in[2], n->in[3]};
    return graph_add(g, OP_window_attention_back, n->attrs, sizeof(window_attrs), INPUTS, in);
}
#endif
