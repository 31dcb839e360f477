// SPDX-License-Identifier: GPL-3.0-or-later
// larger.h: the largest of many sizes, one by one.
#ifndef KMIDI_BASE_LARGER_H
#define KMIDI_BASE_LARGER_H

// A NaN stays, where fmax would drop it and call a broken sum well. And gcc 12's vectoriser for
// aarch64 dies on loops of fmax over floats that are widened (tests/layering.c looks for them).
static inline double larger(double most, double d)
{
    return d > most || d != d ? d : most;
}

#endif
