// SPDX-License-Identifier: GPL-3.0-or-later
// embedding: rows of a table by number (torch.nn.functional.embedding).
//     y[..] = w[id[..]]                            dw by embedding_back
// A number outside the table takes the nearest row: it never reads elsewhere (the trainer checks
// tokens when data is read). A head that shares the table (logits = x w^T) is a linear of the same
// tensor: its gradient and this one's are added up by the graph.
#include <string.h>

#include "autograd/ops/kernel.h"

static bool rule(const node *n, err *e)
{
    char a[64], b[64];
    shape w = n->in[0]->shape, s = n->in[1]->shape;
    if (n->in[1]->type != DT_I32 || s.rank >= RANK_MAX || w.rank != 2)
        return rule_fail(
            e, "takes a table [V, D] and i32 numbers of at most %d axes, not %s and %s %s",
            RANK_MAX - 1, shape_text(w, a), dtype_name(n->in[1]->type), shape_text(s, b));
    s.d[s.rank] = w.d[1];
    s.sym[s.rank++] = SYM_FIXED;
    n->out[0]->type = n->in[0]->type;
    n->out[0]->shape = s;
    return true;
}

static void part(const call *c, int64_t lo, int64_t hi)
{
    shape w = c->n->in[0]->shape;
    const int32_t *id = c->in[1];
    size_t dim = (size_t)w.d[1];
    for (int64_t i = lo; i < hi; i++) {
        int64_t k = id[i] < 0 ? 0 : id[i] >= w.d[0] ? w.d[0] - 1 : id[i];
        memcpy((float *)c->out[0] + (size_t)i * dim, (const float *)c->in[0] + (size_t)k * dim,
               dim * sizeof(float));
    }
}

static void forward(const call *c)
{
    op_parallel(c, shape_count(c->n->in[1]->shape), 16, part);
}

static void gradient(graph *g, const node *n, tensor *const dout[], tensor *din[],
                     const bool want[])
{
    if (want[0])
        din[0] = op_embedding_back(g, dout[0], n->in[1], n->in[0]->shape.d[0]);
}

static void portable(const node *n, emitter *m)
{
    emit_attr axis = {.name = "axis", .kind = EMIT_INT, .i = 0};
    emit_node(m, "Gather", 2, (const char *[]){emit_in(m, n, 0), emit_in(m, n, 1)}, 1,
              (const char *[]){emit_out(m, n, 0)}, 1, &axis);
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_embedding(g, in[0], in[1]);
}
#define TOKENS(below_, r, ...)                                                                     \
    {                                                                                              \
        .type = DT_I32, .shape = DIMS(r, __VA_ARGS__), .below = (below_)                           \
    }
static const op_sample samples[] = {
    {.what = "a batch of sentences",
     .n = 2,
     .in = {VALUES(2, 11, 19), TOKENS(11, 2, 3, 17)},
     .build = build},
    {.what = "five axes of tokens",
     .n = 2,
     .in = {VALUES(2, 11, 3), TOKENS(11, 5, 2, 1, 2, 3, 2)},
     .build = build},
    {.what = "rows used again and again, several parts",
     .n = 2,
     .in = {VALUES(2, 3, 70), TOKENS(3, 1, 90)},
     .build = build},
};

// --- The way back
//
// embedding_back: dw[v] = sum of d[i] over the i with id[i] = v (torch's embedding_dense_backward).
// Threads share out columns, never rows: each adds the rows of its columns in their order, so the
// sums are the same for any number of them.

typedef struct embedding_attrs {
    int64_t rows; // of the table
} embedding_attrs;

static int64_t rows_of(const node *n)
{
    return ((const embedding_attrs *)n->attrs)->rows;
}

static bool back_rule(const node *n, err *e)
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

static void back_part(const call *c, int64_t lo, int64_t hi) // columns
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

static void back_forward(const call *c)
{
    op_parallel(c, c->n->out[0]->shape.d[1], LANES, back_part);
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

static tensor *back_build(graph *g, tensor *const in[])
{
    return op_embedding_back(g, in[0], in[1], 7);
}
static const op_sample back_samples[] = {
    {.what = "a batch of sentences",
     .n = 2,
     .in = {VALUES(3, 3, 17, 75), {.type = DT_I32, .shape = DIMS(2, 3, 17), .below = 7}},
     .build = back_build},
    {.what = "numbers outside the table",
     .n = 2,
     .in = {VALUES(2, 9, 5), {.type = DT_I32, .shape = DIMS(1, 9), .low = -3, .below = 12}},
     .build = back_build},
};

const op_def VARIANT(op_embedding) = {
    .name = "embedding",
    OP_F32(2, 1),
    .shape = rule,
    OP_KERNELS(forward, NULL, gradient, portable),
    OP_SAMPLES(samples),
};

const op_def VARIANT(op_embedding_back) = {
    .name = "embedding_back",
    OP_F32(2, 1),
    .shape = back_rule,
    OP_BACK_KERNELS(back_forward, reference),
    OP_SAMPLES(back_samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_embedding(graph *g, tensor *w, tensor *id)
{
    return graph_add(g, OP_embedding, NULL, 0, 2, (tensor *[]){w, id});
}
tensor *op_embedding_back(graph *g, tensor *d, tensor *id, int64_t rows)
{
    embedding_attrs a = {rows};
    return graph_add(g, OP_embedding_back, &a, sizeof a, 2, (tensor *[]){d, id});
}
#endif
