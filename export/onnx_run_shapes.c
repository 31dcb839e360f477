// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_run_shapes.c: what moves elements (onnx_run.h).
#include <string.h>

#include "export/onnx_run.h"

bool onnx_run_identity(onnx_step *s)
{
    s->out[0] = *s->in[0];
    return true;
}

typedef struct strided {
    onnx_array shape;
    int64_t stride[ONNX_RANK], offset;
} strided;

// out[0], of that shape, by steps through x.
static bool move(onnx_step *s, const onnx_array *x, const strided *t)
{
    s->out[0] = onnx_array_f32(t->shape.rank, t->shape.dim, NULL);
    float *f = x->f ? onnx_step_f32(s, 0) : NULL;
    int64_t *i = x->i ? onnx_step_i64(s, 0) : NULL;
    for (int64_t k = 0; k < s->out[0].n; k++) {
        int64_t at = t->offset + onnx_step_place(&t->shape, k, t->stride);
        if (at < 0 || at >= x->n)
            return false;
        if (f)
            f[k] = x->f[at];
        else if (i)
            i[k] = x->i[at];
    }
    return f || i;
}

static void dense_strides(const onnx_array *x, int64_t *stride)
{
    int64_t step = 1;
    for (int k = x->rank; k-- > 0; step *= x->dim[k])
        stride[k] = step;
}

bool onnx_run_transpose(onnx_step *s)
{
    const onnx_array *x = s->in[0];
    const onnx_attr *perm = onnx_step_attr(s, "perm");
    strided t = {.shape = {.rank = x->rank}};
    int64_t was[ONNX_RANK];
    dense_strides(x, was);
    for (int k = 0; k < x->rank; k++) {
        int64_t p = perm && perm->n == x->rank ? perm->ints[k] : x->rank - 1 - k;
        if (p < 0 || p >= x->rank)
            return false;
        t.shape.dim[k] = x->dim[p], t.stride[k] = was[p];
    }
    return move(s, x, &t);
}

bool onnx_run_expand(onnx_step *s)
{
    const onnx_array *x = s->in[0], *to = s->n_in > 1 ? s->in[1] : NULL;
    strided t = {0};
    if (!to || !to->i || to->n > ONNX_RANK)
        return false;
    onnx_array asked = onnx_array_f32((int)to->n, to->i, NULL);
    if (!onnx_step_broadcast(x, &asked, &t.shape))
        return false;
    onnx_step_strides(x, t.shape.rank, t.stride);
    return move(s, x, &t);
}

// starts, ends, axes (all of them), steps
bool onnx_run_slice(onnx_step *s)
{
    const onnx_array *x = s->in[0];
    strided t = {.shape = *x};
    for (int i = 1; i < s->n_in; i++)
        if (!s->in[i] || !s->in[i]->i || s->in[i]->n != s->in[1]->n)
            return false;
    dense_strides(x, t.stride);
    for (int64_t i = 0; s->n_in > 2 && i < s->in[1]->n; i++) {
        int k = onnx_step_axis(s->n_in > 3 ? s->in[3]->i[i] : i, x->rank);
        int64_t step = s->n_in > 4 ? s->in[4]->i[i] : 1, from = s->in[1]->i[i], to = s->in[2]->i[i];
        if (k < 0 || step < 1)
            return false;
        from = from < 0 ? from + x->dim[k] : from, to = to < 0 ? to + x->dim[k] : to;
        from = from < 0 ? 0 : from > x->dim[k] ? x->dim[k] : from;
        to = to < from ? from : to > x->dim[k] ? x->dim[k] : to;
        t.offset += from * t.stride[k];
        t.shape.dim[k] = (to - from + step - 1) / step;
        t.stride[k] *= step;
    }
    return move(s, x, &t);
}

// ---- The same elements in another shape

bool onnx_run_reshape(onnx_step *s)
{
    const onnx_array *x = s->in[0], *to = s->n_in > 1 ? s->in[1] : NULL;
    int64_t known = 1;
    int open = -1;
    if (!to || !to->i || to->n > ONNX_RANK)
        return false;
    s->out[0] = *x;
    s->out[0].rank = (int)to->n;
    for (int k = 0; k < (int)to->n; k++) {
        int64_t d = to->i[k] ? to->i[k] : k < x->rank ? x->dim[k] : 0;
        if (d < 0)
            open = k;
        else
            known *= d;
        s->out[0].dim[k] = d;
    }
    if (open >= 0)
        s->out[0].dim[open] = known ? x->n / known : 0, known *= s->out[0].dim[open];
    return known == x->n;
}

bool onnx_run_squeeze(onnx_step *s)
{
    const onnx_array *x = s->in[0], *axes = s->n_in > 1 ? s->in[1] : NULL;
    bool gone[ONNX_RANK] = {false};
    for (int64_t i = 0; axes && axes->i && i < axes->n; i++) {
        int k = onnx_step_axis(axes->i[i], x->rank);
        if (k < 0 || x->dim[k] != 1)
            return false;
        gone[k] = true;
    }
    for (int k = 0; !axes && k < x->rank; k++)
        gone[k] = x->dim[k] == 1;
    s->out[0] = *x;
    s->out[0].rank = 0;
    for (int k = 0; k < x->rank; k++)
        if (!gone[k])
            s->out[0].dim[s->out[0].rank++] = x->dim[k];
    return !axes || axes->i;
}

bool onnx_run_unsqueeze(onnx_step *s)
{
    const onnx_array *x = s->in[0], *axes = s->n_in > 1 ? s->in[1] : NULL;
    bool new[ONNX_RANK] = {false};
    if (!axes || !axes->i || x->rank + axes->n > ONNX_RANK)
        return false;
    s->out[0] = *x;
    s->out[0].rank = x->rank + (int)axes->n;
    for (int64_t i = 0; i < axes->n; i++) {
        int k = onnx_step_axis(axes->i[i], s->out[0].rank);
        if (k < 0 || new[k])
            return false;
        new[k] = true;
    }
    for (int k = 0, from = 0; k < s->out[0].rank; k++)
        s->out[0].dim[k] = new[k] ? 1 : x->dim[from++];
    return true;
}

bool onnx_run_shape(onnx_step *s)
{
    s->out[0] = onnx_array_i64(1, (int64_t[]){s->in[0]->rank}, NULL);
    memcpy(onnx_step_i64(s, 0), s->in[0]->dim, sizeof(int64_t) * (size_t)s->in[0]->rank);
    return true;
}

// ---- Parts

// Sizes before and behind an axis.
static void around(const onnx_array *x, int axis, int64_t *before, int64_t *behind)
{
    *before = *behind = 1;
    for (int k = 0; k < x->rank; k++)
        *(k < axis ? before : behind) *= k == axis ? 1 : x->dim[k];
}

bool onnx_run_concat(onnx_step *s)
{
    const onnx_array *x = s->in[0];
    int axis = onnx_step_axis(onnx_step_int(s, "axis", 0), x->rank);
    int64_t before, behind, at = 0;
    if (axis < 0)
        return false;
    s->out[0] = onnx_array_f32(x->rank, x->dim, NULL);
    s->out[0].dim[axis] = 0;
    for (int i = 0; i < s->n_in; i++) {
        if (!s->in[i] || s->in[i]->rank != x->rank || !s->in[i]->f != !x->f || s->in[i]->b)
            return false;
        s->out[0].dim[axis] += s->in[i]->dim[axis];
    }
    around(x, axis, &before, &behind);
    int64_t row = s->out[0].dim[axis] * behind;
    float *f = x->f ? onnx_step_f32(s, 0) : NULL;
    int64_t *n = x->f ? NULL : onnx_step_i64(s, 0);
    for (int i = 0; i < s->n_in; at += s->in[i++]->dim[axis] * behind) {
        int64_t part = s->in[i]->dim[axis] * behind;
        if (s->in[i]->n != before * part)
            return false;
        for (int64_t b = 0; b < before * part; b++)
            if (f)
                f[b / part * row + at + b % part] = s->in[i]->f[b];
            else
                n[b / part * row + at + b % part] = s->in[i]->i[b];
    }
    return true;
}

bool onnx_run_split(onnx_step *s)
{
    const onnx_array *x = s->in[0], *sizes = s->n_in > 1 ? s->in[1] : NULL;
    int axis = onnx_step_axis(onnx_step_int(s, "axis", 0), x->rank);
    int64_t before, behind, at = 0;
    if (axis < 0 || !x->f || (sizes && (!sizes->i || sizes->n != s->n_out)))
        return false;
    around(x, axis, &before, &behind);
    for (int o = 0; o < s->n_out; o++) {
        int64_t size = sizes ? sizes->i[o] : x->dim[axis] / s->n_out;
        if (size < 0 || size > x->dim[axis] - at)
            return false;
        s->out[o] = onnx_array_f32(x->rank, x->dim, NULL);
        s->out[o].dim[axis] = size;
        float *y = onnx_step_f32(s, o);
        for (int64_t b = 0; b < before; b++)
            memcpy(y + b * size * behind, x->f + (b * x->dim[axis] + at) * behind,
                   sizeof *y * (size_t)(size * behind));
        at += size;
    }
    return at == x->dim[axis];
}

bool onnx_run_gather(onnx_step *s)
{
    const onnx_array *x = s->in[0], *which = s->n_in > 1 ? s->in[1] : NULL;
    int axis = onnx_step_axis(onnx_step_int(s, "axis", 0), x->rank);
    int64_t before, behind;
    if (axis < 0 || !which || !which->i || x->b || x->rank - 1 + which->rank > ONNX_RANK)
        return false;
    around(x, axis, &before, &behind);
    onnx_array *y = &s->out[0];
    for (int k = 0; k < axis; k++)
        y->dim[y->rank++] = x->dim[k];
    for (int k = 0; k < which->rank; k++)
        y->dim[y->rank++] = which->dim[k];
    for (int k = axis + 1; k < x->rank; k++)
        y->dim[y->rank++] = x->dim[k];
    float *f = x->f ? onnx_step_f32(s, 0) : NULL;
    int64_t *n = x->f ? NULL : onnx_step_i64(s, 0);
    for (int64_t b = 0; b < before; b++)
        for (int64_t w = 0; w < which->n; w++) {
            int64_t row = which->i[w] < 0 ? which->i[w] + x->dim[axis] : which->i[w];
            if (row < 0 || row >= x->dim[axis])
                return false;
            int64_t from = (b * x->dim[axis] + row) * behind, to = (b * which->n + w) * behind;
            if (f)
                memcpy(f + to, x->f + from, sizeof *f * (size_t)behind);
            else
                memcpy(n + to, x->i + from, sizeof *n * (size_t)behind);
        }
    return true;
}

bool onnx_run_range(onnx_step *s)
{
    for (int i = 0; i < 3; i++)
        if (s->n_in != 3 || !s->in[i] || !s->in[i]->i || s->in[i]->n != 1)
            return false;
    int64_t from = s->in[0]->i[0], to = s->in[1]->i[0], by = s->in[2]->i[0];
    if (by < 1 || to - from > 1 << 20)
        return false;
    s->out[0] = onnx_array_i64(1, (int64_t[]){to > from ? (to - from + by - 1) / by : 0}, NULL);
    int64_t *y = onnx_step_i64(s, 0);
    for (int64_t k = 0; k < s->out[0].n; k++)
        y[k] = from + k * by;
    return true;
}

bool onnx_run_trilu(onnx_step *s)
{
    const onnx_array *x = s->in[0];
    int64_t k = s->n_in > 1 && s->in[1] && s->in[1]->i ? s->in[1]->i[0] : 0;
    bool upper = onnx_step_int(s, "upper", 1) != 0;
    if (x->rank < 2 || !x->f)
        return false;
    int64_t rows = x->dim[x->rank - 2], columns = x->dim[x->rank - 1];
    s->out[0] = onnx_array_f32(x->rank, x->dim, NULL);
    float *y = onnx_step_f32(s, 0);
    for (int64_t i = 0; i < x->n; i++) {
        int64_t row = i / columns % rows, column = i % columns;
        y[i] = (upper ? column >= row + k : column <= row + k) ? x->f[i] : 0;
    }
    return true;
}

// By what there is, or by its mirror image (once, as ONNX has it).
bool onnx_run_pad(onnx_step *s)
{
    const onnx_array *x = s->in[0], *pads = s->n_in > 1 ? s->in[1] : NULL;
    const onnx_attr *mode = onnx_step_attr(s, "mode");
    bool mirror = mode && !strcmp(mode->s, "reflect");
    int64_t stride[ONNX_RANK];
    if (!x->f || !pads || !pads->i || pads->n != 2 * x->rank)
        return false;
    s->out[0] = onnx_array_f32(x->rank, x->dim, NULL);
    for (int k = 0; k < x->rank; k++) {
        int64_t before = pads->i[k], behind = pads->i[x->rank + k];
        if (before < 0 || behind < 0 || (mirror && (before >= x->dim[k] || behind >= x->dim[k])))
            return false;
        s->out[0].dim[k] += before + behind;
    }
    dense_strides(x, stride);
    float *y = onnx_step_f32(s, 0);
    for (int64_t i = 0; i < s->out[0].n; i++) {
        int64_t from = 0, left = i;
        for (int k = x->rank; k-- > 0; left /= s->out[0].dim[k]) {
            int64_t at = left % s->out[0].dim[k] - pads->i[k], n = x->dim[k];
            at = mirror && at < 0 ? -at : mirror && at >= n ? 2 * (n - 1) - at : at;
            from = from < 0 || at < 0 || at >= n ? -1 : from + at * stride[k];
        }
        y[i] = from < 0 ? 0 : x->f[from];
    }
    return true;
}
