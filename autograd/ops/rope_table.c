// SPDX-License-Identifier: GPL-3.0-or-later
// rope_table: the angles of rotary position embedding (Su et al. 2021), for all layers at once:
//     y[t] = [cos(a_0) .. cos(a_{d/2-1}), sin(a_0) .. sin(a_{d/2-1})],
//     a_i = (first + t) 10000^(-2 i / d)
// for t below the length of axis 1 of x. `first` (an i32, 0 where left out) is the position of the
// first row: a step behind a cache. In single precision where the reference is, so that far
// positions turn by the same angles; in double precision beyond all of these, where a piece goes on
// for hours, and what counts is the distance of two positions. attention turns by it.
#include <math.h>

#include "autograd/ops/kernel.h"

enum { SINGLE = 1 << 16 }; // positions

typedef struct rope_attrs {
    int dim;
} rope_attrs;

static int dim_of(const node *n)
{
    return ((const rope_attrs *)n->attrs)->dim;
}

static bool rule(const node *n, err *e)
{
    char a[64];
    shape x = n->in[0]->shape, y = shape_of(2, x.d[1], dim_of(n));
    if (x.rank < 2 || dim_of(n) < 2 || dim_of(n) % 2)
        return rule_fail(e, "an even dimension and an input [B, T, ..] are needed, not %d and %s",
                         dim_of(n), shape_text(x, a));
    if (n->in[1] && (n->in[1]->type != DT_I32 || shape_count(n->in[1]->shape) != 1))
        return rule_fail(e, "the first position is one i32, not %s %s", dtype_name(n->in[1]->type),
                         shape_text(n->in[1]->shape, a));
    y.sym[0] = x.sym[1];
    n->out[0]->type = DT_F32;
    n->out[0]->shape = y;
    return true;
}

static double cost(const call *c)
{
    return 15.0 * (double)shape_count(c->n->out[0]->shape);
}

static float frequency(int i, int dim)
{
    return (float)pow(10000.0, (double)(-2.0f * (float)i / (float)dim));
}

static void part(const call *c, int64_t lo, int64_t hi)
{
    int dim = dim_of(c->n), half = dim / 2;
    int32_t first = c->in[1] ? *(const int32_t *)c->in[1] : 0;
    for (int i = 0; i < half; i++) {
        float f = frequency(i, dim);
        for (int64_t t = lo; t < hi; t++) {
            float *y = (float *)c->out[0] + t * dim + i, near = (float)(first + t) * f;
            double far = (double)(first + t) * (double)f;
            bool is_far = first + t >= SINGLE;
            y[0] = is_far ? (float)cos(far) : cosf(near);
            y[half] = is_far ? (float)sin(far) : sinf(near);
        }
    }
}

static void forward(const call *c)
{
    op_parallel(c, c->n->out[0]->shape.d[0], 16, part);
}

// Positions by the length of x's axis 1, whatever it will be.
static void portable(const node *n, emitter *m)
{
    int half = dim_of(n) / 2;
    arena scratch = {.name = "frequencies"};
    float *f = NEW(&scratch, float, (size_t)half);
    const char *length = emit_fresh(m, "length"), *count = emit_fresh(m, "count"),
               *range = emit_fresh(m, "position");
    const char *place = emit_fresh(m, "position"), *column = emit_fresh(m, "position"),
               *angle = emit_fresh(m, "angle");
    const char *turn[] = {emit_fresh(m, "cos"), emit_fresh(m, "sin")}, *from = range;
    const int64_t one = 1;
    const emit_attr to = {.name = "to", .kind = EMIT_INT, .i = 1},
                    axis0 = {.name = "axis", .kind = EMIT_INT, .i = 0},
                    last = {.name = "axis", .kind = EMIT_INT, .i = -1};
    for (int i = 0; i < half; i++)
        f[i] = frequency(i, dim_of(n));
    emit_node(m, "Shape", 1, (const char *[]){emit_in(m, n, 0)}, 1, &length, 0, NULL);
    emit_node(m, "Gather", 2, (const char *[]){length, emit_i64_scalar(m, 1)}, 1, &count, 1,
              &axis0);
    emit_node(m, "Range", 3, (const char *[]){emit_i64_scalar(m, 0), count, emit_i64_scalar(m, 1)},
              1, &range, 0, NULL);
    if (n->in[1]) {
        const char *wide = emit_fresh(m, "first"), *moved = emit_fresh(m, "position");
        emit_node(m, "Cast", 1, (const char *[]){emit_in(m, n, 1)}, 1, &wide, 1,
                  &(emit_attr){.name = "to", .kind = EMIT_INT, .i = 7});
        emit_node(m, "Add", 2, (const char *[]){range, wide}, 1, &moved, 0, NULL);
        from = moved;
    }
    emit_node(m, "Cast", 1, &from, 1, &place, 1, &to);
    emit_node(m, "Unsqueeze", 2, (const char *[]){place, emit_i64(m, 1, &one)}, 1, &column, 0,
              NULL);
    emit_node(m, "Mul", 2, (const char *[]){column, emit_f32(m, 2, (int64_t[]){1, half}, f)}, 1,
              &angle, 0, NULL);
    emit_node(m, "Cos", 1, &angle, 1, &turn[0], 0, NULL);
    emit_node(m, "Sin", 1, &angle, 1, &turn[1], 0, NULL);
    emit_node(m, "Concat", 2, turn, 1, (const char *[]){emit_out(m, n, 0)}, 1, &last);
    arena_free(&scratch);
}

static tensor *build(graph *g, tensor *const in[])
{
    return op_rope_table(g, in[0], NULL, 6);
}
static tensor *build_first(graph *g, tensor *const in[])
{
    return op_rope_table(g, in[0], in[1], 16);
}
static const op_sample samples[] = {
    {.what = "from the start",
     .n = 1,
     .in = {{.type = DT_I32, .shape = DIMS(2, 2, 40), .below = 9}},
     .build = build},
    {.what = "behind a cache",
     .n = 2,
     .in = {{.type = DT_I32, .shape = DIMS(2, 2, 3), .below = 9},
            {.type = DT_I32, .shape = DIMS(1, 1), .low = 5, .below = 600}},
     .build = build_first},
    {.what = "hours later",
     .n = 2,
     .in = {{.type = DT_I32, .shape = DIMS(2, 2, 3), .below = 9},
            {.type = DT_I32, .shape = DIMS(1, 1), .low = 9000000, .below = 9000001}},
     .build = build_first,
     .unexported = true},
};

const op_def VARIANT(op_rope_table) = {
    .name = "rope_table",
    OP_F32(2, 1),
    .optional = 1u << 1,
    .flags = OP_EXACT,
    .shape = rule,
    .cost = cost,
    .forward = forward,
    .no_gradient = "it depends on the length of its input alone",
    .portable = portable,
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_rope_table(graph *g, tensor *x, tensor *first, int dim)
{
    rope_attrs a = {dim};
    return graph_add(g, OP_rope_table, &a, sizeof a, 2, (tensor *[]){x, first});
}
#endif
