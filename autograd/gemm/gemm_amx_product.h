// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_amx_product.h: a product by AMX shared out among threads. Both matrices are packed once
// (gemm_amx.h), A only where it does not lie well, then C is made a tile at a time: what serial
// products of slabs would pack again for each slab costs as much as a third of the product.
#ifndef KMIDI_AUTOGRAD_GEMM_GEMM_AMX_PRODUCT_H
#define KMIDI_AUTOGRAD_GEMM_GEMM_AMX_PRODUCT_H

#include "autograd/gemm/gemm_amx.h"

// K goes by in chunks, one after the other, each a product of its own that is added to C; what
// follows is of a chunk, but the room.
int64_t amx_product_chunks(const gemm_bf16 *p);
gemm_bf16 amx_product_chunk(const gemm_bf16 *p, int64_t index);

int64_t amx_product_room(const gemm_bf16 *p);  // numbers of what is packed, of any chunk
int64_t amx_product_packs(const gemm_bf16 *p); // items to pack
void amx_product_pack(const gemm_bf16 *p, bf16 *room, int64_t item);

int64_t amx_product_tiles(const gemm_bf16 *p);
// Which part of C tile `index` is, as p says C: its m, n and c.
gemm_bf16 amx_product_tile(const gemm_bf16 *p, int64_t index);
// That part by what was packed.
void amx_product_multiply(const gemm_bf16 *p, const bf16 *room, int64_t index);

// Rows of A where they lie, or packed where they are transposed, end within 32 numbers or lie
// badly.
bool amx_packs_rows(const gemm_bf16 *p);

#endif
