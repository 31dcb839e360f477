// SPDX-License-Identifier: GPL-3.0-or-later
// example_window.c: cutting, standardising, varying and masking (example_window.h).
#include "data/loader/example_window.h"

#include <string.h>

#include "data/loader/loader.h"

// Where mask `r` lies on an axis of `size`: its width is uniform in 0..width, its place uniform in
// what remains.
static int64_t mask(rng r, const example_piece *p, int width, int64_t size, int64_t *n)
{
    uint32_t element = (uint32_t)p->position * 2;
    int64_t most = width < size ? width : size;
    *n = rng_below(r, p->epoch, element, (uint32_t)most + 1);
    return rng_below(r, p->epoch, element + 1, (uint32_t)(size - *n) + 1);
}

static void mask_row(const example *x, const example_piece *p, float *row)
{
    int64_t bands = x->width, n;
    for (int i = 0; i < x->freq_masks; i++) {
        int64_t from = mask(x->freq[i], p, x->freq_width, bands, &n);
        for (int64_t t = 0; t < x->window; t++)
            memset(row + t * bands + from, 0, (size_t)n * sizeof *row);
    }
    for (int i = 0; i < x->time_masks; i++) {
        int64_t from = mask(x->time[i], p, x->time_width, x->window, &n);
        memset(row + from * bands, 0, (size_t)(n * bands) * sizeof *row);
    }
}

void example_window(const example *x, const example_piece *p, float *out)
{
    loader_row(p->rows, p->n, 0, x->window, x->width, x->mean, x->deviation, out);
    augment_mel_row(&x->mel, x->louder, p->epoch, p->position, x->deviation, p->n, x->width,
                    out + (x->window - p->n) * x->width);
    mask_row(x, p, out);
}
