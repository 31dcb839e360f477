// SPDX-License-Identifier: GPL-3.0-or-later
// embedding_back: dw[v] = sum of d[i] over the i with id[i] = v (torch's embedding_dense_backward).
// Threads share out columns, never rows: each adds the rows of its columns in their order, so the
// sums are the same for any number of them.
#include <string.h>

#include "autograd/ops/kernel.h"

typedef struct embedding_attrs {
    int64_t rows; // of the table
} embedding_attrs;

static int64_t rows_of(const node *n)
{
    return ((const embedding_attrs *)n->attrs)->rows;
}

static bool rule(const node *n, err *e)
{
    char a[64], b[64];
    shape d = n->in[0]->shape, id = n->in[1]->shape, lead = d;
    lead.rank = d.rank > 0 ? d.rank - 1 : 0;
    if (d.rank < 1 || !shape_same(lead, id) || n->in[1]->type != DT_I32)
        return rule_fail(e, "gradient %s needs one i32 number a row, not %s %s", shape_text(d, a),
                         dtype_name(n->in[1]->type), shape_text(id, b));
    n->out[0]->type = DT_F32;
    n->out[0]->shape = shape_of(2, rows_of(n), d.d[d.rank - 1]);
    return true;
}

static int64_t row_at(const call *c, int64_t i)
{
    int64_t k = ((const int32_t *)c->in[1])[i], most = rows_of(c->n) - 1;
    return k < 0 ? 0 : k > most ? most : k;
}

static void part(const call *c, int64_t lo, int64_t hi) // columns
{
    int64_t dim = c->n->out[0]->shape.d[1], n = shape_count(c->n->in[1]->shape);
    for (int64_t v = 0; v < rows_of(c->n); v++)
        memset((float *)c->out[0] + v * dim + lo, 0, (size_t)(hi - lo) * sizeof(float));
    for (int64_t i = 0; i < n; i++) {
        float *restrict y = (float *)c->out[0] + row_at(c, i) * dim;
        const float *restrict d = (const float *)c->in[0] + i * dim;
        for (int64_t j = lo; j < hi; j++)
            y[j] += d[j];
    }
}

static void forward(const call *c)
{
    op_parallel(c, c->n->out[0]->shape.d[1], LANES, part);
}

static void reference(const call *c)
{
    int64_t dim = c->n->out[0]->shape.d[1], n = shape_count(c->n->in[1]->shape);
    for (int64_t v = 0; v < rows_of(c->n); v++)
        for (int64_t j = 0; j < dim; j++) {
            double total = 0;
            for (int64_t i = 0; i < n; i++)
                total += row_at(c, i) == v ? (double)((const float *)c->in[0])[i * dim + j] : 0;
            ((float *)c->out[0])[v * dim + j] = (float)total;
        }
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_embedding_back(g, in[0], in[1], 7);
}
static const op_sample samples[] = {
    {.what = "a batch of sentences",
     .n = 2,
     .in = {VALUES(3, 3, 17, 75), {.type = DT_I32, .shape = DIMS(2, 3, 17), .below = 7}},
     .build = build},
    {.what = "numbers outside the table",
     .n = 2,
     .in = {VALUES(2, 9, 5), {.type = DT_I32, .shape = DIMS(1, 9), .low = -3, .below = 12}},
     .build = build},
};

const op_def VARIANT(op_embedding_back) = {
    .name = "embedding_back",
    OP_INPUTS(2, 1),
    .types = TYPE_BIT(DT_F32),
    .shape = rule,
    .forward = forward,
    .reference = reference,
    OP_BACKWARD_ONLY,
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_embedding_back(graph *g, tensor *d, tensor *id, int64_t rows)
{
    embedding_attrs a = {rows};
    return graph_add(g, OP_embedding_back, &a, sizeof a, 2, (tensor *[]){d, id});
}
#endif
