// SPDX-License-Identifier: GPL-3.0-or-later
// report_chart.c: line charts as SVG that needs nothing from outside. The vertical axis shows what
// varies, from tick to tick: zero is on it only where the values are near.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/report.h"

enum {
    WIDTH = 400,
    HEIGHT = 240,
    LEFT = 46,
    RIGHT = 12,
    TOP = 32,
    BOTTOM = 34,
    TICKS = 5,
    DOTS = 200
};

void svg_escape(const char *s, strbuf *out)
{
    for (; *s; s++) {
        const char *as = *s == '<'   ? "&lt;"
                         : *s == '>' ? "&gt;"
                         : *s == '&' ? "&amp;"
                         : *s == '"' ? "&quot;"
                                     : NULL;
        strbuf_add(out, as ? as : s, as ? strlen(as) : 1);
    }
}

typedef struct range {
    double lo, hi, step;
} range;

static void widen(range *r, double v)
{
    if (isfinite(v)) {
        r->lo = fmin(r->lo, v);
        r->hi = fmax(r->hi, v);
    }
}

// 1, 2 or 5 times a power of ten, so that about TICKS of them fit.
static double tick_step(double lo, double hi)
{
    double raw = (hi - lo) / TICKS, power = pow(10, floor(log10(raw))), m = raw / power;
    return power * (m < 1.5 ? 1 : m < 3.5 ? 2 : m < 7.5 ? 5 : 10);
}

// A line that does not rise or fall stands in the middle.
static void open_up(range *r)
{
    if (!isfinite(r->lo))
        *r = (range){0, 1, 0};
    if (r->hi - r->lo <= 1e-6 * fabs(r->hi)) {
        double half = fabs(r->hi) > 0 ? fabs(r->hi) / 2 : 0.5;
        r->lo -= half, r->hi += half;
    }
}

// As short as it goes beside an axis: "0.0015", "3e-5".
static const char *tick_text(double v, char out[32])
{
    snprintf(out, 32, "%.4g", v);
    if (strlen(out) <= 6 && !strchr(out, 'e'))
        return out;
    snprintf(out, 32, "%.2e", v);
    char *e = strchr(out, 'e'), *digits = e + 1 + (e[1] == '-' || e[1] == '+');
    size_t zeros = strspn(digits, "0");
    memmove(digits, digits + zeros, strlen(digits + zeros) + 1);
    while (e > out && (e[-1] == '0' || e[-1] == '.') && memchr(out, '.', (size_t)(e - out)))
        memmove(e - 1, e, strlen(e) + 1), e--;
    return out;
}

// Epochs from 0 to the last; values from a tick below the least to one above the largest.
static void ranges(const svg_chart *c, range *x, range *y)
{
    *x = (range){0, 0, 0}, *y = (range){INFINITY, -INFINITY, 0};
    for (int s = 0; s < c->n; s++)
        for (int i = 0; i < c->series[s].curve->n; i++) {
            widen(x, c->series[s].curve->at[i].v[REPORT_EPOCH]);
            widen(y, c->series[s].curve->at[i].v[c->series[s].figure]);
        }
    x->hi = x->hi > 0 ? x->hi : 1;
    double room = (y->hi - y->lo) / 2;
    if (isfinite(y->lo) && c->baseline > y->lo - room && c->baseline < y->hi + room)
        widen(y, c->baseline);
    open_up(y);
    x->step = tick_step(x->lo, x->hi), y->step = tick_step(y->lo, y->hi);
    y->lo = floor(y->lo / y->step + 1e-9) * y->step, y->hi = ceil(y->hi / y->step - 1e-9) * y->step;
}

static double at_x(range r, double v)
{
    return LEFT + (v - r.lo) / (r.hi - r.lo) * (WIDTH - LEFT - RIGHT);
}
static double at_y(range r, double v)
{
    return HEIGHT - BOTTOM - (v - r.lo) / (r.hi - r.lo) * (HEIGHT - TOP - BOTTOM);
}

static void x_tick(range x, double v, strbuf *out)
{
    strbuf_printf(out, "<text x=\"%.1f\" y=\"%d\" class=\"%s\">%.4g</text>\n", at_x(x, v),
                  HEIGHT - BOTTOM + 14, v >= x.hi - x.step * 1e-6 ? "y" : "x", v);
}

static void grid(range x, range y, strbuf *out)
{
    for (double v = y.lo; v <= y.hi + y.step * 1e-6; v += y.step) {
        char text[32];
        tick_text(fabs(v) < y.step * 1e-6 ? 0 : v, text);
        strbuf_printf(out,
                      "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" class=\"g\"/><text "
                      "x=\"%d\" y=\"%.1f\" class=\"y\">%s</text>\n",
                      LEFT, WIDTH - RIGHT, at_y(y, v), at_y(y, v), LEFT - 5, at_y(y, v) + 4, text);
    }
    for (double v = 0; v < x.hi - x.step / 2; v += x.step)
        x_tick(x, v, out);
    x_tick(x, x.hi, out); // the end has a label of its own
}

static void line(const svg_series *s, range x, range y, strbuf *out)
{
    const report_curve *c = s->curve;
    strbuf_printf(out, "<polyline class=\"s%d\" points=\"", s->colour);
    for (int i = 0; i < c->n; i++)
        if (isfinite(c->at[i].v[s->figure]))
            strbuf_printf(out, "%.1f,%.1f ", at_x(x, c->at[i].v[REPORT_EPOCH]),
                          at_y(y, c->at[i].v[s->figure]));
    strbuf_printf(out, "\"/>\n");
    for (int i = 0; s->dots && i < c->n && c->n <= DOTS; i++)
        if (isfinite(c->at[i].v[s->figure]))
            strbuf_printf(out,
                          "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.2\" class=\"f%d\"><title>epoch "
                          "%.4g: %.4g</title></circle>\n",
                          at_x(x, c->at[i].v[REPORT_EPOCH]), at_y(y, c->at[i].v[s->figure]),
                          s->colour, c->at[i].v[REPORT_EPOCH], c->at[i].v[s->figure]);
}

// Names of the lines, from the right edge leftwards.
static void legend(const svg_chart *c, strbuf *out)
{
    int right = WIDTH - RIGHT;
    for (int s = c->n - 1; s >= 0; s--) {
        right -= 6 * (int)strlen(c->series[s].name) + 24;
        strbuf_printf(out,
                      "<rect x=\"%d\" y=\"8\" width=\"9\" height=\"9\" class=\"f%d\"/><text "
                      "x=\"%d\" y=\"16\">",
                      right, c->series[s].colour, right + 13);
        svg_escape(c->series[s].name, out);
        strbuf_printf(out, "</text>\n");
    }
}

// The best evaluation as a ring on the last line, the baseline as a dashed one.
static void marks(const svg_chart *c, range x, range y, strbuf *out)
{
    if (c->baseline >= y.lo && c->baseline <= y.hi)
        strbuf_printf(out,
                      "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" class=\"b\"/><text "
                      "x=\"%d\" y=\"%.1f\">baseline</text>\n",
                      LEFT, WIDTH - RIGHT, at_y(y, c->baseline), at_y(y, c->baseline), LEFT + 4,
                      at_y(y, c->baseline) - 4);
    const svg_series *s = &c->series[c->n - 1];
    for (int i = 0; i < s->curve->n && s->dots; i++) {
        const report_row *r = &s->curve->at[i];
        if (isfinite(r->v[s->figure]) && fabs(r->v[REPORT_EPOCH] - c->best_x) < 1e-9)
            strbuf_printf(out,
                          "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\" class=\"o\"><title>the "
                          "best</title></circle>\n",
                          at_x(x, r->v[REPORT_EPOCH]), at_y(y, r->v[s->figure]));
    }
}

void svg_line_chart(const svg_chart *c, strbuf *out)
{
    range x, y;
    ranges(c, &x, &y);
    strbuf_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\"%s role=\"img\" "
                  "aria-label=\"",
                  WIDTH, HEIGHT, c->alone ? " width=\"800\" height=\"480\"" : "");
    svg_escape(c->title, out);
    strbuf_printf(out, "\">\n");
    if (c->alone)
        strbuf_printf(out, "<style>%s</style>\n<rect width=\"%d\" height=\"%d\" class=\"bg\"/>\n",
                      report_style, WIDTH, HEIGHT);
    strbuf_printf(out, "<text x=\"2\" y=\"17\" class=\"t\">");
    svg_escape(c->title, out);
    strbuf_printf(out, "</text>\n");
    legend(c, out);
    grid(x, y, out);
    for (int s = 0; s < c->n; s++)
        line(&c->series[s], x, y, out);
    marks(c, x, y, out);
    strbuf_printf(out, "<text x=\"%d\" y=\"%d\" class=\"x\">epoch</text>\n</svg>\n",
                  (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 5);
}
