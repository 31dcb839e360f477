// SPDX-License-Identifier: GPL-3.0-or-later
// report_svg.c: line charts and a confusion matrix as SVG that needs nothing from outside.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/report.h"

enum { WIDTH = 640, HEIGHT = 300, LEFT = 56, RIGHT = 16, TOP = 34, BOTTOM = 40, TICKS = 5 };

void svg_escape(const char *s, strbuf *out)
{
    for (; *s; s++) {
        const char *as = *s == '<' ? "&lt;" : *s == '>' ? "&gt;" : *s == '&' ? "&amp;" : *s == '"' ? "&quot;" : NULL;
        strbuf_add(out, as ? as : s, as ? strlen(as) : 1);
    }
}

typedef struct range {
    double lo, hi;
} range;

static void widen(range *r, double v)
{
    if (isfinite(v)) {
        r->lo = fmin(r->lo, v);
        r->hi = fmax(r->hi, v);
    }
}

static void ranges(const svg_chart *c, range *x, range *y)
{
    *x = *y = (range){INFINITY, -INFINITY};
    for (int s = 0; s < c->n; s++)
        for (int i = 0; i < c->series[s].n; i++)
            widen(x, c->series[s].x[i]), widen(y, c->series[s].y[i]);
    if (c->from_zero)
        widen(y, 0);
    if (!(x->hi > x->lo))
        *x = isfinite(x->lo) ? (range){x->lo - 1, x->lo + 1} : (range){0, 1};
    if (!(y->hi > y->lo))
        *y = isfinite(y->lo) ? (range){y->lo - 0.5, y->lo + 0.5} : (range){0, 1};
}

// 1, 2 or 5 times a power of ten, so that about TICKS of them fit.
static double tick_step(range r)
{
    double raw = (r.hi - r.lo) / TICKS, power = pow(10, floor(log10(raw))), m = raw / power;
    return power * (m < 1.5 ? 1 : m < 3.5 ? 2 : m < 7.5 ? 5 : 10);
}

static double at_x(range r, double v)
{
    return LEFT + (v - r.lo) / (r.hi - r.lo) * (WIDTH - LEFT - RIGHT);
}
static double at_y(range r, double v)
{
    return HEIGHT - BOTTOM - (v - r.lo) / (r.hi - r.lo) * (HEIGHT - TOP - BOTTOM);
}

static void grid(range x, range y, strbuf *out)
{
    double step = tick_step(y);
    for (double v = ceil(y.lo / step) * step; v <= y.hi + step * 1e-9; v += step) {
        double shown = fabs(v) < step * 1e-6 ? 0 : v;
        strbuf_printf(out,
                      "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" class=\"g\"/><text x=\"%d\" y=\"%.1f\" class=\"y\">%.4g</text>\n",
                      LEFT, WIDTH - RIGHT, at_y(y, v), at_y(y, v), LEFT - 6, at_y(y, v) + 4, shown);
    }
    step = tick_step(x);
    for (double v = ceil(x.lo / step) * step; v <= x.hi + step * 1e-9; v += step)
        strbuf_printf(out, "<text x=\"%.1f\" y=\"%d\" class=\"x\">%.6g</text>\n", at_x(x, v), HEIGHT - BOTTOM + 16,
                      fabs(v) < step * 1e-6 ? 0 : v);
}

static void line(const svg_series *s, range x, range y, strbuf *out)
{
    strbuf_printf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.6\" points=\"", s->colour);
    for (int i = 0; i < s->n; i++)
        if (isfinite(s->y[i]))
            strbuf_printf(out, "%.1f,%.1f ", at_x(x, s->x[i]), at_y(y, s->y[i]));
    strbuf_printf(out, "\"/>\n");
    for (int i = 0; s->dots && i < s->n && s->n <= 200; i++)
        if (isfinite(s->y[i]))
            strbuf_printf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.2\" fill=\"%s\"/>\n", at_x(x, s->x[i]), at_y(y, s->y[i]), s->colour);
}

static const char style[] =
    "<style>text{font:12px system-ui,sans-serif;fill:#444}.t{font-weight:600;font-size:14px;fill:#222}.g{stroke:#ddd}"
    ".y{text-anchor:end}.x,.m{text-anchor:middle}</style>\n";

void svg_line_chart(const svg_chart *c, strbuf *out)
{
    range x, y;
    ranges(c, &x, &y);
    strbuf_printf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n%s", WIDTH, HEIGHT,
                  WIDTH, HEIGHT, style);
    strbuf_printf(out, "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n<text x=\"%d\" y=\"20\" class=\"t\">", WIDTH, HEIGHT, LEFT);
    svg_escape(c->title, out);
    strbuf_printf(out, "</text>\n");
    grid(x, y, out);
    for (int s = 0; s < c->n; s++) {
        line(&c->series[s], x, y, out);
        int right = WIDTH - RIGHT - 110 * (c->n - s);
        strbuf_printf(out, "<rect x=\"%d\" y=\"12\" width=\"10\" height=\"10\" fill=\"%s\"/><text x=\"%d\" y=\"21\">", right,
                      c->series[s].colour, right + 15);
        svg_escape(c->series[s].name, out);
        strbuf_printf(out, "</text>\n");
    }
    strbuf_printf(out, "<text x=\"%d\" y=\"%d\" class=\"m\">", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6);
    svg_escape(c->x_label, out);
    strbuf_printf(out, "</text>\n</svg>\n");
}

static void cell(long long count, long long row, int x, int y, int size, strbuf *out)
{
    double share = row ? (double)count / (double)row : 0;
    strbuf_printf(out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"#1f6fb4\" fill-opacity=\"%.3f\" stroke=\"#ddd\"/>", x, y,
                  size, size, share);
    strbuf_printf(out, "<text x=\"%d\" y=\"%d\" class=\"m\"%s>%lld</text>\n", x + size / 2, y + size / 2 + 4,
                  share > 0.6 ? " style=\"fill:#fff\"" : "", count);
}

void svg_confusion(const long long *counts, int n, const char *const *names, strbuf *out)
{
    enum { LABELS = 120 };
    int size = n <= 8 ? 56 : n <= 20 ? 36 : 24, side = LABELS + n * size + 10;
    strbuf_printf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n%s", side, side - 60,
                  side, side - 60, style);
    strbuf_printf(out,
                  "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n<text x=\"10\" y=\"20\" class=\"t\">confusion: rows are true</text>\n",
                  side, side - 60);
    for (int i = 0; i < n; i++) {
        long long row = 0;
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        const char *name = names ? names[i] : number;
        for (int j = 0; j < n; j++)
            row += counts[i * n + j];
        strbuf_printf(out, "<text x=\"%d\" y=\"%d\" class=\"y\">", LABELS - 8, 60 + i * size + size / 2 + 4);
        svg_escape(name, out);
        strbuf_printf(out, "</text><text x=\"%d\" y=\"52\" class=\"m\">", LABELS + i * size + size / 2);
        svg_escape(n <= 8 ? name : number, out);
        strbuf_printf(out, "</text>\n");
        for (int j = 0; j < n; j++)
            cell(counts[i * n + j], row, LABELS + j * size, 60 + i * size, size, out);
    }
    strbuf_printf(out, "</svg>\n");
}
