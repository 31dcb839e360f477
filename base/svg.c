// SPDX-License-Identifier: GPL-3.0-or-later
// svg.c: places of a plot, and the few elements that pictures are made of (svg.h).
#include "base/svg.h"

#include <math.h>
#include <string.h>

double svg_x(const svg_plot *p, double v)
{
    return p->left + (v - p->x.lo) / (p->x.hi - p->x.lo) * (p->width - p->left - p->right);
}

double svg_y(const svg_plot *p, double v)
{
    return p->height - p->bottom -
           (v - p->y.lo) / (p->y.hi - p->y.lo) * (p->height - p->top - p->bottom);
}

double svg_step(double range, int ticks)
{
    double raw = range / ticks, power = pow(10, floor(log10(raw))), m = raw / power;
    return power * (m < 1.5 ? 1 : m < 3.5 ? 2 : m < 7.5 ? 5 : 10);
}

void svg_begin(int width, int height, const char *more, const char *style, strbuf *out)
{
    strbuf_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
                  "height=\"%d\"%s>\n<style>%s</style>\n"
                  "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
                  width, height, width, height, more, style, width, height);
}

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

void svg_any_text(const char *s, strbuf *out)
{
    arena a = {.name = "text"};
    char *copy = arena_strdup(&a, str_utf8_escape(&a, s));
    for (char *p = copy; *p; p++)
        *p = (unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p;
    svg_escape(copy, out);
    arena_free(&a);
}

void svg_level(const svg_plot *p, double v, const char *look, strbuf *out)
{
    double y = svg_y(p, v);
    strbuf_printf(out, "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" %s/>", p->left,
                  p->width - p->right, y, y, look);
}

void svg_beside(int x, double y, const char *class, const char *words, strbuf *out)
{
    strbuf_printf(out, "<text x=\"%d\" y=\"%.1f\"%s%s%s>%s</text>\n", x, y,
                  class ? " class=\"" : "", class ? class : "", class ? "\"" : "", words);
}

void svg_under(const svg_plot *p, double v, int below, const char *class, const char *words,
               strbuf *out)
{
    strbuf_printf(out, "<text x=\"%.1f\" y=\"%d\" class=\"%s\">%s</text>\n", svg_x(p, v),
                  p->height - p->bottom + below, class, words);
}
