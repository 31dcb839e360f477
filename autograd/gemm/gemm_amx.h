// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_amx.h: products of bf16 by the tile registers of AMX (Intel 64 and IA-32 Architectures
// Optimization Reference Manual, chapter 20). Inside autograd/gemm and for operations that multiply
// by tiles themselves (autograd/ops/conv_bands.h, few_amx.h).
//
// A tile is 16 rows of 64 bytes: 16 rows of A, 32 numbers each; or of B 16 pairs of rows, one
// number of each of a pair beside the other, of 16 columns; or 16 x 16 sums in f32. A block is two
// tiles of A by two of B. B is packed before: panels of 32 columns, of each panel 32 rows after
// 32 rows (with pairs the high halves, then the low ones), of those the two tiles. A is read where
// it lies, as long as 32 numbers lie together.
//
// An element is summed over k in pieces of 32, in order, whatever block it falls into, so results
// depend on no tiling. Denormals are zero.
#ifndef KMIDI_AUTOGRAD_GEMM_GEMM_AMX_H
#define KMIDI_AUTOGRAD_GEMM_GEMM_AMX_H

#include "autograd/gemm/gemm_bf16.h"

enum { AMX_SIDE = 16, AMX_DEEP = 32, AMX_WIDE = 2 * AMX_SIDE, AMX_TILE = AMX_SIDE * AMX_DEEP };

// How long rows are, and how many there are, of each register; as LDTILECFG reads it.
typedef struct amx_shape {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} amx_shape;
_Static_assert(sizeof(amx_shape) == 64, "LDTILECFG reads 64 bytes");

// Loads and stores of tiles say nothing to gcc of the memory that they touch.
#define AMX_MEMORY __asm__ volatile("" ::: "memory")

bool gemm_amx_ready(void);         // the CPU has it, with AVX-512, and the system grants it
void gemm_amx(const gemm_bf16 *p); // as gemm_bf16_serial

// Numbers of a packed B of k rows and n columns.
static inline int64_t amx_packed(int64_t k, int64_t n, bool pairs)
{
    int64_t deep = (k + AMX_DEEP - 1) / AMX_DEEP, panels = (n + AMX_WIDE - 1) / AMX_WIDE;
    return panels * deep * 2 * AMX_TILE * (pairs ? 2 : 1);
}

// A matrix of bf16 or of pairs, of which `low` says how far behind the low halves are (0: none).
typedef struct amx_matrix {
    const bf16 *at;
    int64_t ld, low;
    bool turned; // read transposed
} amx_matrix;

// Panels of op(b) [k, n], zeros beyond both; `to` is aligned to 64 bytes.
void amx_pack(const amx_matrix *b, int64_t k, int64_t n, bf16 *to);
// Up to 32 rows of op(a) [m, k] as amx_multiply takes them with `places` of 2 tiles apart.
void amx_pack_rows(const amx_matrix *a, int64_t m, int64_t k, bf16 *to);

// Piece i of k alone, 32 rows of op(b) or columns of op(a), of all panels of b or of every 32 rows
// of a, which are `apart` numbers from each other: a matrix that is read along its rows is packed
// so.
void amx_pack_piece(const amx_matrix *b, int64_t i, int64_t k, int64_t n, bf16 *to, int64_t apart);
void amx_pack_rows_piece(const amx_matrix *a, int64_t i, int64_t m, int64_t k, bf16 *to,
                         int64_t apart);

// C (+)= A B of up to two tiles of rows and one panel.
typedef struct amx_block {
    const bf16 *a[2]; // the first row of each tile; the second NULL: there is one
    int64_t step;     // numbers from a row to the next
    // where the 32 numbers of each piece of k begin in a row
    const int32_t *places;
    int64_t low;   // of pairs: how far behind the low halves of A are; else 0
    const bf16 *b; // a panel
    int64_t deep;  // pieces of k
    float *c[2];
    int64_t ldc;
    int rows[2], cols; // 1 .. 16 rows of a tile, 0 where there is none; 1 .. 32 columns
    bool add;
} amx_block;

// What the tile registers are set up for: {0} before the first block, and given back behind the
// last: with tiles in use the system saves 8 KiB more at each change of threads.
typedef struct amx_state {
    uint32_t shape;
} amx_state;
void amx_multiply(amx_state *s, const amx_block *q);
void amx_done(amx_state *s);

#endif
