// SPDX-License-Identifier: GPL-3.0-or-later
// svg.h: pictures as text, SVG that needs nothing from outside. A plot is a picture with a scale
// upwards at its left edge and one to the right at its lower edge:
//
//     svg_plot p = {.width = 400, .height = 240, .left = 46, ..., .x = {0, 10}, .y = {0, 1}};
//     svg_level(&p, 0.5, "class=\"b\"", out);
//
// Whoever draws keeps the looks: classes and colours are attributes that the caller spells.
#ifndef KMIDI_BASE_SVG_H
#define KMIDI_BASE_SVG_H

#include "base/str.h"

typedef struct svg_scale {
    double lo, hi, step; // step: between two ticks
} svg_scale;

typedef struct svg_plot {
    int width, height, left, right, top, bottom; // of the picture; of the margins
    svg_scale x, y;
} svg_plot;

double svg_x(const svg_plot *p, double v);
double svg_y(const svg_plot *p, double v);
// 1, 2 or 5 times a power of ten, so that about `ticks` of them fit into `range`.
double svg_step(double range, int ticks);

// A picture on white with its own style. `more` are further attributes, each behind a space.
void svg_begin(int width, int height, const char *more, const char *style, strbuf *out);
// For texts inside HTML and SVG.
void svg_escape(const char *s, strbuf *out);
// The same of any bytes: what is not UTF-8 as \xff, what XML has no place for as question marks.
void svg_any_text(const char *s, strbuf *out);
// A line across the plot at `v` of its upward scale, and no end of line.
void svg_level(const svg_plot *p, double v, const char *look, strbuf *out);
// Words beside such a line; `class` may be NULL. They are written as they are.
void svg_beside(int x, double y, const char *class, const char *words, strbuf *out);
// Words under the plot at `v` of its scale to the right, `below` its edge.
void svg_under(const svg_plot *p, double v, int below, const char *class, const char *words,
               strbuf *out);

#endif
