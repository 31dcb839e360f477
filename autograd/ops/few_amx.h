// SPDX-License-Identifier: GPL-3.0-or-later
// few_amx.h: products of few_panels.h by the tile registers of AMX (gemm_amx.h), which hold 16 rows
// of 64 bytes. 64 inputs of a panel of i8 are such a tile as they lie; the other has up to 8 rows
// of x, of each the high bytes [K] and then the low ones. Whole numbers: the sums are those of
// few_int8.h. A multiplication takes as long as the load of its tile from the second cache, so
// memory is all that is waited for.
#ifndef KMIDI_AUTOGRAD_OPS_FEW_AMX_H
#define KMIDI_AUTOGRAD_OPS_FEW_AMX_H

#include "autograd/gemm/gemm_amx.h"
#include "autograd/ops/int8_rows.h"

static inline void few_amx_row(const int8_rows *to, int64_t row, const float *restrict x, int64_t n,
                               int64_t k)
{
    const int16_t *restrict q = to->q + row * k;
    int8_t *restrict high = to->bytes + 2 * row * k, *restrict low = high + k;
    int8_row(to, row, x, n, k);
    for (int64_t i = 0; i < k; i++)
        low[i] = (int8_t)q[i], high[i] = (int8_t)((q[i] - (int8_t)q[i]) >> 8);
}

#if defined(__AVX512F__)
#include <immintrin.h>

#define FEW_AMX        __attribute__((target("amx-tile,amx-int8")))
#define FEW_AMX_INLINE static inline __attribute__((always_inline)) FEW_AMX

enum { FEW_AMX_ROWS = 8, FEW_AMX_PLACES = 4, FEW_AMX_SIDE = 16, FEW_AMX_BYTES = 64 };

// Registers 0 .. 3 are sums of four panels, 4 rows of x, 5 to 7 of panels; gcc wants figures.
FEW_AMX_INLINE void few_amx_begin(int64_t rows)
{
    amx_shape t = {.palette = 1};
    for (int i = 0; i < 8; i++)
        t.bytes[i] = FEW_AMX_BYTES, t.rows[i] = (uint8_t)(i <= 4 ? 2 * rows : FEW_AMX_SIDE);
    AMX_MEMORY;
    _tile_loadconfig(&t);
}

FEW_AMX_INLINE void few_amx_ask(const int8_t *w)
{
    for (int i = 0; i < FEW_AMX_SIDE; i++)
        __builtin_prefetch(w + FEW_AHEAD + i * FEW_LINE);
}

#define FEW_AMX_DOT(c, b)                                                                          \
    do {                                                                                           \
        few_amx_ask(w + (c)*step);                                                                 \
        _tile_loadd(b, w + (c)*step, FEW_LINE);                                                    \
        _tile_dpbssd(c, 4, b);                                                                     \
    } while (0)

// Sums of inputs, as many as are whole numbers of 32 bits, of `places` panels `step` bytes apart.
FEW_AMX_INLINE void few_amx_some(const int8_t *x, int64_t k, const int8_t *w, int64_t step,
                                 int64_t inputs, int places,
                                 int32_t (*sum)[FEW_AMX_SIDE][FEW_WIDTH])
{
    AMX_MEMORY;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t i = 0; i < inputs; i += FEW_AMX_BYTES, w += FEW_AMX_BYTES * FEW_WIDTH) {
        _tile_loadd(4, x + i, k);
        FEW_AMX_DOT(0, 5);
        if (places == FEW_AMX_PLACES) {
            FEW_AMX_DOT(1, 6);
            FEW_AMX_DOT(2, 7);
            FEW_AMX_DOT(3, 5);
        }
    }
    _tile_stored(0, sum[0], FEW_LINE);
    if (places == FEW_AMX_PLACES) {
        _tile_stored(1, sum[1], FEW_LINE);
        _tile_stored(2, sum[2], FEW_LINE);
        _tile_stored(3, sum[3], FEW_LINE);
    }
    AMX_MEMORY;
}

// Rows row .. row + rows of x, panels `step` apart.
FEW_AMX_INLINE void few_amx_tile(const few_panels *p, int64_t row, int64_t rows, int64_t panel,
                                 int64_t step, int places)
{
    vf sum[FEW_AMX_PLACES][FEW_AMX_ROWS] = {{{0}}};
    int32_t some[FEW_AMX_PLACES][FEW_AMX_SIDE][FEW_WIDTH] __attribute__((aligned(64)));
    const int8_t *x = p->steps->bytes + 2 * row * p->k,
                 *w = (const int8_t *)p->w + panel * p->deep * FEW_WIDTH;
    for (int64_t i = 0; i < p->k; i += FEW_BLOCK) {
        few_amx_some(x + i, p->k, w + i * FEW_WIDTH, step * p->deep * FEW_WIDTH,
                     p->k - i < FEW_BLOCK ? p->k - i : FEW_BLOCK, places, some);
        for (int c = 0; c < places; c++)
            for (int64_t r = 0; r < rows; r++) {
                vi high = *(const vi *)some[c][2 * r], low = *(const vi *)some[c][2 * r + 1];
                sum[c][r] += __builtin_convertvector((high << 8) + low, vf);
            }
    }
    for (int c = 0; c < places; c++)
        for (int64_t r = 0; r < rows; r++) {
            float y[FEW_WIDTH];
            *(vf *)y = sum[c][r];
            few_store(p, row + r, panel + c * step, y, p->steps->factor[row + r]);
        }
}

// Panels lo .. hi, at several places at once.
FEW_AMX static inline void few_amx_part(const few_panels *p, int64_t lo, int64_t hi)
{
    int64_t q = (hi - lo) / FEW_AMX_PLACES;
    for (int64_t row = 0, rows; row < p->m; row += rows) {
        rows = p->m - row < FEW_AMX_ROWS ? p->m - row : FEW_AMX_ROWS;
        few_amx_begin(rows);
        for (int64_t j = lo; j < lo + q; j++)
            few_amx_tile(p, row, rows, j, q, FEW_AMX_PLACES);
        for (int64_t j = lo + q * FEW_AMX_PLACES; j < hi; j++)
            few_amx_tile(p, row, rows, j, 0, 1);
    }
    _tile_release();
}
#else
static inline void few_amx_part(const few_panels *p, int64_t lo, int64_t hi)
{
    CHECK(false && p && lo < hi);
}
#endif

#endif
