// SPDX-License-Identifier: GPL-3.0-or-later
// element.c: from little-endian bytes to f32.
#include "export/element.h"

#include <stddef.h>
#include <string.h>

#include "base/f16.h"

static float from_f32(const uint8_t *b)
{
    float x;
    memcpy(&x, b, sizeof x);
    return x;
}

static float from_f64(const uint8_t *b)
{
    double x;
    memcpy(&x, b, sizeof x);
    return (float)x;
}

static float from_bf16(const uint8_t *b)
{
    uint32_t bits = (uint32_t)b[0] << 16 | (uint32_t)b[1] << 24;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float from_f16(const uint8_t *b)
{
    return f16_widen((f16)(b[0] | (unsigned)b[1] << 8));
}

// What torch counts by (num_batches_tracked): exact in f32 up to 2^24.
static float from_i64(const uint8_t *b)
{
    uint64_t n = 0;
    for (int i = 0; i < 8; i++)
        n |= (uint64_t)b[i] << 8 * i;
    int64_t x;
    memcpy(&x, &n, sizeof x);
    return (float)x;
}

static const element elements[] = {
    {"F32", 32, from_f32, false},    {"F64", 64, from_f64, false}, {"F16", 16, from_f16, false},
    {"BF16", 16, from_bf16, false},  {"I64", 64, from_i64, true},  {"BOOL", 8, NULL, false},
    {"U8", 8, NULL, false},          {"I8", 8, NULL, false},       {"F8_E5M2", 8, NULL, false},
    {"F8_E4M3", 8, NULL, false},     {"F8_E8M0", 8, NULL, false},  {"F8_E4M3FNUZ", 8, NULL, false},
    {"F8_E5M2FNUZ", 8, NULL, false}, {"I16", 16, NULL, false},     {"U16", 16, NULL, false},
    {"I32", 32, NULL, false},        {"U32", 32, NULL, false},     {"U64", 64, NULL, false},
    {"C64", 64, NULL, false},        {"F4", 4, NULL, false},       {"F6_E2M3", 6, NULL, false},
    {"F6_E3M2", 6, NULL, false},
};

const element *element_find(const char *name)
{
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (name && !strcmp(elements[i].name, name))
            return &elements[i];
    return NULL;
}
