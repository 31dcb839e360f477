// SPDX-License-Identifier: GPL-3.0-or-later
// rng.c: Philox4x32-10 (Salmon et al. 2011, section 3.4 and table 2), and what is made of its
// words.
//
// How a number finds its words: the key is the seed mixed with a hash of the stream's name; the
// counter is (element / 4, step low, step high, stream index), and element % 4 picks one of the
// four words, so that filling a mask costs a quarter of a Philox a number. Normals and bounded
// integers need more bits an element: they take a counter of their own, set apart by the upper bits
// of the fourth word. Permutations are drawn for every row that is learnt from: their rounds are a
// finaliser each, a tenth of a Philox.
#include "base/rng.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/philox.h"

enum { FEISTEL_ROUNDS = 6, FEISTEL_HALF_LEAST = 4 };
static const uint32_t LANE_NORMAL = 0x80000000u, LANE_BELOW = 0x40000000u, LANE_LEAST = 0x20000000u;

void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    philox_rounds(counter[0], counter[1], counter[2], counter[3], key[0], key[1], out);
}

// Finaliser of splitmix64 (Steele et al. 2014): nearby seeds give keys that share nothing.
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

rng rng_stream(uint64_t seed, const char *name, uint32_t index)
{
    CHECK(index < LANE_LEAST);
    uint64_t h = 0xcbf29ce484222325u; // FNV-1a
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    return (rng){mix(seed + 0x9E3779B97F4A7C15u) ^ mix(h), index};
}

uint32_t rng_u32(rng r, uint64_t step, uint32_t element)
{
    uint32_t w[4];
    rng_words(r, step, element / 4, 0, w);
    return w[element % 4];
}

float rng_uniform(rng r, uint64_t step, uint32_t element)
{
    return (float)(rng_u32(r, step, element) >> 8) * 0x1p-24f;
}

// Box and Muller (1958), with 53 bits for the radius and 32 for the angle; u is never 0.
double rng_normal(rng r, uint64_t step, uint32_t element)
{
    uint32_t w[4];
    rng_words(r, step, element, LANE_NORMAL, w);
    double u = ((double)((uint64_t)w[0] << 21 | w[1] >> 11) + 1) * 0x1p-53, turn = w[2] * 0x1p-32;
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * turn);
}

// The upper word of a 64-bit fraction times n: the bias is below n / 2^64.
uint32_t rng_below(rng r, uint64_t step, uint32_t element, uint32_t n)
{
    CHECK(n > 0);
    uint32_t w[4];
    rng_words(r, step, element, LANE_BELOW, w);
    return (uint32_t)(((uint64_t)w[0] * n + ((uint64_t)w[1] * n >> 32)) >> 32);
}

// One pass of the Feistel network over 2 * half bits: a bijection whatever the round function is.
static uint64_t feistel(uint64_t key, uint64_t x, int half)
{
    uint64_t mask = ((uint64_t)1 << half) - 1, left = x >> half, right = x & mask;
    for (int round = 0; round < FEISTEL_ROUNDS; round++) {
        uint64_t next = (left ^ mix(right + key)) & mask;
        left = right, right = next;
        key += 0x9E3779B97F4A7C15u;
    }
    return left << half | right;
}

// The network's domain is the power of four above n; walking on until the value lies below n keeps
// it a bijection (Black and Rogaway 2002). Domains below 256 would have too few permutations, so
// small n walk a little more.
uint64_t rng_permute(rng r, uint64_t step, uint64_t i, uint64_t n)
{
    CHECK(i < n);
    int half = FEISTEL_HALF_LEAST;
    uint64_t key = mix(r.seed ^ mix(step + (uint64_t)r.stream * 0x9E3779B97F4A7C15u));
    while (half < 32 && n > (uint64_t)1 << 2 * half)
        half++;
    do
        i = feistel(key, i, half);
    while (i >= n);
    return i;
}
