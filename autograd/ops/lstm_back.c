// SPDX-License-Identifier: GPL-3.0-or-later
// lstm_back.c: the gradient of lstm with respect to its gates before their activation, walking
// through time backwards.
//
//     dh   = dh_t (from above) + dgates_{t+1} W_hh                        tc = tanh(c_t)
//     dc   = dc_{t+1} f_{t+1} + dh o (1 - tc^2)
//     di = dc g i (1 - i)    df = dc c_{t-1} f (1 - f)    dg = dc i (1 - g^2)
//     do = dh tc o (1 - o)
//
// Inputs: dh [B, T, H], and of the forward the gates [B, T, 4H], c [B, T, H], and W_hh [4H, H].
// Output: dgates [B, T, 4H], which may take the gates' place. tanh(c) is computed again: cheaper
// than the traffic of keeping it.
//
// The mirror of lstm.c: W_hh packed once a call, here into panels of 4 x VLANES units over all 4H
// gates; sequences shared out over threads that never wait; dgates of the step before kept in rows
// that are close together.
#include <math.h>
#include <string.h>

#include "autograd/gemm/gemm.h"
#include "autograd/op.h"
#include "autograd/ops/lstm.h"
#include "base/vmath.h"

enum { IN_DH, IN_GATES, IN_C, IN_W };

typedef struct dims {
    int64_t b, t, h;
    int64_t panels; // of PANEL_WIDTH units
} dims;

static dims dims_of(const node *n)
{
    shape s = n->in[IN_DH]->shape;
    return (dims){s.d[0], s.d[1], s.d[2], panel_count(s.d[2], PANEL_WIDTH)};
}

static bool shape_rule(const node *n, err *e)
{
    shape dh = n->in[IN_DH]->shape, gates = n->in[IN_GATES]->shape;
    char a[64], b[64];
    if (dh.rank != 3 || gates.rank != 3 || dh.d[0] != gates.d[0] || dh.d[1] != gates.d[1] ||
        4 * dh.d[2] != gates.d[2])
        return err_set(e, ERR_SHAPE, "dh %s does not fit gates %s", shape_text(dh, a),
                       shape_text(gates, b));
    n->out[0]->type = DT_F32;
    n->out[0]->shape = gates;
    return true;
}

// The workspace: panels of W_hh; for each sequence dgates (this step's and the later one's), dc,
// and one panel's sums.
typedef struct work {
    float *w;    // [panels, 4H, PANEL_WIDTH]
    float *d[2]; // [B, 4H]
    float *dc;   // [B, H]
    float *sums; // [B, PANEL_WIDTH]
} work;

static size_t workspace(const call *c)
{
    dims d = dims_of(c->n);
    return (size_t)(d.panels * 4 * d.h * PANEL_WIDTH + d.b * (9 * d.h + PANEL_WIDTH)) *
           sizeof(float);
}

static work work_of(const dims *d, float *at)
{
    work w = {.w = at};
    w.sums = w.w + d->panels * 4 * d->h * PANEL_WIDTH;
    w.d[0] = w.sums + d->b * PANEL_WIDTH;
    w.d[1] = w.d[0] + d->b * 4 * d->h;
    w.dc = w.d[1] + d->b * 4 * d->h;
    return w;
}

static double cost(const call *c)
{
    dims d = dims_of(c->n);
    return gemm_cost(&c->kit->products, d.b * d.t, d.h, 4 * d.h) + 1.0 * (double)(d.b * d.t * d.h);
}

static double flops(const node *n)
{
    dims d = dims_of(n);
    return gemm_flops(d.b * d.t, d.h, 4 * d.h);
}

static void pack(void *arg, int index, int count)
{
    const call *c = arg;
    dims d = dims_of(c->n);
    work w = work_of(&d, c->work);
    const float *w_hh = c->in[IN_W];
    int64_t lo, hi;
    threads_part(d.panels * 4 * d.h, 1, index, count, &lo, &hi);
    for (int64_t r = lo; r < hi; r++) {
        int64_t unit = r / (4 * d.h) * PANEL_WIDTH, row = r % (4 * d.h);
        for (int64_t l = 0; l < PANEL_WIDTH; l++)
            w.w[r * PANEL_WIDTH + l] = unit + l < d.h ? w_hh[row * d.h + unit + l] : 0;
    }
}

typedef struct group {
    const call *call;
    dims d;
    work w;
    int64_t lo, rows; // sequences
} group;

// One sequence's step for n units: the four rows of dgates from the four rows of gates, 4 rows H
// apart each.
PANEL_INLINE void cell(const float *restrict rec, const float *restrict dh_in,
                       const float *restrict gates, const float *restrict ct,
                       const float *restrict c_before, float *restrict dc_state,
                       float *restrict dgates, int64_t h, int64_t n)
{
    float out[4][PANEL_WIDTH];
    for (int64_t l = 0; l < n; l++) {
        float i = gates[l], f = gates[h + l], g = gates[2 * h + l], o = gates[3 * h + l];
        float dh = dh_in[l] + rec[l], tc = vm_tanh(ct[l]);
        float dc = dc_state[l] + dh * o * (1.0f - tc * tc);
        dc_state[l] = dc * f;
        out[0][l] = dc * g * i * (1.0f - i);
        out[1][l] = dc * c_before[l] * f * (1.0f - f);
        out[2][l] = dc * i * (1.0f - g * g);
        out[3][l] = dh * tc * o * (1.0f - o);
    }
    for (int64_t k = 0; k < 4; k++)
        memcpy(dgates + k * h, out[k], (size_t)n * sizeof(float));
}

// What the step before t will read of a sequence is far away: asked for here, it is near by then.
static void prefetch_before(const float *dh, const float *gates, const float *c, int64_t h,
                            int64_t n)
{
    enum { LINE = 16 };
    for (int64_t l = 0; l < n; l += LINE) {
        __builtin_prefetch(dh - h + l, 0, 2);
        __builtin_prefetch(c - h + l, 0, 2);
        for (int64_t g = 0; g < 4; g++)
            __builtin_prefetch(gates - 4 * h + g * h + l, 0, 2);
    }
}

static void panel_cells(const group *s, int64_t t, int64_t p)
{
    static const float zeros[PANEL_WIDTH];
    const dims *d = &s->d;
    int64_t unit = p * PANEL_WIDTH, n = d->h - unit < PANEL_WIDTH ? d->h - unit : PANEL_WIDTH;
    for (int64_t r = s->lo; r < s->lo + s->rows; r++) {
        int64_t at = r * d->t + t;
        const float *dh = (const float *)s->call->in[IN_DH] + at * d->h + unit,
                    *c = (const float *)s->call->in[IN_C] + at * d->h + unit;
        const float *gates = (const float *)s->call->in[IN_GATES] + at * 4 * d->h + unit,
                    *rec = s->w.sums + r * PANEL_WIDTH;
        const float *before = t > 0 ? c - d->h : zeros;
        float *dc = s->w.dc + r * d->h + unit, *out = s->w.d[t & 1] + r * 4 * d->h + unit;
        if (t > 0)
            prefetch_before(dh, gates, c, d->h, n);
        if (n == PANEL_WIDTH)
            cell(rec, dh, gates, c, before, dc, out, d->h, PANEL_WIDTH);
        else
            cell(rec, dh, gates, c, before, dc, out, d->h, n);
    }
}

// Whole rows at a time, and only when all panels have read their gates: the output may be in their
// place.
static void store(const group *s, int64_t t)
{
    int64_t row = 4 * s->d.h;
    for (int64_t r = s->lo; r < s->lo + s->rows; r++)
        memcpy((float *)s->call->out[0] + (r * s->d.t + t) * row, s->w.d[t & 1] + r * row,
               (size_t)row * sizeof(float));
}

static void group_run(const call *c, int64_t lo, int64_t rows)
{
    group own = {.call = c, .d = dims_of(c->n), .lo = lo, .rows = rows}, *s = &own;
    own.w = work_of(&own.d, c->work);
    const dims *d = &s->d;
    const work *w = &s->w;
    float *sums = w->sums + s->lo * PANEL_WIDTH;
    memset(w->dc + s->lo * d->h, 0, (size_t)(s->rows * d->h) * sizeof(float));
    // nothing comes back into the last step
    memset(sums, 0, (size_t)(s->rows * PANEL_WIDTH) * sizeof(float));
    for (int64_t t = d->t - 1; t >= 0; t--) {
        for (int64_t p = 0; p < d->panels; p++) {
            if (t + 1 < d->t)
                panel_multiply(sums, PANEL_WIDTH, w->d[~t & 1] + s->lo * 4 * d->h, 4 * d->h,
                               w->w + p * 4 * d->h * PANEL_WIDTH, 4 * d->h, s->rows);
            panel_cells(s, t, p);
        }
        store(s, t);
    }
}

static void forward(const call *c)
{
    threads_run(c->pool, c->threads, pack, (void *)(uintptr_t)c);
    lstm_sequences(c, dims_of(c->n).b, group_run);
}

// From the later step: dh_rec [H] and dc [H], both updated to what goes to the step before.
static void reference_step(const call *c, const dims *d, int64_t at, bool first, double *rec,
                           double *dc_state)
{
    const float *gates = (const float *)c->in[IN_GATES] + at * 4 * d->h,
                *ct = (const float *)c->in[IN_C] + at * d->h, *w = c->in[IN_W];
    const float *dh_in = (const float *)c->in[IN_DH] + at * d->h;
    float *out = (float *)c->out[0] + at * 4 * d->h;
    for (int64_t j = 0; j < d->h; j++) {
        double i = (double)gates[j], f = (double)gates[d->h + j], g = (double)gates[2 * d->h + j],
               o = (double)gates[3 * d->h + j];
        double tc = tanh((double)ct[j]), dh = (double)dh_in[j] + rec[j],
               dc = dc_state[j] + dh * o * (1 - tc * tc);
        dc_state[j] = dc * f;
        out[j] = (float)(dc * g * i * (1 - i));
        out[d->h + j] = (float)(first ? 0 : dc * (double)ct[j - d->h] * f * (1 - f));
        out[2 * d->h + j] = (float)(dc * i * (1 - g * g));
        out[3 * d->h + j] = (float)(dh * tc * o * (1 - o));
    }
    for (int64_t j = 0; j < d->h; j++) {
        rec[j] = 0;
        for (int64_t k = 0; k < 4 * d->h; k++)
            rec[j] += (double)out[k] * (double)w[k * d->h + j];
    }
}

static void reference(const call *c)
{
    dims d = dims_of(c->n);
    arena a = {0};
    double *rec = NEW(&a, double, (size_t)d.h), *dc = NEW(&a, double, (size_t)d.h);
    for (int64_t b = 0; b < d.b; b++) {
        memset(rec, 0, sizeof *rec * (size_t)d.h);
        memset(dc, 0, sizeof *dc * (size_t)d.h);
        for (int64_t t = d.t - 1; t >= 0; t--)
            reference_step(c, &d, b * d.t + t, t == 0, rec, dc);
    }
    arena_free(&a);
}

// Gates and cells of a real forward, so that they belong together.
static tensor *sample_build(graph *g, tensor *const in[])
{
    tensor *h = op_lstm(g, in[0], in[1], in[2], in[3], in[4]);
    return tensor_poisoned(h) ? h : op_lstm_back(g, h->from, in[5]);
}

#define SAMPLE(text, B, T, I, H)                                                                   \
    {                                                                                              \
        .what = text, .n = 6, .build = sample_build,                                               \
        .in = {LSTM_INPUTS(true, B, T, I, H), LSTM_VALUES(true, 3, B, T, H)},                      \
    }
static const op_sample samples[] = {LSTM_CASES(SAMPLE)};

const op_def VARIANT(op_lstm_back) = {
    .name = "lstm_back",
    OP_F32(4, 1),
    .flags = OP_INPLACE1,
    .shape = shape_rule,
    OP_PLANNED(workspace, cost, flops),
    OP_BACK_KERNELS(forward, reference),
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_lstm_back(graph *g, const node *lstm, tensor *dh)
{
    return graph_add(g, OP_lstm_back, NULL, 0, 4,
                     (tensor *[]){dh, lstm->out[1], lstm->out[2], lstm->in[2]});
}
#endif
