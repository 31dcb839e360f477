// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_amx.c: blocks of tiles, and whole products cut into them (gemm_amx.h).
//
// A product goes through K in pieces of KC, so that 32 rows of A stay in the first cache while a
// panel of B after the other passes by from the second, as in Goto and van de Geijn 2008. Two tiles
// by two are four loads for four multiplications: the loads of a piece take less than those.
#include "autograd/gemm/gemm_amx_product.h"

#if defined(__x86_64__) && defined(__linux__)
#include <immintrin.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/hw.h"
#include "base/variant.h"

#define AMX  __attribute__((target("amx-tile,amx-bf16")))
#define TILE __attribute__((always_inline, target("amx-tile,amx-bf16")))

// Which register holds what: gcc's intrinsics want figures.
#define C00 0
#define C01 1
#define C10 2
#define C11 3
#define A0  4
#define A1  5
#define B0  6
#define B1  7

// ---- Whether it is here

// The system saves tiles for processes that asked alone (Documentation/arch/x86/xstate.rst); it may
// be asked again. Who wants code for a smaller CPU (KMIDI_ISA) gets none for a larger one.
bool gemm_amx_ready(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    hw h = {0};
    hw_read_bf16(&h);
    return h.amx_bf16 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && variant_best() == VARIANT_V4 &&
           syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

// ---- Blocks

static void set_tile(amx_shape *t, int at, int rows, int columns)
{
    t->rows[at] = (uint8_t)(rows > 0 ? rows : 1), t->bytes[at] = (uint16_t)(4 * columns);
}

AMX static void configure(amx_state *s, const amx_block *q)
{
    uint32_t shape = (uint32_t)(q->rows[0] << 16 | q->rows[1] << 8 | q->cols);
    if (s->shape == shape)
        return;
    s->shape = shape;
    amx_shape t = {.palette = 1};
    int first = q->cols < AMX_SIDE ? q->cols : AMX_SIDE,
        second = q->cols > AMX_SIDE ? q->cols - AMX_SIDE : 1;
    for (int i = 0; i < 2; i++) {
        set_tile(&t, i ? C10 : C00, q->rows[i], first);
        set_tile(&t, i ? C11 : C01, q->rows[i], second);
        set_tile(&t, i ? A1 : A0, q->rows[i], AMX_DEEP / 2);
        set_tile(&t, i ? B1 : B0, AMX_SIDE, i ? second : first);
    }
    AMX_MEMORY;
    _tile_loadconfig(&t);
}

AMX void amx_done(amx_state *s)
{
    if (s->shape)
        _tile_release();
    s->shape = 0;
}

// One piece of k.
#define LOAD_A(t, from) _tile_loadd(t, from, step)
#define LOAD_B(t, from) _tile_loadd(t, from, 64)
#define BY_A(place)                                                                                \
    do {                                                                                           \
        LOAD_A(A0, q->a[0] + (place));                                                             \
        _tile_dpbf16ps(C00, A0, B0);                                                               \
        if (wide)                                                                                  \
            _tile_dpbf16ps(C01, A0, B1);                                                           \
        if (tall) {                                                                                \
            LOAD_A(A1, q->a[1] + (place));                                                         \
            _tile_dpbf16ps(C10, A1, B0);                                                           \
            if (wide)                                                                              \
                _tile_dpbf16ps(C11, A1, B1);                                                       \
        }                                                                                          \
    } while (0)
#define BY_B(from)                                                                                 \
    do {                                                                                           \
        LOAD_B(B0, from);                                                                          \
        _tile_dpbf16ps(C00, A0, B0);                                                               \
        if (tall)                                                                                  \
            _tile_dpbf16ps(C10, A1, B0);                                                           \
        if (wide) {                                                                                \
            LOAD_B(B1, (from) + AMX_TILE);                                                         \
            _tile_dpbf16ps(C01, A0, B1);                                                           \
            if (tall)                                                                              \
                _tile_dpbf16ps(C11, A1, B1);                                                       \
        }                                                                                          \
    } while (0)
#define EACH_C(do_it)                                                                              \
    do {                                                                                           \
        do_it(C00, q->c[0]);                                                                       \
        if (wide)                                                                                  \
            do_it(C01, q->c[0] + AMX_SIDE);                                                        \
        if (tall)                                                                                  \
            do_it(C10, q->c[1]);                                                                   \
        if (tall && wide)                                                                          \
            do_it(C11, q->c[1] + AMX_SIDE);                                                        \
    } while (0)
#define C_ZERO(t, at)  _tile_zero(t)
#define C_LOAD(t, at)  _tile_loadd(t, at, 4 * q->ldc)
#define C_STORE(t, at) _tile_stored(t, at, 4 * q->ldc)

// Of pairs low x high, high x high, high x low of a piece: A's halves and B's high one are loaded
// once or twice, where three products would load each of four thrice.
TILE static inline void block(const amx_block *q, bool tall, bool wide, bool pairs)
{
    int64_t step = 2 * q->step;
    const bf16 *b = q->b;
    AMX_MEMORY;
    if (q->add)
        EACH_C(C_LOAD);
    else
        EACH_C(C_ZERO);
    for (int64_t k = 0; k < q->deep; k++, b += 2 * AMX_TILE) {
        LOAD_B(B0, b);
        if (wide)
            LOAD_B(B1, b + AMX_TILE);
        if (pairs)
            BY_A(q->places[k] + q->low);
        BY_A(q->places[k]);
        if (pairs) {
            b += 2 * AMX_TILE;
            BY_B(b);
        }
    }
    EACH_C(C_STORE);
    AMX_MEMORY;
}

#define BLOCK(name, tall, wide, pairs)                                                             \
    AMX static void name(const amx_block *q)                                                       \
    {                                                                                              \
        block(q, tall, wide, pairs);                                                               \
    }
BLOCK(block_11, false, false, false)
BLOCK(block_12, false, true, false)
BLOCK(block_21, true, false, false)
BLOCK(block_22, true, true, false)
BLOCK(pairs_11, false, false, true)
BLOCK(pairs_12, false, true, true)
BLOCK(pairs_21, true, false, true)
BLOCK(pairs_22, true, true, true)
static void (*const blocks[2][2][2])(const amx_block *) = {
    {{block_11, block_12}, {block_21, block_22}}, {{pairs_11, pairs_12}, {pairs_21, pairs_22}}};

void amx_multiply(amx_state *s, const amx_block *q)
{
    configure(s, q);
    blocks[q->low != 0][q->rows[1] > 0][q->cols > AMX_SIDE](q);
}

// ---- Whole products

enum {
    KC = 512, // numbers of a row that stay in the first cache, 32 rows of them 32 KiB
    NC = 256, // columns of B that are packed at a time: of the stack no more than gemm_onednn.c
    // rows as far apart as a page or half of one fall into few sets of the first cache
    BAD_STRIDE = 1024
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

bool amx_packs_rows(const gemm_bf16 *p)
{
    return p->ta || (p->k % AMX_DEEP && !p->padded) ||
           (p->lda % BAD_STRIDE == 0 && p->n > 4 * AMX_WIDE);
}

typedef struct piece {
    const gemm_bf16 *p;
    int64_t k0, k, n0, n; // of op(B)
    bf16 *a, *b;          // room for packed ones
} piece;

static amx_matrix matrix_at(const bf16 *x, int64_t ld, int64_t low, bool turned, int64_t row,
                            int64_t column)
{
    return (amx_matrix){x + (turned ? column * ld + row : row * ld + column), ld, low, turned};
}

// Rows m0 .. m0 + m by all that is packed.
static void rows_of_piece(amx_state *s, const piece *t, int64_t m0, int64_t m)
{
    const gemm_bf16 *p = t->p;
    amx_matrix a = matrix_at(p->a, p->lda, p->a_low, p->ta, m0, t->k0);
    int64_t deep = (t->k + AMX_DEEP - 1) / AMX_DEEP, halves = p->a_low ? 2 : 1;
    int32_t places[KC / AMX_DEEP];
    bool packed = amx_packs_rows(p);
    if (packed)
        amx_pack_rows(&a, m, t->k, t->a);
    for (int64_t i = 0; i < deep; i++)
        places[i] = (int32_t)(i * (packed ? halves * 2 * AMX_TILE : AMX_DEEP));
    for (int64_t j = 0; j < t->n; j += AMX_WIDE) {
        float *c = p->c + m0 * p->ldc + t->n0 + j;
        const bf16 *first = packed ? t->a : a.at;
        amx_block q = {.a = {first, packed ? first + AMX_TILE : first + AMX_SIDE * p->lda},
                       .step = packed ? AMX_DEEP : p->lda,
                       .places = places,
                       .low = p->a_low && packed ? 2 * AMX_TILE : p->a_low,
                       .b = t->b + j / AMX_WIDE * deep * halves * 2 * AMX_TILE,
                       .deep = deep,
                       .c = {c, c + AMX_SIDE * p->ldc},
                       .ldc = p->ldc,
                       .rows = {(int)least(m, AMX_SIDE), (int)(m > AMX_SIDE ? m - AMX_SIDE : 0)},
                       .cols = (int)least(t->n - j, AMX_WIDE),
                       .add = t->k0 > 0 || p->beta != 0};
        amx_multiply(s, &q);
    }
}

void gemm_amx(const gemm_bf16 *p)
{
    // pairs take as many columns as half of the room has
    _Alignas(64) bf16 a[2 * AMX_WIDE * KC], b[NC * KC];
    int64_t columns = p->a_low ? NC / 2 : NC;
    piece t = {.p = p, .a = a, .b = b};
    amx_state s = {0};
    for (t.n0 = 0; t.n0 < p->n; t.n0 += columns)
        for (t.k0 = 0; t.k0 < p->k; t.k0 += KC) {
            t.n = least(columns, p->n - t.n0), t.k = least(KC, p->k - t.k0);
            amx_matrix of = matrix_at(p->b, p->ldb, p->b_low, p->tb, t.k0, t.n0);
            amx_pack(&of, t.k, t.n, b);
            for (int64_t m = 0; m < p->m; m += AMX_WIDE)
                rows_of_piece(&s, &t, m, least(AMX_WIDE, p->m - m));
        }
    amx_done(&s);
}

#else
#include "base/err.h"

// Nobody asks for these where it is not ready.
bool gemm_amx_ready(void)
{
    return false;
}

void gemm_amx(const gemm_bf16 *p)
{
    CHECK(!p);
}

void amx_multiply(amx_state *s, const amx_block *q)
{
    CHECK(!s && !q);
}

void amx_done(amx_state *s)
{
    CHECK(!s);
}

bool amx_packs_rows(const gemm_bf16 *p)
{
    return !p;
}

void amx_pack(const amx_matrix *b, int64_t k, int64_t n, bf16 *to)
{
    CHECK(!b && !k && !n && !to);
}

void amx_pack_rows(const amx_matrix *a, int64_t m, int64_t k, bf16 *to)
{
    CHECK(!a && !m && !k && !to);
}

void amx_pack_piece(const amx_matrix *b, int64_t i, int64_t k, int64_t n, bf16 *to, int64_t apart)
{
    CHECK(!b && !i && !k && !n && !to && !apart);
}

void amx_pack_rows_piece(const amx_matrix *a, int64_t i, int64_t m, int64_t k, bf16 *to,
                         int64_t apart)
{
    CHECK(!a && !i && !m && !k && !to && !apart);
}
#endif
