// SPDX-License-Identifier: GPL-3.0-or-later
// rules.c: shape and gradient rules shared by ops. See NumPy's "General broadcasting rules" for
// shape_broadcast.
#include "autograd/rules.h"

#include <stdarg.h>
#include <stdio.h>

bool rule_fail(err *e, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(e, ERR_SHAPE, "%s", text);
}

static void like_first(const node *n)
{
    n->out[0]->type = n->in[0]->type;
    n->out[0]->shape = n->in[0]->shape;
}

bool rule_same(const node *n, err *e)
{
    (void)e;
    like_first(n);
    return true;
}

bool rule_same_pair(const node *n, err *e)
{
    char a[64], b[64];
    like_first(n);
    if (!shape_same(n->in[0]->shape, n->in[1]->shape))
        return rule_fail(e, "shapes %s and %s differ", shape_text(n->in[0]->shape, a),
                         shape_text(n->in[1]->shape, b));
    return true;
}

bool shape_broadcast(shape a, shape b, shape *out)
{
    shape r = {.rank = a.rank > b.rank ? a.rank : b.rank};
    for (int i = 1; i <= r.rank; i++) {
        int k = r.rank - i, ka = a.rank - i, kb = b.rank - i;
        int64_t da = ka >= 0 ? a.d[ka] : 1, db = kb >= 0 ? b.d[kb] : 1;
        uint8_t sa = ka >= 0 ? a.sym[ka] : SYM_FIXED, sb = kb >= 0 ? b.sym[kb] : SYM_FIXED;
        if (da != db && da != 1 && db != 1)
            return false;
        r.d[k] = da == 1 ? db : da;
        r.sym[k] = sa != SYM_FIXED ? sa : sb;
    }
    *out = r;
    return true;
}

bool rule_broadcast(const node *n, err *e)
{
    char a[64], b[64];
    n->out[0]->type = n->in[0]->type;
    if (n->in[0]->type != n->in[1]->type)
        return rule_fail(e, "types %s and %s differ", dtype_name(n->in[0]->type),
                         dtype_name(n->in[1]->type));
    if (!shape_broadcast(n->in[0]->shape, n->in[1]->shape, &n->out[0]->shape))
        return rule_fail(e, "shapes %s and %s do not broadcast", shape_text(n->in[0]->shape, a),
                         shape_text(n->in[1]->shape, b));
    return true;
}

bool rule_row_loss(const node *n, bool back, err *e)
{
    char a[64], b[64];
    shape x = n->in[0]->shape, t = n->in[1]->shape, w = n->in[2]->shape;
    n->out[0]->type = n->in[0]->type;
    n->out[0]->shape = back ? x : (shape){.rank = 0};
    if (!shape_same(x, t))
        return rule_fail(e, "output %s and target %s differ in shape", shape_text(x, a),
                         shape_text(t, b));
    if (x.rank < 1 || w.rank != 1 || w.d[0] != x.d[0])
        return rule_fail(e, "output %s needs one weight a row, not %s", shape_text(x, a),
                         shape_text(w, b));
    if (back && shape_count(n->in[3]->shape) != 1)
        return rule_fail(e, "the gradient of a scalar is a scalar, not %s",
                         shape_text(n->in[3]->shape, a));
    return true;
}

// Walks both shapes from the left in groups of equal size ([B, T, H] -> [B * T, H] has the groups
// BT and H). A dimension alone in its group keeps its symbol; where free dimensions are folded into
// one, that one is free.
void shape_carry_symbols(shape in, shape *out)
{
    int i = 0, j = 0;
    while (i < in.rank || j < out->rank) {
        bool one_in = i < in.rank && in.d[i] == 1, one_out = j < out->rank && out->d[j] == 1;
        if (one_in != one_out && (one_in || one_out)) { // an axis of length 1 went or came
            i += one_in, j += one_out;
            continue;
        }
        int first = j;
        uint8_t sym = SYM_FIXED;
        int64_t pi = 1, pj = 1;
        do {
            if (i < in.rank && (pi <= pj || j >= out->rank)) {
                sym = sym == SYM_FIXED ? in.sym[i] : sym;
                pi *= in.d[i++];
            } else if (j < out->rank) {
                pj *= out->d[j++];
            }
        } while ((pi != pj && (i < in.rank || j < out->rank)) || (j == first && j < out->rank));
        if (first < out->rank)
            out->sym[first] = sym;
    }
}

tensor *rule_unbroadcast(graph *g, tensor *d, shape s)
{
    if (tensor_poisoned(d))
        return d;
    unsigned axes = 0;
    int shift = d->shape.rank - s.rank;
    for (int k = 0; k < d->shape.rank; k++)
        if (d->shape.d[k] != 1 && (k < shift || s.d[k - shift] == 1))
            axes |= 1u << k;
    if (axes)
        d = op_sum(g, d, axes, true);
    return shape_same(d->shape, s) ? d : op_reshape(g, d, s);
}

void rule_take(const tensor *back, int n, tensor *din[], const bool want[])
{
    for (int i = 0; i < n && !tensor_poisoned(back); i++)
        if (want[i])
            din[i] = back->from->out[i];
}
