// SPDX-License-Identifier: GPL-3.0-or-later
// cloud_write.c: clouds as text (cloud_write.h). PLY: Turk, "The PLY Polygon File Format" (1994).
#include "data/music/cloud_write.h"

#include <math.h>
#include <stdlib.h>

#include "base/svg.h"
#include "data/music/cloud.h"

// ---- Numbers

static void list(const char *name, const float *points, int first, int count, const char *end,
                 strbuf *out)
{
    strbuf_printf(out, "\"%s\": [", name);
    for (int i = 0; i < CLOUD_POINTS; i++)
        for (int k = 0; k < count; k++)
            strbuf_printf(out, "%s%.5g%s",
                          k   ? ", "
                          : i ? ",\n["
                              : "\n[",
                          (double)points[i * CLOUD_WIDTH + first + k], k == count - 1 ? "]" : "");
    strbuf_printf(out, "\n]%s", end);
}

void cloud_json(const float *points, strbuf *out)
{
    strbuf_printf(out, "{\"points\": %d,\n", CLOUD_POINTS);
    list("positions", points, CLOUD_X, 3, ",\n", out);
    list("colors", points, CLOUD_RED, 4, ",\n", out);
    list("properties", points, CLOUD_SIZE, 3, "}\n", out);
}

static double within(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

static int byte_of(float x)
{
    return (int)lround(255 * within((double)x, 0, 1));
}

void cloud_ply(const float *points, strbuf *out)
{
    strbuf_printf(out,
                  "ply\nformat ascii 1.0\ncomment a cloud of kmidi: x is time, y pitch\n"
                  "element vertex %d\nproperty float x\nproperty float y\nproperty float z\n"
                  "property uchar red\nproperty uchar green\nproperty uchar blue\n"
                  "property uchar alpha\nproperty float size\nproperty float glow\n"
                  "property float depth\nend_header\n",
                  CLOUD_POINTS);
    for (const float *p = points; p < points + CLOUD_POINTS * CLOUD_WIDTH; p += CLOUD_WIDTH)
        strbuf_printf(out, "%.5g %.5g %.5g %d %d %d %d %.5g %.5g %.5g\n", (double)p[CLOUD_X],
                      (double)p[CLOUD_Y], (double)p[CLOUD_Z], byte_of(p[CLOUD_RED]),
                      byte_of(p[CLOUD_GREEN]), byte_of(p[CLOUD_BLUE]), byte_of(p[CLOUD_ALPHA]),
                      (double)p[CLOUD_SIZE], (double)p[CLOUD_GLOW], (double)p[CLOUD_DEPTH]);
}

// ---- The picture: a cube seen from a little above and to the left, z towards the viewer

enum {
    WIDTH = 1000,
    HEIGHT = 620,
    LEFT = 90,
    FLOOR = 560,
    LONG = 760,
    HIGH = 400,
    BACK = 110,
    RISE = 70
};

// What lies outside of the cube is drawn at most a tenth of it away.
static double x_of(double x, double z)
{
    return LEFT + LONG * within(x, -0.1, 1.1) + BACK * (1 - within(z, -0.1, 1.1));
}

static double y_of(double y, double z)
{
    return FLOOR - HIGH * within(y, -0.1, 1.1) - RISE * (1 - within(z, -0.1, 1.1));
}

static void edge(const double a[3], const double b[3], strbuf *out)
{
    strbuf_printf(out, "M%.0f %.0fL%.0f %.0f", x_of(a[0], a[2]), y_of(a[1], a[2]), x_of(b[0], b[2]),
                  y_of(b[1], b[2]));
}

static void cube(strbuf *out)
{
    strbuf_printf(out, "<path class=\"cube\" d=\"");
    for (int corner = 0; corner < 8; corner++)
        for (int axis = 0; axis < 3; axis++) {
            double a[3] = {corner & 1, corner >> 1 & 1, corner >> 2 & 1}, b[3];
            for (int k = 0; k < 3; k++)
                b[k] = k == axis ? 1 : a[k];
            if (a[axis] == 0)
                edge(a, b, out);
        }
    strbuf_printf(out, "\"/>\n");
}

static int by_distance(const void *a, const void *b)
{
    const float *x = *(const float *const *)a, *y = *(const float *const *)b;
    return x[CLOUD_Z] != y[CLOUD_Z] ? (x[CLOUD_Z] > y[CLOUD_Z]) - (x[CLOUD_Z] < y[CLOUD_Z])
                                    : (x > y) - (x < y);
}

static bool in_view(const cloud_view *v, int i, const float *p)
{
    int64_t n = v->count > 0 && v->count < CLOUD_POINTS ? v->count : CLOUD_POINTS;
    return (i + 1) * n / CLOUD_POINTS > i * n / CLOUD_POINTS &&
           (v->until <= 0 || (double)p[CLOUD_X] <= v->until);
}

// SMIL, which stands in the picture itself: hidden until its moment.
static void appear(const cloud_view *v, const float *p, strbuf *out)
{
    double at = floor(within((double)p[CLOUD_X], 0, 1) * v->seconds * v->fps) / v->fps;
    strbuf_printf(out, "<set attributeName=\"opacity\" to=\"1\" begin=\"%.2fs\"/>", at);
}

// A core, and the light around it.
static void point(const float *p, const cloud_view *v, strbuf *out)
{
    double z = (double)p[CLOUD_Z], x = x_of((double)p[CLOUD_X], z), y = y_of((double)p[CLOUD_Y], z),
           near = 0.6 + 0.4 * within(z, 0, 1), r = 3 * within((double)p[CLOUD_SIZE], 0.2, 3) * near,
           alpha = within((double)p[CLOUD_ALPHA], 0, 1) * within((double)p[CLOUD_DEPTH], 0.2, 1);
    strbuf_printf(out, "<g fill=\"#%02x%02x%02x\"%s>", (unsigned)byte_of(p[CLOUD_RED]),
                  (unsigned)byte_of(p[CLOUD_GREEN]), (unsigned)byte_of(p[CLOUD_BLUE]),
                  v->seconds > 0 ? " opacity=\"0\"" : "");
    if (v->seconds > 0)
        appear(v, p, out);
    strbuf_printf(out,
                  "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" "
                  "opacity=\"%.2f\"/><circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" "
                  "opacity=\"%.2f\"/></g>\n",
                  x, y, 3 * r, 0.12 * within((double)p[CLOUD_GLOW], 0, 1), x, y, r,
                  0.3 + 0.7 * alpha);
}

// On the wall where time begins.
static void wall(const cloud_view *v, strbuf *out)
{
    for (const anchor *a = v->anchors; a < v->anchors + v->n_anchors; a++)
        strbuf_printf(out,
                      "<circle class=\"anchor\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" "
                      "opacity=\"%.2f\"/>\n",
                      x_of(0, a->z), y_of(a->y, a->z), 2 + 4 * a->active,
                      0.15 + 0.35 * pow(a->active, 1.5));
}

static void words(const char *title, const char *said, strbuf *out)
{
    strbuf_printf(out, "<text x=\"40\" y=\"48\" class=\"title\">");
    svg_any_text(title, out);
    strbuf_printf(out, "</text>\n<text x=\"40\" y=\"72\">");
    svg_any_text(said, out);
    strbuf_printf(out,
                  "</text>\n<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">time</text>\n"
                  "<text transform=\"translate(%d %d) rotate(-90)\" text-anchor=\"middle\">pitch"
                  "</text>\n<text x=\"%d\" y=\"%d\">tension</text>\n",
                  LEFT + LONG / 2, FLOOR + 32, LEFT - 24, FLOOR - HIGH / 2,
                  LEFT + LONG + BACK / 2 + 14, FLOOR - RISE / 2 + 14);
}

void cloud_svg(const float *points, const char *title, const char *said, strbuf *out)
{
    cloud_svg_view(points, &(cloud_view){0}, title, said, out);
}

void cloud_svg_view(const float *points, const cloud_view *v, const char *title, const char *said,
                    strbuf *out)
{
    const float *order[CLOUD_POINTS];
    size_t n = 0;
    for (int i = 0; i < CLOUD_POINTS; i++)
        if (in_view(v, i, points + i * CLOUD_WIDTH))
            order[n++] = points + i * CLOUD_WIDTH;
    qsort(order, n, sizeof *order, by_distance);
    svg_begin(
        WIDTH, HEIGHT, " role=\"img\"",
        "text{font:15px system-ui,sans-serif;fill:#9aa3c7}.title{font-size:22px;"
        "fill:#eef0fa}.cube{fill:none;stroke:#5a648f;stroke-opacity:.55}.anchor{fill:#b3b3b3}",
        out);
    strbuf_printf(out,
                  "<defs><radialGradient id=\"night\" cx=\"50%%\" cy=\"45%%\" r=\"75%%\">"
                  "<stop offset=\"0\" stop-color=\"#1c2347\"/>"
                  "<stop offset=\"1\" stop-color=\"#070914\"/></radialGradient></defs>\n"
                  "<rect width=\"%d\" height=\"%d\" fill=\"url(#night)\"/>\n",
                  WIDTH, HEIGHT);
    cube(out);
    wall(v, out);
    for (size_t i = 0; i < n; i++)
        point(order[i], v, out);
    words(title, said, out);
    strbuf_printf(out, "</svg>\n");
}
