// SPDX-License-Identifier: GPL-3.0-or-later
// plan_svg.c: bars over the predicted time of one micro-batch (plan_svg.h).
//
// From below: what is there all the time, then the bytes alive in each step of the plan, in the
// colour of its phase. The dashed line is what is reserved: where it lies well above the bars, the
// arena has gaps.
#include "train/plan_svg.h"

#include <math.h>
#include <stdio.h>

#include "base/svg.h"

enum { TICKS = 6, LAYERS = 4 };

// To the right seconds, upwards MiB.
static const svg_plot frame = {
    .width = 860, .height = 400, .left = 64, .right = 150, .top = 40, .bottom = 44};

static const struct {
    const char *name, *colour;
} phases[COST_PHASES] = {[COST_FORWARD] = {"forward", "#4c78a8"},
                         [COST_AGAIN] = {"computed twice", "#f58518"},
                         [COST_BACKWARD] = {"backward", "#54a24b"}};

static double mib(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

static void bar(const svg_plot *p, double from, double to, double low, double high,
                const char *colour, strbuf *out)
{
    strbuf_printf(out, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"/>\n",
                  svg_x(p, from), svg_y(p, high), fmax(svg_x(p, to) - svg_x(p, from), 0.2),
                  svg_y(p, low) - svg_y(p, high), colour);
}

// A square and a name at the right side, line `i` from above.
static void legend(int i, const char *name, const char *colour, strbuf *out)
{
    int x = frame.width - frame.right + 12, y = frame.top + 20 * i;
    strbuf_printf(out,
                  "<rect x=\"%d\" y=\"%d\" width=\"10\" height=\"10\" fill=\"%s\"/><text x=\"%d\" "
                  "y=\"%d\">%s</text>\n",
                  x, y, colour, x + 15, y + 9, name);
}

static void grid(const svg_plot *p, strbuf *out)
{
    char text[32];
    for (double v = 0, step = svg_step(p->y.hi, TICKS); v <= p->y.hi; v += step) {
        snprintf(text, sizeof text, "%.6g", v);
        svg_level(p, v, "class=\"g\"", out);
        svg_beside(p->left - 6, svg_y(p, v) + 4, "y", text, out);
    }
    for (double v = 0, step = svg_step(1e3 * p->x.hi, TICKS); v <= 1e3 * p->x.hi; v += step) {
        snprintf(text, sizeof text, "%.6g", v);
        svg_under(p, v * 1e-3, 16, "x", text, out);
    }
    strbuf_printf(out,
                  "<text x=\"%d\" y=\"%d\" class=\"x\">milliseconds into a micro-batch, as "
                  "predicted</text>\n",
                  (p->left + p->width - p->right) / 2, p->height - 8);
    strbuf_printf(out, "<text x=\"%d\" y=\"32\">MiB</text>\n", p->left - 40);
}

// What is there all the time. Returns its height.
static double ground(const trainer_memory *m, const svg_plot *p, strbuf *out)
{
    const struct {
        const char *name, *colour;
        uint64_t bytes;
    } layers[LAYERS] = {{"program, libraries", "#9a9a9a", m->base + m->libraries},
                        {"weights, moments", "#b8b8b8", m->params},
                        {"data", "#cfcfcf", m->loader},
                        {"evaluation", "#e2e2e2", m->eval}};
    double low = 0;
    for (int i = 0; i < LAYERS; i++) {
        double high = low + mib(layers[i].bytes);
        bar(p, 0, p->x.hi, low, high, layers[i].colour, out);
        legend(COST_PHASES + LAYERS - 1 - i, layers[i].name, layers[i].colour, out);
        low = high;
    }
    return low;
}

static void steps(const plan_picture *of, const svg_plot *p, double low, strbuf *out)
{
    arena scratch = {.name = "picture"};
    const uint64_t *live = plan_live(of->plan, &scratch);
    double at = 0;
    for (int s = 0; s < of->plan->n_steps; s++) {
        double next = at + cost_step(of->costs, &of->plan->steps[s]);
        bar(p, at, next, low, low + mib(live[s]), phases[cost_phase_of(&of->plan->steps[s])].colour,
            out);
        at = next;
    }
    for (int i = 0; i < COST_PHASES; i++)
        legend(i, phases[i].name, phases[i].colour, out);
    arena_free(&scratch);
}

static void level(const svg_plot *p, double m, const char *name, const char *colour, strbuf *out)
{
    char look[64];
    snprintf(look, sizeof look, "stroke=\"%s\" stroke-dasharray=\"5 3\"", colour);
    svg_level(p, m, look, out);
    svg_beside(p->width - p->right - 4, svg_y(p, m) - 4, "y", name, out);
}

void plan_svg(const plan_picture *of, strbuf *out)
{
    double peak = mib(of->memory.peak), budget = mib(of->budget);
    bool near = budget < 1.5 * peak && budget > 1.02 * peak;
    svg_plot p = frame;
    p.x.hi = fmax(cost_seconds(of->costs, of->plan), 1e-9);
    p.y.hi = 1.05 * (near ? budget : peak);
    svg_begin(p.width, p.height, "",
              "text{font:12px system-ui,sans-serif;fill:#444}"
              ".t{font-weight:600;font-size:14px;fill:#222}.g{stroke:#ddd}.y{text-anchor:end}"
              ".x{text-anchor:middle}",
              out);
    strbuf_printf(out, "<text x=\"%d\" y=\"18\" class=\"t\">", p.left);
    svg_escape(of->title, out);
    strbuf_printf(out, "</text>\n");
    grid(&p, out);
    steps(of, &p, ground(&of->memory, &p, out), out);
    level(&p, peak, "reserved", "#222", out);
    if (near)
        level(&p, budget, "budget", "#c44", out);
    strbuf_printf(out, "</svg>\n");
}
