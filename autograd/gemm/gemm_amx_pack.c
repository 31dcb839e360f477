// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_amx_pack.c: matrices put down as tiles (gemm_amx.h).
//
// What has to be transposed is read 16 bytes at a time, four such pieces to a register by inserts
// from memory, which cost the shuffle unit little; then 4 x 4 or 8 x 8 numbers are transposed
// within each quarter of a register. A tile that lies beyond an edge is first copied between zeros.
#include "autograd/gemm/gemm_amx.h"

#if defined(__x86_64__) && defined(__linux__)
#include <immintrin.h>
#include <string.h>

#define WIDE __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))
#define UNIT __attribute__((always_inline, target("avx512f,avx512bw,avx512vl,avx512dq")))

// Rows r, r + apart, .. of 16 bytes each, in the four quarters of a register.
UNIT static inline __m512i quarters(const bf16 *x, int64_t apart)
{
    const __m128i *a = (const __m128i *)x, *b = (const __m128i *)(x + apart),
                  *c = (const __m128i *)(x + 2 * apart), *d = (const __m128i *)(x + 3 * apart);
    __m512i z = _mm512_castsi128_si512(_mm_loadu_si128(a));
    z = _mm512_inserti32x4(z, _mm_loadu_si128(b), 1);
    z = _mm512_inserti32x4(z, _mm_loadu_si128(c), 2);
    return _mm512_inserti32x4(z, _mm_loadu_si128(d), 3);
}

// B where it is read as it lies: rows of pairs, of 16 columns.
WIDE static void pairs_of_rows(const bf16 *x, int64_t ld, bf16 *to)
{
    const __m512i order =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    for (int i = 0; i < AMX_SIDE; i++, x += 2 * ld, to += AMX_DEEP) {
        __m512i z = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)x));
        z = _mm512_inserti64x4(z, _mm256_loadu_si256((const __m256i *)(x + ld)), 1);
        _mm512_store_si512(to, _mm512_permutexvar_epi16(order, z));
    }
}

// B where it is read transposed: 16 rows of x are its columns, their pairs the tile's rows.
WIDE static void pairs_of_columns(const bf16 *x, int64_t ld, bf16 *to)
{
    for (int k = 0; k < AMX_SIDE; k += 4, x += 8, to += 4 * AMX_DEEP) {
        __m512i r0 = quarters(x, 4 * ld), r1 = quarters(x + ld, 4 * ld),
                r2 = quarters(x + 2 * ld, 4 * ld), r3 = quarters(x + 3 * ld, 4 * ld);
        __m512i low = _mm512_unpacklo_epi32(r0, r1), high = _mm512_unpackhi_epi32(r0, r1),
                low2 = _mm512_unpacklo_epi32(r2, r3), high2 = _mm512_unpackhi_epi32(r2, r3);
        _mm512_store_si512(to, _mm512_unpacklo_epi64(low, low2));
        _mm512_store_si512(to + AMX_DEEP, _mm512_unpackhi_epi64(low, low2));
        _mm512_store_si512(to + 2 * AMX_DEEP, _mm512_unpacklo_epi64(high, high2));
        _mm512_store_si512(to + 3 * AMX_DEEP, _mm512_unpackhi_epi64(high, high2));
    }
}

// A where it is read transposed: 32 rows of x, 16 of its columns are the tile's rows.
WIDE static void rows_of_columns(const bf16 *x, int64_t ld, bf16 *to)
{
    for (int m = 0; m < AMX_SIDE; m += 8, x += 8) {
        __m512i r[8], s[8];
        for (int i = 0; i < 8; i++)
            r[i] = quarters(x + i * ld, 8 * ld);
        for (int i = 0; i < 8; i += 2)
            s[i] = _mm512_unpacklo_epi16(r[i], r[i + 1]),
            s[i + 1] = _mm512_unpackhi_epi16(r[i], r[i + 1]);
        for (int i = 0; i < 8; i += 4)
            for (int h = 0; h < 2; h++)
                r[i + 2 * h] = _mm512_unpacklo_epi32(s[i + h], s[i + h + 2]),
                          r[i + 2 * h + 1] = _mm512_unpackhi_epi32(s[i + h], s[i + h + 2]);
        for (int i = 0; i < 4; i++, to += 2 * AMX_DEEP) {
            _mm512_store_si512(to, _mm512_unpacklo_epi64(r[i], r[i + 4]));
            _mm512_store_si512(to + AMX_DEEP, _mm512_unpackhi_epi64(r[i], r[i + 4]));
        }
    }
}

WIDE static void rows_of_rows(const bf16 *x, int64_t ld, bf16 *to)
{
    for (int i = 0; i < AMX_SIDE; i++)
        _mm512_store_si512(to + i * AMX_DEEP, _mm512_loadu_si512(x + i * ld));
}

typedef void pack_fn(const bf16 *x, int64_t ld, bf16 *to);

// A tile of rows x columns numbers as they lie, of which there are so many.
static void pack_tile(pack_fn *fn, const bf16 *x, int64_t ld, const int64_t size[2],
                      const int64_t have[2], bf16 *to)
{
    _Alignas(64) bf16 copy[AMX_TILE];
    int64_t rows = have[0] < size[0] ? have[0] : size[0],
            columns = have[1] < size[1] ? have[1] : size[1];
    if (rows == size[0] && columns == size[1]) {
        fn(x, ld, to);
        return;
    }
    memset(copy, 0, sizeof copy);
    for (int64_t i = 0; i < rows; i++)
        memcpy(copy + i * size[1], x + i * ld, (size_t)columns * sizeof *copy);
    fn(copy, size[1], to);
}

// Two tiles side by side across `wide` (columns of B, rows of A), of each 32 of k.
static void pack_two(const amx_matrix *x, pack_fn *fn, bool deep_down, const int64_t at[2],
                     const int64_t size[2], bf16 *to)
{
    const int64_t of_tile[] = {deep_down ? AMX_DEEP : AMX_SIDE, deep_down ? AMX_SIDE : AMX_DEEP};
    for (int t = 0; t < 2; t++) {
        int64_t k = at[0], wide = at[1] + t * AMX_SIDE;
        int64_t have[] = {deep_down ? size[0] - k : size[1] - wide,
                          deep_down ? size[1] - wide : size[0] - k};
        if (size[1] > wide)
            pack_tile(fn, x->at + (deep_down ? k * x->ld + wide : wide * x->ld + k), x->ld, of_tile,
                      have, to + t * AMX_TILE);
    }
}

// Piece i of 32 columns of B or rows of A.
static void pack_piece(const amx_matrix *x, pack_fn *fn, bool deep_down, const int64_t at[2],
                       const int64_t size[2], bf16 *to)
{
    amx_matrix half = *x;
    for (int h = 0; h <= (x->low != 0); h++) {
        half.at = x->at + h * x->low;
        pack_two(&half, fn, deep_down, at, size, to + h * 2 * AMX_TILE);
    }
}

// What is packed of B, or of A.
static pack_fn *fn_of(const amx_matrix *x, bool rows)
{
    if (rows)
        return x->turned ? rows_of_columns : rows_of_rows;
    return x->turned ? pairs_of_columns : pairs_of_rows;
}

static void pack_all(const amx_matrix *x, bool rows, const int64_t size[2], bf16 *to)
{
    for (int64_t j = 0; j < size[1]; j += AMX_WIDE)
        for (int64_t k = 0; k < size[0]; k += AMX_DEEP) {
            pack_piece(x, fn_of(x, rows), x->turned == rows, (const int64_t[]){k, j}, size, to);
            to += 2 * AMX_TILE * (x->low ? 2 : 1);
        }
}

static void pack_across(const amx_matrix *x, bool rows, int64_t i, const int64_t size[2], bf16 *to,
                        int64_t apart)
{
    to += i * 2 * AMX_TILE * (x->low ? 2 : 1);
    for (int64_t j = 0; j < size[1]; j += AMX_WIDE, to += apart)
        pack_piece(x, fn_of(x, rows), x->turned == rows, (const int64_t[]){i * AMX_DEEP, j}, size,
                   to);
}

void amx_pack(const amx_matrix *b, int64_t k, int64_t n, bf16 *to)
{
    pack_all(b, false, (const int64_t[]){k, n}, to);
}

void amx_pack_rows(const amx_matrix *a, int64_t m, int64_t k, bf16 *to)
{
    pack_all(a, true, (const int64_t[]){k, m}, to);
}

void amx_pack_piece(const amx_matrix *b, int64_t i, int64_t k, int64_t n, bf16 *to, int64_t apart)
{
    pack_across(b, false, i, (const int64_t[]){k, n}, to, apart);
}

void amx_pack_rows_piece(const amx_matrix *a, int64_t i, int64_t m, int64_t k, bf16 *to,
                         int64_t apart)
{
    pack_across(a, true, i, (const int64_t[]){k, m}, to, apart);
}
#endif
