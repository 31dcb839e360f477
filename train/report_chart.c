// SPDX-License-Identifier: GPL-3.0-or-later
// report_chart.c: line charts as SVG that needs nothing from outside. The vertical axis shows what
// varies, from tick to tick: zero is on it only where the values are near.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/report.h"
#include "train/report_chart.h"

enum { TICKS = 5, DOTS = 200 };

static const svg_plot frame = {
    .width = 400, .height = 240, .left = 46, .right = 12, .top = 32, .bottom = 34};

static void widen(svg_scale *r, double v)
{
    if (isfinite(v)) {
        r->lo = fmin(r->lo, v);
        r->hi = fmax(r->hi, v);
    }
}

// A line that does not rise or fall stands in the middle.
static void open_up(svg_scale *r)
{
    if (!isfinite(r->lo))
        *r = (svg_scale){0, 1, 0};
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

static void widen_by(const svg_series *s, svg_scale *x, svg_scale *y)
{
    for (int i = 0; i < s->curve->n; i++) {
        widen(x, s->curve->at[i].v[REPORT_EPOCH]);
        if (y)
            widen(y, s->curve->at[i].v[s->figure]);
    }
}

// Epochs from 0 to the last; values from a tick below the least to one above the largest.
static svg_plot plot_of(const svg_chart *c)
{
    svg_plot p = frame;
    svg_scale *x = &p.x, *y = &p.y;
    *x = (svg_scale){0, 0, 0}, *y = (svg_scale){INFINITY, -INFINITY, 0};
    for (int s = 0; s < c->n; s++)
        widen_by(&c->series[s], x, c->clip && c->series[s].colour < 0 ? NULL : y);
    bool grey = !isfinite(y->lo);
    for (int s = 0; s < c->n && grey; s++)
        widen_by(&c->series[s], x, y);
    x->hi = x->hi > 0 ? x->hi : 1;
    double room = (y->hi - y->lo) / 2;
    if (isfinite(y->lo) && c->baseline > y->lo - room && c->baseline < y->hi + room)
        widen(y, c->baseline);
    open_up(y);
    x->step = svg_step(x->hi - x->lo, TICKS), y->step = svg_step(y->hi - y->lo, TICKS);
    y->lo = floor(y->lo / y->step + 1e-9) * y->step, y->hi = ceil(y->hi / y->step - 1e-9) * y->step;
    return p;
}

static void x_tick(const svg_plot *p, double v, strbuf *out)
{
    char text[32];
    snprintf(text, sizeof text, "%.4g", v);
    svg_under(p, v, 14, v >= p->x.hi - p->x.step * 1e-6 ? "y" : "x", text, out);
}

static void grid(const svg_plot *p, strbuf *out)
{
    const svg_scale *x = &p->x, *y = &p->y;
    for (double v = y->lo; v <= y->hi + y->step * 1e-6; v += y->step) {
        char text[32];
        tick_text(fabs(v) < y->step * 1e-6 ? 0 : v, text);
        svg_level(p, v, "class=\"g\"", out);
        svg_beside(p->left - 5, svg_y(p, v) + 4, "y", text, out);
    }
    for (double v = 0; v < x->hi - x->step / 2; v += x->step)
        x_tick(p, v, out);
    x_tick(p, x->hi, out); // the end has a label of its own
}

static void line(const svg_series *s, const svg_plot *p, strbuf *out)
{
    const report_curve *c = s->curve;
    if (s->colour < 0)
        strbuf_printf(out, "<polyline class=\"grey\" points=\"");
    else
        strbuf_printf(out, "<polyline class=\"s%d%s\" points=\"", s->colour,
                      s->thin ? " thin" : "");
    for (int i = 0; i < c->n; i++)
        if (isfinite(c->at[i].v[s->figure]))
            strbuf_printf(out, "%.1f,%.1f ", svg_x(p, c->at[i].v[REPORT_EPOCH]),
                          svg_y(p, c->at[i].v[s->figure]));
    strbuf_printf(out, *s->name ? "\"><title>" : "\">");
    svg_escape(s->name, out);
    strbuf_printf(out, *s->name ? "</title></polyline>\n" : "</polyline>\n");
    for (int i = 0; s->dots && i < c->n && c->n <= DOTS; i++)
        if (isfinite(c->at[i].v[s->figure]))
            strbuf_printf(out,
                          "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.2\" class=\"f%d\"><title>epoch "
                          "%.4g: %.4g</title></circle>\n",
                          svg_x(p, c->at[i].v[REPORT_EPOCH]), svg_y(p, c->at[i].v[s->figure]),
                          s->colour, c->at[i].v[REPORT_EPOCH], c->at[i].v[s->figure]);
}

// Names of the lines, from the right edge leftwards.
static void legend(const svg_chart *c, strbuf *out)
{
    int right = frame.width - frame.right;
    for (int s = c->n - 1; s >= 0; s--) {
        if (!*c->series[s].name)
            continue;
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
static void marks(const svg_chart *c, const svg_plot *p, strbuf *out)
{
    if (c->baseline >= p->y.lo && c->baseline <= p->y.hi) {
        svg_level(p, c->baseline, "class=\"b\"", out);
        double at = svg_y(p, c->baseline); // its name below it where the edge is near
        svg_beside(p->left + 4, at + (at < p->top + 14 ? 11 : -4), "halo",
                   c->level ? c->level : "baseline", out);
    }
    if (isfinite(c->best_x) && c->best_y >= p->y.lo && c->best_y <= p->y.hi)
        strbuf_printf(out,
                      "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\" class=\"o\"><title>the "
                      "best</title></circle>\n",
                      svg_x(p, c->best_x), svg_y(p, c->best_y));
}

// Lines, cut off at the frame where it is not made for all of them.
static void lines(const svg_chart *c, const svg_plot *p, strbuf *out)
{
    if (c->clip)
        strbuf_printf(out,
                      "<clipPath id=\"in%d\"><rect x=\"%d\" y=\"%d\" width=\"%d\" "
                      "height=\"%d\"/></clipPath><g clip-path=\"url(#in%d)\">\n",
                      c->clip, p->left, p->top - 2, p->width - p->left - p->right + 2,
                      p->height - p->top - p->bottom + 4, c->clip);
    for (int s = 0; s < c->n; s++)
        line(&c->series[s], p, out);
    if (c->clip)
        strbuf_printf(out, "</g>\n");
}

void svg_line_chart(const svg_chart *c, strbuf *out)
{
    svg_plot p = plot_of(c);
    strbuf_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\"%s role=\"img\" "
                  "aria-label=\"",
                  p.width, p.height, c->alone ? " width=\"800\" height=\"480\"" : "");
    svg_escape(c->title, out);
    strbuf_printf(out, "\">\n");
    if (c->alone)
        strbuf_printf(out, "<style>%s</style>\n<rect width=\"%d\" height=\"%d\" class=\"bg\"/>\n",
                      report_style, p.width, p.height);
    strbuf_printf(out, "<text x=\"2\" y=\"17\" class=\"t\">");
    svg_escape(c->title, out);
    strbuf_printf(out, "</text>\n");
    if (!c->clip)
        legend(c, out);
    grid(&p, out);
    lines(c, &p, out);
    marks(c, &p, out);
    strbuf_printf(out, "<text x=\"%d\" y=\"%d\" class=\"x\">epoch</text>\n</svg>\n",
                  (p.left + p.width - p.right) / 2, p.height - 5);
}
