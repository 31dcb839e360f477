// SPDX-License-Identifier: GPL-3.0-or-later
// rng.h: counter-based random numbers, Philox4x32-10 (Salmon et al., "Parallel random numbers: as
// easy as 1, 2, 3", SC11).
//
// There is no state: a number is a function of (seed, stream, step, element). A dropout mask can
// therefore be recomputed instead of stored, any thread can make any element, and a resumed run
// needs nothing but its step.
//
//     rng r = rng_stream(seed, "dropout", layer);      // named streams never collide
//     float u = rng_uniform(r, step, i);               // in [0, 1)
#ifndef KMIDI_BASE_RNG_H
#define KMIDI_BASE_RNG_H

#include <stdint.h>

typedef struct rng {
    uint64_t seed;   // Philox key
    uint32_t stream; // fourth counter word
} rng;

void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

rng rng_stream(uint64_t seed, const char *name, uint32_t index);
uint32_t rng_u32(rng r, uint64_t step, uint32_t element);
// [0, 1), 24 bits
float rng_uniform(rng r, uint64_t step, uint32_t element);
// mean 0, deviation 1
double rng_normal(rng r, uint64_t step, uint32_t element);
uint32_t rng_below(rng r, uint64_t step, uint32_t element, uint32_t n); // [0, n), n > 0
// A pseudo-random permutation of [0, n) without a table: where item i of epoch `step` lies (Feistel
// network with cycle walking).
uint64_t rng_permute(rng r, uint64_t step, uint64_t i, uint64_t n);

#endif
