// SPDX-License-Identifier: GPL-3.0-or-later
// feature_ends.h: what feature.c and feature_stream.c share: how a signal goes on beyond its ends.
#ifndef KMIDI_DATA_FEATURES_FEATURE_ENDS_H
#define KMIDI_DATA_FEATURES_FEATURE_ENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Which of n samples stands at place i, -1 for a zero. Reflection turns at the first and the last
// sample as often as it takes (numpy's "reflect").
static inline int64_t feature_fold(bool reflect, int64_t i, int64_t n)
{
    if (i >= 0 && i < n)
        return i;
    if (!reflect)
        return -1;
    if (n == 1)
        return 0;
    int64_t period = 2 * (n - 1), m = (i % period + period) % period;
    return m < n ? m : period - m;
}

static inline size_t feature_round(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

#endif
