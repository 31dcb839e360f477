// SPDX-License-Identifier: GPL-3.0-or-later
// philox.h: Philox4x32-10 (Salmon et al. 2011, section 3.4 and table 2) for the inside of loops:
// ten rounds without a branch, which vectorise where blocks are drawn one after another. How a
// number finds its block is told in rng.c.
#ifndef KMIDI_BASE_PHILOX_H
#define KMIDI_BASE_PHILOX_H

#include "base/rng.h"

static inline void philox_rounds(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0,
                                 uint32_t k1, uint32_t out[4])
{
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1, c3 = (uint32_t)p0, c0 = n0, c2 = n2;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

// The four words of block `low` of a stream. `lane`: bits that set special uses apart (rng.c); 0
// for rng_u32.
static inline void rng_words(rng r, uint64_t step, uint32_t low, uint32_t lane, uint32_t out[4])
{
    philox_rounds(low, (uint32_t)step, (uint32_t)(step >> 32), r.stream ^ lane, (uint32_t)r.seed,
                  (uint32_t)(r.seed >> 32), out);
}

// Many of rng_u32 (rng.h), block by block: out[4 i .. 4 i + 3] are elements 4 (first + i) and on.
static inline void rng_fill_blocks(rng r, uint64_t step, uint32_t first, uint32_t *restrict out,
                                   uint32_t blocks)
{
    for (uint32_t i = 0; i < blocks; i++) {
        uint32_t w[4];
        rng_words(r, step, first + i, 0, w);
        out[4 * i] = w[0], out[4 * i + 1] = w[1], out[4 * i + 2] = w[2], out[4 * i + 3] = w[3];
    }
}

#endif
