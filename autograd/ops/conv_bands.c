// SPDX-License-Identifier: GPL-3.0-or-later
// conv_bands.c: pictures cut into bands, and their products (conv_bands.h).
#include "autograd/ops/conv_bands.h"

enum {
    BAND_BYTES = 1 << 18,  // about
    GROUP_BYTES = 1 << 20, // of packed filters
    // pieces of 32 numbers that are added up at a time: a panel's then stay in the first cache
    PIECES = 16
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t parts(int64_t n, int64_t of)
{
    return (n + of - 1) / of;
}

static int64_t width_of(const windows *w)
{
    return (w->across - 1) * w->step + w->kw;
}

// Pixels' rows that so many rows of windows reach.
static int64_t reach(const windows *w, int64_t rows)
{
    return (rows - 1) * w->step + w->kh;
}

bands bands_of(const windows *w, int64_t pictures, int64_t numbers, int64_t columns, bool pairs)
{
    int64_t halves = pairs ? 2 : 1, row = width_of(w) * w->c * (int64_t)sizeof(bf16) * halves,
            rows = (BAND_BYTES / row - w->kh) / w->step + 1,
            panel = numbers * AMX_WIDE * (int64_t)sizeof(bf16) * halves;
    bands b = {.w = *w,
               .numbers = numbers,
               .columns = columns,
               .pairs = pairs,
               .pictures = pictures,
               .panels = parts(columns, AMX_WIDE)};
    b.rows = least(rows < 1 ? 1 : rows, w->down);
    b.of_picture = parts(w->down, b.rows);
    b.rows = parts(w->down, b.of_picture);
    b.of_group = least(panel < GROUP_BYTES ? GROUP_BYTES / panel : 1, b.panels);
    b.groups = parts(b.panels, b.of_group);
    return b;
}

int64_t bands_items(const bands *b)
{
    return b->groups * b->pictures * b->of_picture;
}

band_item bands_at(const bands *b, int64_t item)
{
    int64_t all = b->pictures * b->of_picture, group = item / all, row = item % b->of_picture;
    return (band_item){item % all / b->of_picture,
                       {row * b->rows, least((row + 1) * b->rows, b->w.down)},
                       {group * b->of_group, least((group + 1) * b->of_group, b->panels)}};
}

int64_t band_numbers(const bands *b)
{
    return reach(&b->w, b->rows) * width_of(&b->w) * b->w.c * (b->pairs ? 2 : 1);
}

static void fill(const band *b, const windows *w, const bf16 *picture, int64_t rows, bf16 *to)
{
    int64_t n = b->width * w->c, length = w->w * w->c;
    for (int64_t r = 0; r < rows; r++, to += n) {
        int64_t y = b->top + r;
        if (y >= 0 && y < w->h)
            clipped_copy((char *)to, (const char *)(picture + y * length), b->left * w->c, n,
                         length, sizeof *to);
        else
            memset(to, 0, (size_t)n * sizeof *to);
    }
}

band band_of(const bands *all, const band_item *i, const bf16 *x, int64_t x_low, bf16 *to)
{
    const windows *w = &all->w;
    int64_t rows = reach(w, i->rows[1] - i->rows[0]);
    band b = {
        .at = to, .top = w->top + i->rows[0] * w->step, .left = w->left, .width = width_of(w)};
    x += i->picture * w->h * w->w * w->c;
    fill(&b, w, x, rows, to);
    if (x_low) {
        b.low = rows * b.width * w->c;
        fill(&b, w, x + x_low, rows, to + b.low);
    }
    return b;
}

// All windows of an item by what *q says of the filters: two tiles after two.
static void multiply_tiles(amx_state *s, amx_block *q, const band *b, const taps *t,
                           const band_item *at, int64_t column)
{
    const windows *w = &t->w;
    int64_t i = at->rows[0], end = least(at->rows[1], w->down), j = 0;
    while (i < end && w->across > 0) {
        for (int h = 0; h < 2; h++) {
            int64_t row = w->top + i * w->step - b->top, left = w->left + j * w->step - b->left;
            bool there = i < end;
            q->rows[h] = there ? (int)least(AMX_SIDE, w->across - j) : 0;
            q->a[h] = there ? b->at + (row * b->width + left) * w->c : b->at;
            q->c[h] = t->y + (there ? i * t->row + j * t->pixel + column : 0);
            j += AMX_SIDE;
            if (j >= w->across)
                j = 0, i++;
        }
        amx_multiply(s, q);
    }
}

void band_multiply(const band *b, const taps *t, const band_item *at)
{
    const windows *w = &t->w;
    int64_t of_tap = w->c / AMX_DEEP, deep = w->kh * w->kw * of_tap,
            piece = 2 * AMX_TILE * (b->low ? 2 : 1), k = 0;
    amx_state s = {0};
    for (int64_t panel = at->panels[0]; panel < at->panels[1]; panel++, k = 0)
        do {
            int32_t places[PIECES];
            int64_t n = least(PIECES, deep - k);
            for (int64_t i = 0; i < n; i++) {
                int64_t tap = (k + i) / of_tap;
                places[i] = (int32_t)((tap / w->kw * b->width + tap % w->kw) * w->c +
                                      (k + i) % of_tap * AMX_DEEP);
            }
            amx_block q = {.step = w->step * w->c,
                           .places = places,
                           .low = b->low,
                           .b = t->f + (panel * deep + k) * piece,
                           .deep = n,
                           .ldc = t->pixel,
                           .cols = (int)least(AMX_WIDE, t->columns - panel * AMX_WIDE),
                           .add = k > 0};
            multiply_tiles(&s, &q, b, t, at, panel * AMX_WIDE);
            k += PIECES;
        } while (k < deep);
    amx_done(&s);
}
