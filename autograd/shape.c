// SPDX-License-Identifier: GPL-3.0-or-later
// shape.c: sizes of formats, and sums over dimensions (shape.h).
#include "autograd/shape.h"

#include <stdio.h>

#include "base/err.h"

static const struct {
    size_t size;
    const char *name;
} dtypes[DT_COUNT] = {[DT_F32] = {4, "f32"},
                      [DT_BF16] = {2, "bf16"},
                      [DT_BF16X2] = {4, "bf16x2"},
                      [DT_I32] = {4, "i32"},
                      [DT_I8] = {1, "i8"}};

size_t dtype_size(dtype t)
{
    return dtypes[t].size;
}
const char *dtype_name(dtype t)
{
    return dtypes[t].name;
}

shape shape_make(size_t n, const int64_t *rank_and_dims)
{
    CHECK(n <= RANK_MAX && rank_and_dims[0] == (int64_t)n);
    shape s = {.rank = (int)n};
    for (size_t i = 0; i < n; i++)
        s.d[i] = rank_and_dims[1 + i];
    return s;
}

int64_t shape_count(shape s)
{
    int64_t n = 1;
    for (int i = 0; i < s.rank; i++)
        n *= s.d[i];
    return n;
}

int64_t shape_rows(shape s)
{
    int64_t n = 1;
    for (int i = 0; i + 1 < s.rank; i++)
        n *= s.d[i];
    return n;
}

bool shape_same(shape a, shape b)
{
    if (a.rank != b.rank)
        return false;
    for (int i = 0; i < a.rank; i++)
        if (a.d[i] != b.d[i])
            return false;
    return true;
}

const char *shape_text(shape s, char out[64])
{
    size_t n = 0;
    n += (size_t)snprintf(out, 64, "[");
    for (int i = 0; i < s.rank && n < 56; i++)
        n += (size_t)snprintf(out + n, 64 - n, "%s%lld", i ? ", " : "", (long long)s.d[i]);
    if (n < 63)
        snprintf(out + n, 64 - n, "]");
    return out;
}
