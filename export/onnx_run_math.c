// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_run_math.c: element by element, and what sums elements up (onnx_run.h).
#include <math.h>
#include <string.h>

#include "base/f16.h"
#include "export/onnx_run.h"

void onnx_step_strides(const onnx_array *x, int rank, int64_t *stride)
{
    int64_t step = 1;
    for (int k = 1; k <= rank; k++) {
        int64_t size = k <= x->rank ? x->dim[x->rank - k] : 1;
        stride[rank - k] = size == 1 ? 0 : step;
        step *= size;
    }
}

int64_t onnx_step_place(const onnx_array *y, int64_t i, const int64_t *stride)
{
    int64_t at = 0;
    for (int k = y->rank; k-- > 0; i /= y->dim[k])
        at += i % y->dim[k] * stride[k];
    return at;
}

bool onnx_step_broadcast(const onnx_array *a, const onnx_array *b, onnx_array *y)
{
    y->rank = a->rank > b->rank ? a->rank : b->rank;
    for (int k = 1; k <= y->rank; k++) {
        int64_t x = k <= a->rank ? a->dim[a->rank - k] : 1,
                z = k <= b->rank ? b->dim[b->rank - k] : 1;
        if (x != z && x != 1 && z != 1)
            return false;
        y->dim[y->rank - k] = x == 1 ? z : x;
    }
    return true;
}

// Where the elements of a broadcast array lie: mostly the last axes of the whole, over and over.
typedef struct spread {
    const onnx_array *whole;
    int64_t stride[ONNX_RANK], period; // period: 0 where it is none of those
} spread;

static spread spread_of(const onnx_array *x, const onnx_array *y)
{
    spread p = {.whole = y, .period = x->n};
    onnx_step_strides(x, y->rank, p.stride);
    int from = 0;
    while (from < x->rank && x->dim[from] == 1)
        from++;
    for (int k = from; k < x->rank; k++)
        if (x->dim[k] != y->dim[y->rank - x->rank + k])
            p.period = 0;
    return p;
}

static int64_t place(const spread *p, int64_t i)
{
    return p->period ? i % p->period : onnx_step_place(p->whole, i, p->stride);
}

// ---- Two operands. Whole numbers are exact in f64, as far as ours go.

static double add(double a, double b)
{
    return a + b;
}

static double sub(double a, double b)
{
    return a - b;
}

static double mul(double a, double b)
{
    return a * b;
}

static double quotient(double a, double b)
{
    return a / b;
}

static double greater(double a, double b)
{
    return a > b ? a : b;
}

static double lesser(double a, double b)
{
    return a < b ? a : b;
}

static double equal(double a, double b)
{
    return a == b;
}

static double no_more(double a, double b)
{
    return a <= b;
}

typedef double two_fn(double a, double b);

static two_fn *two_of(const char *op)
{
    static const struct {
        const char *op;
        two_fn *fn;
    } list[] = {{"Add", add},     {"Sub", sub},    {"Mul", mul},     {"Div", quotient},
                {"Max", greater}, {"Min", lesser}, {"Equal", equal}, {"LessOrEqual", no_more}};
    size_t i = 0;
    while (strcmp(list[i].op, op) != 0)
        i++;
    return list[i].fn;
}

bool onnx_run_binary(onnx_step *s)
{
    const onnx_array *a = s->in[0], *b = s->n_in == 2 ? s->in[1] : NULL;
    onnx_array *y = &s->out[0];
    if (!b || (!a->f != !b->f) || a->b || b->b || !onnx_step_broadcast(a, b, y))
        return false;
    spread pa = spread_of(a, y), pb = spread_of(b, y);
    two_fn *two = two_of(s->node->op);
    bool to_float = a->f && two != equal && two != no_more;
    float *f = to_float ? onnx_step_f32(s, 0) : NULL;
    int64_t *i = to_float ? NULL : onnx_step_i64(s, 0);
    for (int64_t k = 0; k < y->n; k++) {
        int64_t p = place(&pa, k), q = place(&pb, k);
        if (f)
            f[k] = (float)two((double)a->f[p], (double)b->f[q]);
        else if (a->f)
            i[k] = (int64_t)two((double)a->f[p], (double)b->f[q]);
        else if (two == quotient && !b->i[q])
            return false;
        else
            i[k] = (int64_t)two((double)a->i[p], (double)b->i[q]);
    }
    return true;
}

bool onnx_run_where(onnx_step *s)
{
    const onnx_array *c = s->in[0], *a = s->n_in == 3 ? s->in[1] : NULL,
                     *b = s->n_in == 3 ? s->in[2] : NULL;
    onnx_array both = {0}, *y = &s->out[0];
    if (!a || !b || !c->i || !a->f != !b->f || !a->i != !b->i || a->b || b->b ||
        !onnx_step_broadcast(a, b, &both) || !onnx_step_broadcast(c, &both, y))
        return false;
    spread pa = spread_of(a, y), pb = spread_of(b, y), pc = spread_of(c, y);
    float *f = a->f ? onnx_step_f32(s, 0) : NULL;
    int64_t *i = a->f ? NULL : onnx_step_i64(s, 0);
    for (int64_t k = 0; k < y->n; k++) {
        const onnx_array *from = c->i[place(&pc, k)] ? a : b;
        int64_t at = place(from == a ? &pa : &pb, k);
        if (f)
            f[k] = from->f[at];
        else
            i[k] = from->i[at];
    }
    return true;
}

// ---- One

static double positive(double x)
{
    return x > 0 ? x : 0;
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

typedef double one_fn(double x);

static one_fn *one_of(const char *op)
{
    static const struct {
        const char *op;
        one_fn *fn;
    } list[] = {{"Relu", positive}, {"Tanh", tanh}, {"Sigmoid", sigmoid}, {"Erf", erf},
                {"Sqrt", sqrt},     {"Sin", sin},   {"Cos", cos},         {"Log", log}};
    size_t i = 0;
    while (strcmp(list[i].op, op) != 0)
        i++;
    return list[i].fn;
}

bool onnx_run_unary(onnx_step *s)
{
    const onnx_array *x = s->in[0];
    one_fn *one = one_of(s->node->op);
    if (!x->f)
        return false;
    s->out[0] = onnx_array_f32(x->rank, x->dim, NULL);
    float *y = onnx_step_f32(s, 0);
    for (int64_t k = 0; k < x->n; k++)
        y[k] = (float)one((double)x->f[k]);
    return true;
}

static bool round_to_halves(onnx_step *s)
{
    const onnx_array *x = s->in[0];
    s->out[0] = onnx_array_f32(x->rank, x->dim, NULL);
    float *y = onnx_step_f32(s, 0);
    for (int64_t k = 0; k < x->n; k++)
        y[k] = f16_widen(f16_round(x->f ? x->f[k] : (float)x->i[k]));
    return true;
}

// To numbers with a fraction, which are f32 here, or to whole ones.
bool onnx_run_cast(onnx_step *s)
{
    const onnx_array *x = s->in[0];
    int64_t to = onnx_step_int(s, "to", 0);
    bool to_float = to == ONNX_FLOAT || to == ONNX_DOUBLE;
    if (to == ONNX_FLOAT16 && !x->b)
        return round_to_halves(s);
    s->out[0] = *x;
    if (x->b || !!x->f == to_float)
        return !x->b;
    s->out[0] = onnx_array_f32(x->rank, x->dim, NULL);
    float *f = to_float ? onnx_step_f32(s, 0) : NULL;
    int64_t *i = to_float ? NULL : onnx_step_i64(s, 0);
    for (int64_t k = 0; k < x->n; k++)
        if (f)
            f[k] = (float)x->i[k];
        else
            i[k] = (int64_t)x->f[k];
    return true;
}

// ---- Sums, means, largest

// Over the axes of input 1 or of the attribute; without either, over all.
static bool axes_of(const onnx_step *s, bool *gone)
{
    const onnx_array *given = s->n_in > 1 ? s->in[1] : NULL;
    const onnx_attr *attr = onnx_step_attr(s, "axes");
    const int64_t *list = given ? given->i : attr ? attr->ints : NULL;
    int64_t n = given ? given->n : attr ? attr->n : 0;
    if (given && !given->i)
        return false;
    for (int64_t i = 0; i < n; i++) {
        int k = onnx_step_axis(list[i], s->in[0]->rank);
        if (k < 0)
            return false;
        gone[k] = true;
    }
    for (int k = 0; !n && k < s->in[0]->rank; k++)
        gone[k] = true;
    return true;
}

bool onnx_run_reduce(onnx_step *s)
{
    const onnx_array *x = s->in[0];
    bool gone[ONNX_RANK] = {false}, keep = onnx_step_int(s, "keepdims", 1) != 0,
         most = !strcmp(s->node->op, "ReduceMax");
    int64_t stride[ONNX_RANK] = {0}, step = 1;
    if (!x->f || !axes_of(s, gone))
        return false;
    for (int k = x->rank; k-- > 0; step *= gone[k] ? 1 : x->dim[k])
        stride[k] = gone[k] ? 0 : step;
    for (int k = 0; k < x->rank; k++)
        if (!gone[k] || keep)
            s->out[0].dim[s->out[0].rank++] = gone[k] ? 1 : x->dim[k];
    float *y = onnx_step_f32(s, 0);
    int64_t n = s->out[0].n;
    double *sum = NEW(s->a, double, (size_t)n + 1);
    for (int64_t i = 0; most && i < n; i++)
        sum[i] = -INFINITY;
    for (int64_t i = 0; i < x->n; i++) {
        double *to = &sum[onnx_step_place(x, i, stride)], v = (double)x->f[i];
        *to = most ? greater(*to, v) : *to + v;
    }
    double each = strcmp(s->node->op, "ReduceMean") || !n ? 1 : (double)x->n / (double)n;
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)(sum[i] / each);
    return true;
}
