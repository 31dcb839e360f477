// SPDX-License-Identifier: GPL-3.0-or-later
// merge.c: W + sum of scale B A, accumulated in f64 and rounded once: the sum of the exact products
// is off by half a unit in the last place of the result, whatever the number of adapters.
//
// Of an adapter by DoRA the rows of W + scale B A, times g = m / their lengths, take the place of
// W's: it adds g (W + scale B A) - W. PEFT makes the same of one; of several it takes what the
// first leaves for the base of the second, so that their order counts there
// (peft/tuners/lora/variants.py).
#include "lora/merge.h"

#include <inttypes.h>
#include <math.h>

#include "base/arena.h"

enum { COLUMNS = 256 };

lora_matrix lora_matrix_of(const params *p, int at)
{
    const param *q = &p->list[at];
    int64_t rows = q->shape.rank ? q->shape.d[0] : 1;
    return (lora_matrix){params_at(p, at), rows, q->count / rows, q->name};
}

static int64_t columns(const lora_matrix *t, int64_t from)
{
    return t->in - from < COLUMNS ? t->in - from : COLUMNS;
}

static void load_row(const lora_matrix *t, int64_t row, int64_t from, double sum[COLUMNS])
{
    for (int64_t i = 0; i < columns(t, from); i++)
        sum[i] = (double)t->w[row * t->in + from + i];
}

// sum += factor B A, of columns from `from` on.
static void add_low(const lora_matrix *t, int64_t row, int64_t from, const lora_factors *f,
                    double factor, double sum[COLUMNS])
{
    int64_t n = columns(t, from);
    for (int64_t r = 0; r < f->rank; r++) {
        double b = factor * (double)f->b[row * f->rank + r];
        const float *a = f->a + r * t->in + from;
        for (int64_t i = 0; i < n; i++)
            sum[i] += b * (double)a[i];
    }
}

// ---- The lengths of rows

// Of a row of W + scale B A; f NULL: of W.
static double length(const lora_matrix *t, int64_t row, const lora_factors *f)
{
    double sum[COLUMNS], squares = 0;
    for (int64_t from = 0; from < t->in; from += COLUMNS) {
        load_row(t, row, from, sum);
        if (f)
            add_low(t, row, from, f, f->scale, sum);
        for (int64_t i = 0; i < columns(t, from); i++)
            squares += sum[i] * sum[i];
    }
    return sqrt(squares);
}

static bool divides(double length)
{
    return (float)length > 0 && isfinite((float)length);
}

bool lora_lengths(lora_matrix t, float *m, err *e)
{
    for (int64_t row = 0; row < t.out; row++) {
        double is = length(&t, row, NULL);
        if (!divides(is))
            return err_set(e, ERR_VALUE,
                           "row %" PRId64
                           " of '%s' has the length %g, and DoRA divides by it: leave that layer "
                           "out of its targets, or train it by plain LoRA",
                           row, t.name, is);
        m[row] = (float)is;
    }
    return true;
}

// gain[row]: by what W + scale B A is multiplied.
static bool find_gains(const lora_matrix *t, const lora_factors *f, double *gain, err *e)
{
    for (int64_t row = 0; row < t->out; row++) {
        double is = length(t, row, f);
        if (!divides(is))
            return err_set(e, ERR_VALUE,
                           "'%s': with it row %" PRId64
                           " of '%s' has the length %g, and DoRA divides by it: give the base "
                           "that it was trained on",
                           f->from, row, t->name, is);
        gain[row] = (double)f->m[row] / is;
    }
    return true;
}

// ---- Sums

// all += factor (whole - W)
static void add_whole(const lora_matrix *t, int64_t row, int64_t from, const lora_factors *f,
                      double all[COLUMNS])
{
    const float *w = t->w + row * t->in + from, *x = f->whole + row * t->in + from;
    for (int64_t i = 0; i < columns(t, from); i++)
        all[i] += f->weight * ((double)x[i] - (double)w[i]);
}

// gain[k]: of adapter k's rows; NULL: it is plain.
static void add_row(const lora_matrix *t, int64_t row, int64_t from, const lora_factors *f,
                    double *const *gain, int count)
{
    double all[COLUMNS], sum[COLUMNS];
    float *w = t->w + row * t->in + from;
    int64_t n = columns(t, from);
    load_row(t, row, from, all);
    for (int k = 0; k < count; k++) {
        if (f[k].whole) {
            add_whole(t, row, from, &f[k], all);
            continue;
        }
        if (!gain[k]) {
            add_low(t, row, from, &f[k], f[k].weight * f[k].scale, all);
            continue;
        }
        load_row(t, row, from, sum);
        add_low(t, row, from, &f[k], f[k].scale, sum);
        for (int64_t i = 0; i < n; i++)
            all[i] += f[k].weight * (gain[k][row] * sum[i] - (double)w[i]);
    }
    for (int64_t i = 0; i < n; i++)
        w[i] = (float)all[i];
}

bool lora_add(lora_matrix t, const lora_factors *f, int count, err *e)
{
    arena a = {.name = "gains"};
    double **gain = NEW(&a, double *, (size_t)count + 1);
    bool ok = true;
    for (int k = 0; ok && k < count; k++)
        if (f[k].m && !f[k].whole) {
            gain[k] = NEW(&a, double, (size_t)t.out);
            ok = find_gains(&t, &f[k], gain[k], e);
        }
    for (int64_t row = 0; ok && row < t.out; row++)
        for (int64_t from = 0; from < t.in; from += COLUMNS)
            add_row(&t, row, from, f, gain, count);
    arena_free(&a);
    return ok;
}
