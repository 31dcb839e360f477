// SPDX-License-Identifier: GPL-3.0-or-later
// norm_factors: a batch norm of running statistics is a factor and an offset for each channel
// (torch.nn.BatchNorm2d in evaluation): with r = 1 / sqrt(var + eps),
//     f = w r,  t = b + (shift - mean) f            output 2: r
// where shift, or NULL, is the bias of the layer below, left out there. conv2d takes f and t while
// its outputs are near; what is exported has them in the convolution's own weight and bias.
//     dw = r (df + (shift - mean) dt),  db = dt,  dshift = f dt; the statistics are not trained.
#include "autograd/ops/norm_factors.h"
#include "autograd/ops/batch_norm.h"

enum { OUT_F, OUT_T, OUT_R, OUTPUTS };

static bool rule(const node *n, err *e)
{
    if (!norm_fits(n, NORM_WEIGHT, NORM_WEIGHT, NORM_INPUTS, e))
        return false;
    for (int i = 1; i < OUTPUTS; i++)
        n->out[i]->type = DT_F32, n->out[i]->shape = n->in[NORM_WEIGHT]->shape;
    return rule_same(n, e);
}

static void forward(const call *c)
{
    norm_values v = {.weight = c->in[NORM_WEIGHT],
                     .bias = c->in[NORM_BIAS],
                     .mean = c->in[NORM_MEAN],
                     .variance = c->in[NORM_VARIANCE],
                     .shift = c->in[NORM_SHIFT]};
    for (int64_t i = 0; i < norm_channels(c->n->in[NORM_WEIGHT]); i++) {
        norm_factor f = norm_factor_at(&v, i);
        ((float *)c->out[OUT_F])[i] = (float)f.factor,
                ((float *)c->out[OUT_T])[i] = (float)f.offset;
        ((float *)c->out[OUT_R])[i] = (float)f.r;
    }
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    tensor *df = dout[OUT_F], *dt = dout[OUT_T], *mean = n->in[NORM_MEAN],
           *shift = n->in[NORM_SHIFT];
    tensor *from =
        dt ? op_mul(g, shift ? op_sub(g, shift, mean) : op_scale(g, mean, -1), dt) : NULL;
    tensor *both = df && from ? op_add(g, df, from) : df ? df : from;
    if (want[NORM_WEIGHT])
        din[NORM_WEIGHT] = op_mul(g, both, n->out[OUT_R]);
    if (want[NORM_BIAS])
        din[NORM_BIAS] = dt;
    if (shift && want[NORM_SHIFT] && dt)
        din[NORM_SHIFT] = op_mul(g, n->out[OUT_F], dt);
}

static void say(const node *n, emitter *m)
{
    const float eps = BATCH_NORM_EPS;
    const char *f = emit_out(m, n, OUT_F), *t = emit_out(m, n, OUT_T);
    const char *sum[] = {emit_in(m, n, NORM_VARIANCE), emit_f32(m, 0, NULL, &eps)};
    const char *deviation = emit_op(m, "Add", 2, sum, 0, NULL);
    deviation = emit_op(m, "Sqrt", 1, &deviation, 0, NULL);
    emit_node(m, "Div", 2, (const char *[]){emit_in(m, n, NORM_WEIGHT), deviation}, 1, &f, 0, NULL);
    const char *mean = emit_in(m, n, NORM_MEAN);
    if (n->in[NORM_SHIFT])
        mean = emit_op(m, "Sub", 2, (const char *[]){mean, emit_in(m, n, NORM_SHIFT)}, 0, NULL);
    mean = emit_op(m, "Mul", 2, (const char *[]){mean, f}, 0, NULL);
    emit_node(m, "Sub", 2, (const char *[]){emit_in(m, n, NORM_BIAS), mean}, 1, &t, 0, NULL);
}

// A convolution may have them in its weight (conv_emit.h).
static void portable(const node *n, emitter *m)
{
    emit_later(m, n, say);
}

// f and t in one, so that a sample tests both.
static tensor *build(graph *g, tensor *const in[])
{
    tensor *t, *f = op_norm_factors(g, in, NULL, &t);
    return op_add(g, op_scale(g, f, 2), t);
}
static tensor *build_shift(graph *g, tensor *const in[])
{
    tensor *t, *f = op_norm_factors(g, in, in[NORM_SHIFT], &t);
    return op_add(g, op_scale(g, f, 2), t);
}
#define STATS(c)                                                                                   \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(1, c), .scale = 1, .offset = 1.2f, .no_gradient = true       \
    }
static const op_sample samples[] = {
    {.what = "a norm",
     .n = 4,
     .in = {VALUES(1, 19), VALUES(1, 19), STATS(19), STATS(19)},
     .build = build},
    {.what = "and a bias below",
     .n = 5,
     .in = {VALUES(1, 7), VALUES(1, 7), STATS(7), STATS(7), VALUES(1, 7)},
     .build = build_shift},
};

const op_def VARIANT(op_norm_factors) = {
    .name = "norm_factors",
    OP_F32(NORM_INPUTS, OUTPUTS),
    .optional = 1u << NORM_SHIFT,
    .shape = rule,
    OP_KERNELS(forward, NULL, gradient, portable),
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_norm_factors(graph *g, tensor *const wb_mean_var[4], tensor *shift, tensor **offset)
{
    tensor *const *in = wb_mean_var,
                  *f = graph_add(g, OP_norm_factors, NULL, 0, NORM_INPUTS,
                                 (tensor *[]){in[0], in[1], in[2], in[3], shift});
    *offset = tensor_poisoned(f) ? f : f->from->out[OUT_T];
    return f;
}
#endif
