// SPDX-License-Identifier: GPL-3.0-or-later
// conv2d_weight: the gradient of conv2d's filters (torch.nn.grad.conv2d_weight): x [B, H, W, C],
// d [B, OH, OW, O] -> df [KH, KW, C, O],
//     df[p, q, c, o] = sum over pixels of x[b, i s + p - pad, j s + q - pad, c] d[b, i, j, o].
// A tile is some numbers of a row of the window, or some short rows, for all outputs: it goes
// through all pixels, a block at a time, gathers what its numbers are there, and adds their product
// with d. So no number is gathered twice, and tiles depend on the shapes alone. Each packs all of d
// again, which costs more beside a product in bf16: there tiles are twice as wide.
#include "autograd/ops/conv2d_weight_quads.h"

// Numbers of a window in a tile, about; pixels of a block.
enum { TILE = 96, TILE_NARROW = 192, PIXELS_LEAST = 128, PIXELS_MOST = 1024 };

static bool rule(const node *n, err *e)
{
    char a[64], b[64];
    shape x = n->in[IN_X]->shape, d = n->in[IN_D]->shape;
    if (x.rank != 4 || d.rank != 4)
        return rule_fail(e, "%s and %s are not pictures", shape_text(x, a), shape_text(d, b));
    conv v = conv_at(n);
    if (!shape_same(d, shape_of(4, v.b, v.oh, v.ow, v.o)))
        return rule_fail(e, "gradient %s of pictures %s", shape_text(d, a), shape_text(x, b));
    n->out[0]->type = DT_F32;
    n->out[0]->shape = shape_of(4, v.kh, v.kw, v.c, v.o);
    return operands_fit(n, e);
}

typedef struct tiling {
    int64_t n, across; // numbers of a row in a tile; tiles of a row
    int64_t rows;      // in a tile; more than one where across is 1
    int64_t pixels;    // of a block
} tiling;

// Two tiles at least, for two threads.
static int64_t rows_together(const conv *v, int64_t most)
{
    int64_t rows = most / (v->kw * v->c), parts = rows > 1 ? (v->kh + rows - 1) / rows : v->kh;
    parts = parts < 2 && v->kh > 1 ? 2 : parts;
    return (v->kh + parts - 1) / parts;
}

static tiling tiling_of(const call *c, const conv *v)
{
    int64_t most = operands_type(c) == DT_F32 ? TILE : TILE_NARROW, width = v->kw * v->c,
            tiles = (width + most - 1) / most;
    tiling t = {.n = width, .across = 1, .rows = rows_together(v, most)};
    if (tiles > 1) {
        t.n = ((width + tiles - 1) / tiles + 15) / 16 * 16;
        t.across = (width + t.n - 1) / t.n;
    }
    int64_t pixels = CONV_BLOCK / 16 / (t.rows * t.n) / 16 * 16;
    t.pixels = pixels < PIXELS_LEAST ? PIXELS_LEAST : pixels > PIXELS_MOST ? PIXELS_MOST : pixels;
    return t;
}

static size_t room_each(const call *c, const conv *v)
{
    tiling t = tiling_of(c, v);
    size_t at = 0;
    (void)workspace_take(NULL, &at, operand_room(operands_type(c), t.rows * t.n * t.pixels));
    return at;
}

static size_t workspace(const call *c)
{
    conv v = conv_at(c->n);
    if (quads_fit(c, &v))
        return room_in_quads(c) * sizeof(float);
    return (operands_room(c) + room_each(c, &v) * (size_t)c->threads) * sizeof(float);
}

static double cost(const call *c)
{
    conv v = conv_at(c->n);
    int64_t rows = v.b * v.oh * v.ow, width = v.kh * v.kw * v.c;
    return gemm_cost(&c->kit->products, width, v.o, rows) + 0.2 * (double)(rows * width);
}

static double flops(const node *n)
{
    conv v = conv_at(n);
    return conv_flops(&v);
}

typedef struct piece {
    int64_t row, rows, at, n; // of a window
} piece;

static piece piece_of(const conv *v, const tiling *t, int64_t item)
{
    piece p = {item / t->across * t->rows, t->rows, item % t->across * t->n, t->n};
    p.rows = v->kh - p.row < p.rows ? v->kh - p.row : p.rows;
    p.n = v->kw * v->c - p.at < p.n ? v->kw * v->c - p.at : p.n;
    return p;
}

static void gather_rows(const windows *w, const void *pictures, size_t size, const piece *p,
                        int64_t lo, int64_t hi, char *to)
{
    for (int64_t k = 0; k < p->rows; k++)
        windows_piece(w, pictures, size, lo, hi, p->row + k, p->at, p->n,
                      to + k * p->n * (int64_t)size, p->rows * p->n);
}

static operand gathered(const call *c, const conv *v, const piece *p, float *work, int64_t lo,
                        int64_t hi)
{
    operand x = operand_of(c, IN_X), to = {(char *)work, x.type, 0, false};
    windows w = windows_forward(v);
    gather_rows(&w, x.at, operand_size(&x), p, lo, hi, (char *)work);
    if (x.low) {
        to.low = (hi - lo) * p->rows * p->n;
        gather_rows(&w, operand_add(&x, x.low).at, sizeof(bf16), p, lo, hi,
                    (char *)((bf16 *)work + to.low));
    }
    return to;
}

static void tile(const call *c, float *work, int64_t item)
{
    conv v = conv_at(c->n);
    tiling t = tiling_of(c, &v);
    piece p = piece_of(&v, &t, item);
    int64_t width = v.kw * v.c, rows = v.b * v.oh * v.ow, m = p.rows * p.n;
    operand all = operand_of(c, IN_D);
    for (int64_t lo = 0; lo < rows; lo += t.pixels) {
        int64_t hi = lo + t.pixels < rows ? lo + t.pixels : rows;
        operand x = gathered(c, &v, &p, work, lo, hi), d = operand_add(&all, lo * v.o);
        operands_multiply(c,
                          &(gemm){.ta = true,
                                  .m = m,
                                  .n = v.o,
                                  .k = hi - lo,
                                  .lda = m,
                                  .ldb = v.o,
                                  .beta = lo > 0,
                                  .c = (float *)c->out[0] + (p.row * width + p.at) * v.o,
                                  .ldc = v.o},
                          &x, &d);
    }
}

static void forward(const call *c)
{
    conv v = conv_at(c->n);
    if (quads_fit(c, &v)) {
        forward_in_quads(c, &v);
        return;
    }
    tiling t = tiling_of(c, &v);
    operands_ready(c);
    jobs_run(c, tile, (v.kh + t.rows - 1) / t.rows * t.across, (float *)c->work + operands_room(c),
             room_each(c, &v));
}

static void reference(const call *c)
{
    conv v = conv_at(c->n);
    for (int64_t at = 0; at < v.kh * v.kw * v.c * v.o; at++) {
        int64_t o = at % v.o, k = at / v.o % v.c, q = at / v.o / v.c % v.kw,
                p = at / v.o / v.c / v.kw;
        double total = 0;
        for (int64_t r = 0; r < v.b * v.oh * v.ow; r++) {
            int64_t y = r / v.ow % v.oh * v.stride + p - v.padding,
                    x = r % v.ow * v.stride + q - v.padding, b = r / v.ow / v.oh;
            if (y >= 0 && y < v.h && x >= 0 && x < v.w)
                total += operand_number(c, IN_X, ((b * v.h + y) * v.w + x) * v.c + k) *
                         operand_number(c, IN_D, r * v.o + o);
        }
        ((float *)c->out[0])[at] = (float)total;
    }
}

static tensor *narrow(graph *g, const node *n, tensor *const in[], bool rounded)
{
    (void)rounded;
    return graph_add(g, OP_conv2d_weight, n->attrs, sizeof(weight_attrs), INPUTS, in);
}

static tensor *build_3(graph *g, tensor *const in[])
{
    return op_conv2d_weight(g, in[0], in[1], shape_of(4, 3, 3, 5, 7), 2, 1);
}
static tensor *build_quads(graph *g, tensor *const in[])
{
    return op_conv2d_weight(g, in[0], in[1], shape_of(4, 3, 3, 16, 16), 2, 1);
}
static tensor *build_odd_quads(graph *g, tensor *const in[])
{
    return op_conv2d_weight(g, in[0], in[1], shape_of(4, 3, 3, 48, 176), 2, 0);
}
static tensor *build_wide_quads(graph *g, tensor *const in[])
{
    return op_conv2d_weight(g, in[0], in[1], shape_of(4, 3, 3, 16, 48), 2, 2);
}
static tensor *build_7(graph *g, tensor *const in[])
{
    return op_conv2d_weight(g, in[0], in[1], shape_of(4, 7, 7, 1, 5), 2, 3);
}
static tensor *build_sparse(graph *g, tensor *const in[])
{
    return op_conv2d_weight(g, in[0], in[1], shape_of(4, 2, 2, 3, 4), 3, 2);
}
static tensor *build_blocks(graph *g, tensor *const in[])
{
    return op_conv2d_weight(g, in[0], in[1], shape_of(4, 3, 3, 70, 6), 1, 1);
}
static tensor *build_bf16(graph *g, tensor *const in[])
{
    return op_conv2d_weight(g, op_cast(g, in[0], DT_BF16), op_cast(g, in[1], DT_BF16),
                            shape_of(4, 3, 3, 6, 7), 2, 1);
}
static tensor *build_thin(graph *g, tensor *const in[])
{
    return op_conv2d_weight(g, op_cast(g, in[0], DT_BF16), op_cast(g, in[1], DT_BF16),
                            shape_of(4, 3, 3, 1, 5), 1, 1);
}
static tensor *build_pairs(graph *g, tensor *const in[])
{
    return op_conv2d_weight(g, op_cast(g, in[0], DT_BF16X2), op_cast(g, in[1], DT_BF16X2),
                            shape_of(4, 3, 3, 6, 7), 2, 1);
}
static const op_sample samples[] = {
    {.what = "3 x 3 in steps of 2",
     .n = 2,
     .in = {VALUES(4, 2, 6, 8, 5), VALUES(4, 2, 3, 4, 7)},
     .build = build_3},
    {.what = "squares of gradients",
     .n = 2,
     .in = {VALUES(4, 2, 6, 8, 16), VALUES(4, 2, 3, 4, 16)},
     .build = build_quads},
    {.what = "squares, odd pictures, several tiles and blocks, no padding",
     .n = 2,
     .in = {VALUES(4, 5, 15, 27, 48), VALUES(4, 5, 7, 13, 176)},
     .build = build_odd_quads},
    {.what = "squares, a wide padding, pictures of two pixels",
     .n = 2,
     .in = {VALUES(4, 100, 1, 2, 16), VALUES(4, 100, 2, 2, 48)},
     .build = build_wide_quads},
    {.what = "one channel, 7 x 7",
     .n = 2,
     .in = {VALUES(4, 2, 9, 12, 1), VALUES(4, 2, 5, 6, 5)},
     .build = build_7},
    {.what = "steps wider than the window",
     .n = 2,
     .in = {VALUES(4, 2, 6, 7, 3), VALUES(4, 2, 3, 4, 4)},
     .build = build_sparse},
    {.what = "several tiles and blocks",
     .n = 2,
     .in = {VALUES(4, 3, 18, 17, 70), VALUES(4, 3, 18, 17, 6)},
     .build = build_blocks},
    {.what = "bf16",
     .n = 2,
     .in = {VALUES(4, 2, 16, 17, 6), VALUES(4, 2, 8, 9, 7)},
     .build = build_bf16},
    {.what = "bf16, one channel",
     .n = 2,
     .in = {VALUES(4, 2, 7, 9, 1), VALUES(4, 2, 7, 9, 5)},
     .build = build_thin},
    {.what = "bf16x2",
     .n = 2,
     .in = {VALUES(4, 2, 16, 17, 6), VALUES(4, 2, 8, 9, 7)},
     .build = build_pairs},
};

const op_def VARIANT(op_conv2d_weight) = {
    .name = "conv2d_weight",
    OP_F32(INPUTS, 1),
    .shape = rule,
    OP_PLANNED(workspace, cost, flops),
    OP_BACK_KERNELS(forward, reference),
    .narrow = narrow,
    OP_SAMPLES(samples),
};

#ifdef KMIDI_VARIANT_base
tensor *op_conv2d_weight(graph *g, tensor *x, tensor *d, shape f, int64_t stride, int64_t padding)
{
    weight_attrs t;
    memset(&t, 0, sizeof t);
    t.conv = conv_attrs_of(x ? x->shape : f, stride, padding), t.kh = f.d[0], t.kw = f.d[1];
    return graph_add(g, OP_conv2d_weight, &t, sizeof t, INPUTS, (tensor *[]){x, d});
}
#endif
