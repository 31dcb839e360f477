// SPDX-License-Identifier: GPL-3.0-or-later
// report_curve.c: curves of a bounded number of points: where there are more lines, a point is the
// mean of some (report.h).
#include <math.h>
#include <string.h>

#include "train/report.h"

report_curve report_curve_open(arena *a)
{
    report_curve c = {.at = NEW(a, report_row, REPORT_POINTS), .stride = 1};
    c.count = arena_alloc(a, REPORT_POINTS * sizeof *c.count, sizeof(int));
    return c;
}

// Means of two points, by how many lines each has.
static void join(const report_curve *c, int to, int x, int y)
{
    for (int f = 0; f < REPORT_FIGURES; f++) {
        int m = c->count[x][f], n = c->count[y][f];
        double a = m ? c->at[x].v[f] * m : 0, b = n ? c->at[y].v[f] * n : 0;
        c->at[to].v[f] = m + n ? (a + b) / (m + n) : NAN;
        c->count[to][f] = m + n;
    }
}

// The last point of an odd number stays by itself.
static void halve(report_curve *c)
{
    bool odd = c->n % 2;
    for (int i = 0; i < c->n / 2; i++)
        join(c, i, 2 * i, 2 * i + 1);
    if (odd)
        c->at[c->n / 2] = c->at[c->n - 1],
                     memcpy(c->count[c->n / 2], c->count[c->n - 1], sizeof *c->count);
    c->n = (c->n + 1) / 2;
    c->filling += odd ? 0 : c->stride;
    c->stride *= 2;
}

void report_thin(report_curve *c, int most)
{
    while (c->n > most)
        halve(c);
}

void report_curve_add(report_curve *c, const report_row *row)
{
    if (c->n && c->filling < c->stride) {
        c->filling++;
    } else {
        if (c->n == REPORT_POINTS)
            halve(c);
        memset(c->count[c->n], 0, sizeof *c->count);
        c->n++, c->filling = 1;
    }
    for (int f = 0; f < REPORT_FIGURES; f++) {
        int n = c->count[c->n - 1][f];
        double *mean = &c->at[c->n - 1].v[f];
        if (isfinite(row->v[f]))
            *mean = n ? *mean + (row->v[f] - *mean) / (n + 1) : row->v[f], c->count[c->n - 1][f]++;
        else if (!n)
            *mean = NAN;
    }
}
