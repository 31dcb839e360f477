// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_amx_product.c: what is packed of a product, and its tiles (gemm_amx_product.h).
#include "autograd/gemm/gemm_amx_product.h"

enum {
    // of 32 numbers, that are packed and added up at a time: 32 rows of A stay in the first cache
    // while the panels pass by from the second
    PIECES = 16,
    ROWS = 128,  // of a tile of C, at most
    PANELS = 16, // of a tile, at most
    TILES = 16   // that a product of some size has, so that all threads have some
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t parts(int64_t n, int64_t of)
{
    return (n + of - 1) / of;
}

static int64_t deep_of(const gemm_bf16 *p)
{
    return parts(p->k, AMX_DEEP);
}

static int64_t piece_of(const gemm_bf16 *p)
{
    return 2 * AMX_TILE * (p->a_low ? 2 : 1);
}

static int64_t panels_of(const gemm_bf16 *p)
{
    return parts(p->n, AMX_WIDE);
}

static int64_t groups_of(const gemm_bf16 *p)
{
    return amx_packs_rows(p) ? parts(p->m, AMX_WIDE) : 0;
}

static int64_t room_of(const gemm_bf16 *p)
{
    return (panels_of(p) + groups_of(p)) * deep_of(p) * piece_of(p);
}

int64_t amx_product_chunks(const gemm_bf16 *p)
{
    return parts(deep_of(p), PIECES);
}

gemm_bf16 amx_product_chunk(const gemm_bf16 *p, int64_t index)
{
    gemm_bf16 q = *p;
    int64_t k = index * PIECES * AMX_DEEP;
    q.a += p->ta ? k * p->lda : k, q.b += p->tb ? k : k * p->ldb;
    q.k = least(p->k - k, PIECES * AMX_DEEP);
    q.beta = k > 0 ? 1 : p->beta;
    return q;
}

int64_t amx_product_room(const gemm_bf16 *p)
{
    gemm_bf16 first = amx_product_chunk(p, 0),
              last = amx_product_chunk(p, amx_product_chunks(p) - 1);
    return room_of(&first) > room_of(&last) ? room_of(&first) : room_of(&last);
}

// A matrix is packed along the rows that it has in memory.
static int64_t packs_of_b(const gemm_bf16 *p)
{
    return p->tb ? panels_of(p) : deep_of(p);
}

int64_t amx_product_packs(const gemm_bf16 *p)
{
    return packs_of_b(p) + (groups_of(p) && p->ta ? deep_of(p) : groups_of(p));
}

static void pack_b(const gemm_bf16 *p, bf16 *room, int64_t item)
{
    int64_t panel = deep_of(p) * piece_of(p), j = item * AMX_WIDE;
    amx_matrix b = {p->b, p->ldb, p->b_low, p->tb};
    if (!p->tb) {
        amx_pack_piece(&b, item, p->k, p->n, room, panel);
        return;
    }
    b.at += j * p->ldb;
    amx_pack(&b, p->k, least(p->n - j, AMX_WIDE), room + item * panel);
}

static void pack_a(const gemm_bf16 *p, bf16 *room, int64_t item)
{
    int64_t group = deep_of(p) * piece_of(p), i = item * AMX_WIDE;
    amx_matrix a = {p->a, p->lda, p->a_low, p->ta};
    if (p->ta) {
        amx_pack_rows_piece(&a, item, p->m, p->k, room, group);
        return;
    }
    a.at += i * p->lda;
    amx_pack_rows(&a, least(p->m - i, AMX_WIDE), p->k, room + item * group);
}

void amx_product_pack(const gemm_bf16 *p, bf16 *room, int64_t item)
{
    if (item < packs_of_b(p))
        pack_b(p, room, item);
    else
        pack_a(p, room + panels_of(p) * deep_of(p) * piece_of(p), item - packs_of_b(p));
}

// Of m and n alone. The gradient of a weight has few rows and columns and a long sum: by the
// largest tiles it would be one, and one thread would have it.
typedef struct cut {
    int64_t rows, panels;
} cut;

static int64_t tiles_of(const gemm_bf16 *p, cut c)
{
    return parts(p->m, c.rows) * parts(panels_of(p), c.panels);
}

static cut cut_of(const gemm_bf16 *p)
{
    cut c = {ROWS, PANELS};
    while (tiles_of(p, c) < TILES && (c.rows > AMX_WIDE || c.panels > 1))
        if (c.rows > AMX_WIDE && c.rows >= c.panels * AMX_WIDE)
            c.rows /= 2;
        else if (c.panels > 1)
            c.panels /= 2;
        else
            c.rows /= 2;
    return c;
}

int64_t amx_product_tiles(const gemm_bf16 *p)
{
    return tiles_of(p, cut_of(p));
}

// Rows change first: threads that go through tiles in order keep their panels.
static int64_t row_of(const gemm_bf16 *p, cut c, int64_t index)
{
    return index % parts(p->m, c.rows) * c.rows;
}

static int64_t panel_of(const gemm_bf16 *p, cut c, int64_t index)
{
    return index / parts(p->m, c.rows) * c.panels;
}

gemm_bf16 amx_product_tile(const gemm_bf16 *p, int64_t index)
{
    gemm_bf16 t = *p;
    cut c = cut_of(p);
    int64_t row = row_of(p, c, index), column = panel_of(p, c, index) * AMX_WIDE;
    t.m = least(p->m - row, c.rows), t.n = least(p->n - column, c.panels * AMX_WIDE);
    t.c += row * p->ldc + column;
    return t;
}

// 32 rows from m0 on by one panel.
static void multiply(amx_state *s, const gemm_bf16 *p, const bf16 *room, int64_t m0, int64_t panel)
{
    int64_t piece = piece_of(p), all = deep_of(p) * piece, rows = p->m - m0;
    bool packed = amx_packs_rows(p);
    const bf16 *a = packed ? room + (panels_of(p) + m0 / AMX_WIDE) * all : p->a + m0 * p->lda;
    float *c = p->c + m0 * p->ldc + panel * AMX_WIDE;
    int32_t places[PIECES];
    for (int i = 0; i < PIECES; i++)
        places[i] = (int32_t)(i * (packed ? piece : AMX_DEEP));
    amx_block q = {.a = {a, packed ? a + AMX_TILE : a + AMX_SIDE * p->lda},
                   .step = packed ? AMX_DEEP : p->lda,
                   .places = places,
                   .low = p->a_low && packed ? 2 * AMX_TILE : p->a_low,
                   .b = room + panel * all,
                   .deep = deep_of(p),
                   .c = {c, c + AMX_SIDE * p->ldc},
                   .ldc = p->ldc,
                   .rows = {(int)least(rows, AMX_SIDE),
                            (int)(rows > AMX_SIDE ? least(rows - AMX_SIDE, AMX_SIDE) : 0)},
                   .cols = (int)least(p->n - panel * AMX_WIDE, AMX_WIDE),
                   .add = p->beta != 0};
    amx_multiply(s, &q);
}

void amx_product_multiply(const gemm_bf16 *p, const bf16 *room, int64_t index)
{
    cut c = cut_of(p);
    int64_t row = row_of(p, c, index), end = least(row + c.rows, p->m),
            panel = panel_of(p, c, index), last = least(panel + c.panels, panels_of(p));
    amx_state s = {0};
    for (int64_t m = row; m < end; m += AMX_WIDE)
        for (int64_t j = panel; j < last; j++)
            multiply(&s, p, room, m, j);
    amx_done(&s);
}
