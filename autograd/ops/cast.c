// SPDX-License-Identifier: GPL-3.0-or-later
// cast: the same numbers in another format (torch.Tensor.to): f32 to bf16, rounded to nearest even,
// or to bf16x2, and back exactly.
//     dx = d: gradients are f32, whatever the format of what they belong to.
// bf16x2 is a number as the sum of two of bf16, its rounding and the rounding of what is left: 16
// bits of mantissa (base/bf16.h). All high halves lie in front of all low halves, so that either is
// a matrix by itself.
#include "autograd/ops/kernel.h"
#include "base/bf16.h"

static bool rule(const node *n, err *e)
{
    dtype from = n->in[0]->type, to = *(const dtype *)n->attrs;
    if ((from == DT_F32) == (to == DT_F32) || from == DT_I32 || to == DT_I32)
        return rule_fail(e, "%s does not become %s", dtype_name(from), dtype_name(to));
    (void)rule_same(n, e);
    n->out[0]->type = to;
    return true;
}

// Number by number.
#define EACH(name, from, to, value)                                                                \
    static void name(const call *c, int64_t lo, int64_t hi)                                        \
    {                                                                                              \
        const from *restrict x = c->in[0];                                                         \
        to *restrict y = c->out[0];                                                                \
        for (int64_t i = lo; i < hi; i++)                                                          \
            y[i] = value(x[i]);                                                                    \
    }
EACH(narrow, float, bf16, bf16_round)
EACH(widen, bf16, float, bf16_widen)

static void split(const call *c, int64_t lo, int64_t hi)
{
    const float *restrict x = c->in[0];
    bf16 *restrict high = c->out[0], *restrict low = high + shape_count(c->n->out[0]->shape);
    for (int64_t i = lo; i < hi; i++) {
        high[i] = bf16_round(x[i]);
        low[i] = bf16_rest(x[i], high[i]);
    }
}

static void join(const call *c, int64_t lo, int64_t hi)
{
    const bf16 *restrict high = c->in[0], *restrict low = high + shape_count(c->n->out[0]->shape);
    float *restrict y = c->out[0];
    for (int64_t i = lo; i < hi; i++)
        y[i] = bf16_widen(high[i]) + bf16_widen(low[i]);
}

static void forward(const call *c)
{
    static op_part_fn *const from_f32[] = {[DT_BF16] = narrow, [DT_BF16X2] = split},
                             *const to_f32[] = {[DT_BF16] = widen, [DT_BF16X2] = join};
    dtype from = c->n->in[0]->type, to = c->n->out[0]->type;
    op_parallel(c, shape_count(c->n->out[0]->shape), GRAIN,
                from == DT_F32 ? from_f32[to] : to_f32[from]);
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    (void)g, (void)n, (void)want;
    din[0] = dout[0];
}

// There and back, or back alone where a sample's numbers are in that format.
static tensor *build_one(graph *g, tensor *const in[])
{
    return op_cast(g, in[0]->type == DT_F32 ? op_cast(g, in[0], DT_BF16) : in[0], DT_F32);
}
static tensor *build_two(graph *g, tensor *const in[])
{
    return op_cast(g, in[0]->type == DT_F32 ? op_cast(g, in[0], DT_BF16X2) : in[0], DT_F32);
}
// A function in steps has no differences to compare with; the rule is tested beside goldens
// (tests/autograd/cast.c).
#define STEPS(r, ...)                                                                              \
    {                                                                                              \
        .type = DT_F32, .shape = DIMS(r, __VA_ARGS__), .scale = 3.0f, .no_gradient = true          \
    }
static const op_sample samples[] = {
    {.what = "bf16", .n = 1, .in = {STEPS(2, 5, 7)}, .build = build_one},
    {.what = "bf16 in several parts", .n = 1, .in = {STEPS(1, 2600)}, .build = build_one},
    {.what = "bf16 of six axes", .n = 1, .in = {STEPS(6, 2, 1, 2, 1, 3, 5)}, .build = build_one},
    {.what = "bf16x2", .n = 1, .in = {STEPS(2, 5, 7)}, .build = build_two},
    {.what = "bf16x2 in several parts", .n = 1, .in = {STEPS(1, 2600)}, .build = build_two},
};

const op_def VARIANT(op_cast) = {
    .name = "cast",
    OP_INPUTS(1, 1),
    .flags = OP_FORM,
    .types = TYPE_BIT(DT_F32) | TYPE_BIT(DT_BF16) | TYPE_BIT(DT_BF16X2),
    .shape = rule,
    .forward = forward,
    .gradient = gradient,
    .no_portable = "made for training alone; what is exported is f32",
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_cast(graph *g, tensor *x, dtype to)
{
    return !tensor_poisoned(x) && x->type == to
               ? x
               : graph_add(g, OP_cast, &to, sizeof to, 1, (tensor *[]){x});
}
#endif
