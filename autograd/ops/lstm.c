// SPDX-License-Identifier: GPL-3.0-or-later
// lstm.c: a long short-term memory over all steps of a batch of sequences (Hochreiter and
// Schmidhuber 1997; the gates of torch.nn.LSTM).
//
//     i, f, g, o = split(x_t W_ih^T + b_ih + h_{t-1} W_hh^T + b_hh)      h_{-1} = c_{-1} = 0
//     c_t = sigmoid(f) c_{t-1} + sigmoid(i) tanh(g)
//     h_t = sigmoid(o) tanh(c_t)
//
// Outputs: h [B, T, H]; for the backward the activated gates [B, T, 4H] (i, f, g, o one after the
// other) and c [B, T, H].
//
// A step is one product [x_t h_{t-1}] [W_ih W_hh]^T, too small for a library to shine and to share
// out. So both weights are packed once a call into panels of VLANES units x 4 gates (panel.h): a
// step's four gates of the same units leave one register tile together and become c and h at once.
// The projection of x rides along: as a product of its own over all steps it is no faster, and its
// result, 4H a row, would go to memory and back. Threads share the sequences of the batch: none
// waits for another until the last step is done.
//
// A step of few sequences waits for its weights, which come from the second cache. There x is
// projected over all steps first, and a step fetches W_hh alone: at I 256, H 128, 150 steps and one
// sequence the op takes two thirds of the time. The sums are made in the same order either way
// (panel.h), so a sequence has the bits that it has alone, whatever stands beside it. What comes
// before the first step is nought, and its product with W_hh is left out; of a single step nothing
// is packed, and W_hh not read.
//
// A group of sequences keeps this step's rows in the workspace and copies whole rows from x and to
// the outputs: those lie far apart, and pieces of them would each miss the cache. At 64 sequences
// of 64 steps, I 256, H 128, one Zen 5 core: the product runs at 95% of the peak, the op at 77%.
//
// Gradient: lstm_back gives d of the gates' pre-activations; the rest are products.
#include <math.h>
#include <string.h>

#include "autograd/gemm/gemm.h"
#include "autograd/op.h"
#include "autograd/ops/lstm.h"
#include "autograd/ops/lstm_emit.h"
#include "autograd/ops/lstm_pack.h"
#include "base/vmath.h"

typedef struct dims {
    int64_t b, t, i, h;
    int64_t panels; // of VLANES units
    bool few;       // sequences: x is projected before the first step
    bool once;      // few, and the first step is the last
} dims;

// Half a register tile: with more rows than that, multiplying takes longer than fetching.
enum { FEW = PANEL_MR > 1 ? PANEL_MR / 2 : 1 };

static dims dims_of(const node *n)
{
    dims d = {n->in[0]->shape.d[0],
              n->in[0]->shape.d[1],
              n->in[0]->shape.d[2],
              n->in[2]->shape.d[1],
              0,
              false,
              false};
    d.panels = panel_count(d.h, VLANES);
    d.few = d.b <= FEW;
    d.once = d.few && d.t == 1;
    return d;
}

static bool lstm_shape(const node *n, err *e)
{
    shape x = n->in[0]->shape, w_ih = n->in[1]->shape, w_hh = n->in[2]->shape;
    char a[64], b[64], c[64];
    if (x.rank != 3 || w_ih.rank != 2 || w_hh.rank != 2 || w_ih.d[1] != x.d[2] ||
        w_ih.d[0] != 4 * w_hh.d[1] || w_hh.d[0] != 4 * w_hh.d[1])
        return err_set(e, ERR_SHAPE, "x %s, w_ih %s, w_hh %s are not [B, T, I], [4H, I], [4H, H]",
                       shape_text(x, a), shape_text(w_ih, b), shape_text(w_hh, c));
    for (int i = 3; i < 5; i++)
        if (shape_count(n->in[i]->shape) != w_hh.d[0])
            return err_set(e, ERR_SHAPE, "a bias of %s for %lld gates",
                           shape_text(n->in[i]->shape, a), (long long)w_hh.d[0]);
    for (int i = 0; i < 3; i++) {
        n->out[i]->type = DT_F32;
        n->out[i]->shape = x;
        n->out[i]->shape.d[2] = i == 1 ? w_hh.d[0] : w_hh.d[1];
        n->out[i]->shape.sym[2] = SYM_FIXED;
    }
    return true;
}

// The workspace: panels of [W_ih W_hh] and of the biases; of few the projection of x; for each
// sequence [x_t h_{t-1}] of this step and the next, c and the gates, and one panel's sums.
typedef struct work {
    float *w;     // [panels, I + H, 4, VLANES]
    float *bias;  // [panels, 4, VLANES]
    float *x;     // of few: [panels, B, T, 4, VLANES]
    float *a[2];  // [B, I + H]
    float *c;     // [B, H]
    float *gates; // [B, 4H]
    float *sums;  // [B, 4, VLANES]
} work;

static int64_t projected(const dims *d)
{
    return d->few ? d->panels * d->b * d->t * PANEL_WIDTH : 0;
}

static size_t lstm_workspace(const call *c)
{
    dims d = dims_of(c->n);
    return (size_t)(d.panels * (d.i + d.h + 1) * PANEL_WIDTH + projected(&d) +
                    d.b * (2 * (d.i + d.h) + 5 * d.h + PANEL_WIDTH)) *
           sizeof(float);
}

static work work_of(const dims *d, float *at)
{
    work w = {.w = at};
    w.bias = w.w + d->panels * (d->i + d->h) * PANEL_WIDTH;
    w.x = w.bias + d->panels * PANEL_WIDTH;
    w.sums = w.x + projected(d);
    w.a[0] = w.sums + d->b * PANEL_WIDTH;
    w.a[1] = w.a[0] + d->b * (d->i + d->h);
    w.c = w.a[1] + d->b * (d->i + d->h);
    w.gates = w.c + d->b * d->h;
    return w;
}

// A panel's weights (or, once, what they make of x) and biases.
static void pack_panel(const call *c, const dims *d, const work *w, int64_t p)
{
    const float *w_ih = c->in[1], *w_hh = c->in[2], *b_ih = c->in[3], *b_hh = c->in[4];
    for (int64_t g = 0; g < 4; g++) {
        int64_t unit = p * VLANES, row = g * d->h + unit, n = d->h - unit;
        float *to = w->w + p * (d->i + d->h) * PANEL_WIDTH + g * VLANES,
              *bias = w->bias + p * PANEL_WIDTH + g * VLANES;
        if (d->once) {
            lstm_multiply_gate(w->x + p * d->b * PANEL_WIDTH + g * VLANES, c->in[0], d->b,
                               w_ih + row * d->i, d->i, n);
        } else {
            lstm_pack_gate(to, w_ih + row * d->i, d->i, n);
            lstm_pack_gate(to + d->i * PANEL_WIDTH, w_hh + row * d->h, d->h, n);
        }
        for (int64_t l = 0; l < VLANES; l++)
            bias[l] = l < n ? b_ih[row + l] + b_hh[row + l] : 0;
    }
}

// x W_ih^T of a panel, for all sequences and steps.
static void project(const call *c, const dims *d, const work *w, int64_t p)
{
    int64_t rows = d->b * d->t;
    float *to = w->x + p * rows * PANEL_WIDTH;
    for (int64_t r = 0; r < rows; r += PANEL_ROWS)
        panel_product(to + r * PANEL_WIDTH, PANEL_WIDTH, (const float *)c->in[0] + r * d->i, d->i,
                      1, w->w + p * (d->i + d->h) * PANEL_WIDTH, d->i,
                      rows - r < PANEL_ROWS ? rows - r : PANEL_ROWS, PANEL_WIDTH, false);
}

static void prepare(void *arg, int index, int count)
{
    const call *c = arg;
    dims d = dims_of(c->n);
    work w = work_of(&d, c->work);
    int64_t lo, hi;
    threads_part(d.panels, 1, index, count, &lo, &hi);
    for (int64_t p = lo; p < hi; p++) {
        pack_panel(c, &d, &w, p);
        if (d.few && !d.once)
            project(c, &d, &w, p);
    }
}

typedef struct group {
    const call *call;
    dims d;
    work w;
    int64_t lo, rows; // sequences
} group;

// sums [rows, 4, VLANES] become activated gates. Passes of one function each: chains of 16 lanes
// that do not wait for each other.
static void activate(float *restrict sums, const float *restrict bias, int64_t rows)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t l = 0; l < 2 * VLANES; l++)
            sums[r * PANEL_WIDTH + l] = vm_sigmoid(sums[r * PANEL_WIDTH + l] + bias[l]);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t l = 2 * VLANES; l < 3 * VLANES; l++)
            sums[r * PANEL_WIDTH + l] = vm_tanh(sums[r * PANEL_WIDTH + l] + bias[l]);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t l = 3 * VLANES; l < 4 * VLANES; l++)
            sums[r * PANEL_WIDTH + l] = vm_sigmoid(sums[r * PANEL_WIDTH + l] + bias[l]);
}

// The rest of a step for n units of a panel: c and h, in their rows of the workspace and in the
// outputs.
PANEL_INLINE void finish(const group *s, int64_t t, int64_t unit, int64_t n)
{
    const dims *d = &s->d;
    for (int64_t r = s->lo; r < s->lo + s->rows; r++) {
        const float *restrict y = s->w.sums + r * PANEL_WIDTH;
        float *restrict c = s->w.c + r * d->h + unit;
        for (int64_t l = 0; l < n; l++)
            c[l] = y[VLANES + l] * c[l] + y[l] * y[2 * VLANES + l];
    }
    for (int64_t r = s->lo; r < s->lo + s->rows; r++) {
        const float *restrict c = s->w.c + r * d->h + unit, *restrict y =
                                                                s->w.sums + r * PANEL_WIDTH;
        float *restrict h = s->w.a[~t & 1] + r * (d->i + d->h) + d->i + unit;
        for (int64_t l = 0; l < n; l++)
            h[l] = y[3 * VLANES + l] * vm_tanh(c[l]);
    }
    for (int64_t r = s->lo; r < s->lo + s->rows; r++)
        for (int64_t g = 0; g < 4; g++)
            memcpy(s->w.gates + (4 * r + g) * d->h + unit, s->w.sums + r * PANEL_WIDTH + g * VLANES,
                   (size_t)n * sizeof(float));
}

// Whole rows at a time: pieces of many rows would each miss the cache.
static void store(const group *s, int64_t t)
{
    const dims *d = &s->d;
    for (int64_t r = s->lo; r < s->lo + s->rows; r++) {
        int64_t at = r * d->t + t;
        memcpy((float *)s->call->out[0] + at * d->h, s->w.a[~t & 1] + r * (d->i + d->h) + d->i,
               (size_t)d->h * sizeof(float));
        memcpy((float *)s->call->out[1] + at * 4 * d->h, s->w.gates + r * 4 * d->h,
               (size_t)d->h * 4 * sizeof(float));
        memcpy((float *)s->call->out[2] + at * d->h, s->w.c + r * d->h,
               (size_t)d->h * sizeof(float));
    }
}

// A panel's sums of step t, before the biases.
static void sum_panel(const group *s, int64_t t, int64_t p)
{
    const dims *d = &s->d;
    int64_t k = d->i + d->h;
    float *sums = s->w.sums + s->lo * PANEL_WIDTH;
    const float *a = s->w.a[t & 1] + s->lo * k, *w = s->w.w + p * k * PANEL_WIDTH;
    if (!d->few) {
        panel_multiply(sums, PANEL_WIDTH, a, k, w, k, s->rows);
        return;
    }
    for (int64_t r = 0; r < s->rows; r++)
        memcpy(sums + r * PANEL_WIDTH, s->w.x + ((p * d->b + s->lo + r) * d->t + t) * PANEL_WIDTH,
               PANEL_WIDTH * sizeof *sums);
    if (t)
        panel_product(sums, PANEL_WIDTH, a + d->i, k, 1, w + d->i * PANEL_WIDTH, d->h, s->rows,
                      PANEL_WIDTH, true);
}

static void step_run(const group *s, int64_t t)
{
    const dims *d = &s->d;
    int64_t k = d->i + d->h;
    for (int64_t r = s->lo; !d->few && r < s->lo + s->rows; r++)
        memcpy(s->w.a[t & 1] + r * k, (const float *)s->call->in[0] + (r * d->t + t) * d->i,
               (size_t)d->i * sizeof(float));
    for (int64_t p = 0; p < d->panels; p++) {
        float *sums = s->w.sums + s->lo * PANEL_WIDTH;
        int64_t unit = p * VLANES, n = d->h - unit;
        sum_panel(s, t, p);
        activate(sums, s->w.bias + p * PANEL_WIDTH, s->rows);
        if (n >= VLANES)
            finish(s, t, unit, VLANES);
        else
            finish(s, t, unit, n);
    }
    store(s, t);
}

static void group_run(const call *c, int64_t lo, int64_t rows)
{
    group own = {.call = c, .d = dims_of(c->n), .lo = lo, .rows = rows}, *s = &own;
    own.w = work_of(&own.d, c->work);
    int64_t k = s->d.i + s->d.h;
    memset(s->w.c + s->lo * s->d.h, 0, (size_t)(s->rows * s->d.h) * sizeof(float));
    memset(s->w.a[0] + s->lo * k, 0, (size_t)(s->rows * k) * sizeof(float));
    for (int64_t t = 0; t < s->d.t; t++)
        step_run(s, t);
}

static void lstm_forward(const call *c)
{
    dims d = dims_of(c->n);
    threads_run(c->pool, c->threads, prepare, (void *)(uintptr_t)c);
    lstm_sequences(c, d.b, group_run);
}

// What a product costs, and five exponentials a unit.
static double lstm_cost(const call *c)
{
    dims d = dims_of(c->n);
    return gemm_cost(&c->kit->products, d.b * d.t, 4 * d.h, d.i + d.h) +
           1.5 * (double)(d.b * d.t * d.h);
}

static double flops(const node *n)
{
    dims d = dims_of(n);
    return gemm_flops(d.b * d.t, 4 * d.h, d.i + d.h);
}

static double exact_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double exact_gate(const call *c, const dims *d, int64_t at, int64_t row, bool first)
{
    const float *x = c->in[0], *w_ih = c->in[1], *w_hh = c->in[2], *h = c->out[0];
    double sum = (double)((const float *)c->in[3])[row] + (double)((const float *)c->in[4])[row];
    for (int64_t k = 0; k < d->i; k++)
        sum += (double)x[at * d->i + k] * (double)w_ih[row * d->i + k];
    for (int64_t k = 0; k < d->h && !first; k++)
        sum += (double)h[(at - 1) * d->h + k] * (double)w_hh[row * d->h + k];
    return sum;
}

static void lstm_reference(const call *c)
{
    dims d = dims_of(c->n);
    float *h = c->out[0], *gates = c->out[1], *cell_out = c->out[2];
    for (int64_t at = 0; at < d.b * d.t; at++)
        for (int64_t j = 0; j < d.h; j++) {
            bool first = at % d.t == 0;
            double i = exact_sigmoid(exact_gate(c, &d, at, j, first)),
                   f = exact_sigmoid(exact_gate(c, &d, at, d.h + j, first));
            double g = tanh(exact_gate(c, &d, at, 2 * d.h + j, first)),
                   o = exact_sigmoid(exact_gate(c, &d, at, 3 * d.h + j, first));
            double ct = i * g + (first ? 0 : f * (double)cell_out[(at - 1) * d.h + j]);
            float *row = gates + at * 4 * d.h + j;
            row[0] = (float)i, row[d.h] = (float)f, row[2 * d.h] = (float)g,
            row[3 * d.h] = (float)o;
            cell_out[at * d.h + j] = (float)ct;
            h[at * d.h + j] = (float)(o * tanh(ct));
        }
}

static void lstm_gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                          const bool want[])
{
    shape x = n->in[0]->shape;
    tensor *d = op_lstm_back(g, n, dout[0]);
    if (want[0])
        din[0] = op_matmul(g, d, n->in[1], false, false);
    if (want[1])
        din[1] = op_matmul(g, d, op_reshape(g, n->in[0], shape_of(2, shape_rows(x), x.d[2])), true,
                           false);
    if (want[2])
        din[2] = op_lstm_weight(g, d, n->out[0]);
    if (want[3] || want[4])
        din[3] = din[4] = op_sum(g, d, 1u << 0 | 1u << 1, false);
}

static tensor *sample_build(graph *g, tensor *const in[])
{
    return op_lstm(g, in[0], in[1], in[2], in[3], in[4]);
}

#define SAMPLE(text, B, T, I, H)                                                                   \
    {                                                                                              \
        .what = text, .n = 5, .build = sample_build, .in = {LSTM_INPUTS(false, B, T, I, H)},       \
    }
static const op_sample samples[] = {LSTM_CASES(SAMPLE)};

const op_def VARIANT(op_lstm) = {
    .name = "lstm",
    OP_F32(5, 3),
    .shape = lstm_shape,
    OP_PLANNED(lstm_workspace, lstm_cost, flops),
    OP_KERNELS(lstm_forward, lstm_reference, lstm_gradient, lstm_portable),
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_lstm(graph *g, tensor *x, tensor *w_ih, tensor *w_hh, tensor *b_ih, tensor *b_hh)
{
    return graph_add(g, OP_lstm, NULL, 0, 5, (tensor *[]){x, w_ih, w_hh, b_ih, b_hh});
}
#endif
