// SPDX-License-Identifier: GPL-3.0-or-later
// plan_svg.c: bars over the predicted time of one micro-batch (plan_svg.h).
//
// From below: what is there all the time, then the bytes alive in each step of the plan, in the
// colour of its phase. The dashed line is what is reserved: where it lies well above the bars, the
// arena has gaps.
#include "train/plan_svg.h"

#include <math.h>

#include "train/report.h"

enum {
    WIDTH = 860,
    HEIGHT = 400,
    LEFT = 64,
    RIGHT = 150,
    TOP = 40,
    BOTTOM = 44,
    TICKS = 6,
    LAYERS = 4
};

static const struct {
    const char *name, *colour;
} phases[COST_PHASES] = {[COST_FORWARD] = {"forward", "#4c78a8"},
                         [COST_AGAIN] = {"computed twice", "#f58518"},
                         [COST_BACKWARD] = {"backward", "#54a24b"}};

typedef struct axes {
    double seconds, mib; // full scale
} axes;

static double mib(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

static double at_x(const axes *a, double seconds)
{
    return LEFT + seconds / a->seconds * (WIDTH - LEFT - RIGHT);
}

static double at_y(const axes *a, double m)
{
    return HEIGHT - BOTTOM - m / a->mib * (HEIGHT - TOP - BOTTOM);
}

static void bar(const axes *a, double from, double to, double low, double high, const char *colour,
                strbuf *out)
{
    strbuf_printf(out, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"/>\n",
                  at_x(a, from), at_y(a, high), fmax(at_x(a, to) - at_x(a, from), 0.2),
                  at_y(a, low) - at_y(a, high), colour);
}

// A square and a name at the right side, line `i` from above.
static void legend(int i, const char *name, const char *colour, strbuf *out)
{
    int x = WIDTH - RIGHT + 12, y = TOP + 20 * i;
    strbuf_printf(out,
                  "<rect x=\"%d\" y=\"%d\" width=\"10\" height=\"10\" fill=\"%s\"/><text x=\"%d\" "
                  "y=\"%d\">%s</text>\n",
                  x, y, colour, x + 15, y + 9, name);
}

// 1, 2 or 5 times a power of ten.
static double tick_step(double most)
{
    double raw = most / TICKS, power = pow(10, floor(log10(raw))), m = raw / power;
    return power * (m < 1.5 ? 1 : m < 3.5 ? 2 : m < 7.5 ? 5 : 10);
}

static void grid(const axes *a, strbuf *out)
{
    for (double v = 0, step = tick_step(a->mib); v <= a->mib; v += step)
        strbuf_printf(out,
                      "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" class=\"g\"/><text "
                      "x=\"%d\" y=\"%.1f\" class=\"y\">%.6g</text>\n",
                      LEFT, WIDTH - RIGHT, at_y(a, v), at_y(a, v), LEFT - 6, at_y(a, v) + 4, v);
    for (double v = 0, step = tick_step(1e3 * a->seconds); v <= 1e3 * a->seconds; v += step)
        strbuf_printf(out, "<text x=\"%.1f\" y=\"%d\" class=\"x\">%.6g</text>\n", at_x(a, v * 1e-3),
                      HEIGHT - BOTTOM + 16, v);
    strbuf_printf(out,
                  "<text x=\"%d\" y=\"%d\" class=\"x\">milliseconds into a micro-batch, as "
                  "predicted</text>\n",
                  (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8);
    strbuf_printf(out, "<text x=\"%d\" y=\"32\">MiB</text>\n", LEFT - 40);
}

// What is there all the time. Returns its height.
static double ground(const plan_picture *p, const axes *a, strbuf *out)
{
    const struct {
        const char *name, *colour;
        uint64_t bytes;
    } layers[LAYERS] = {{"program, libraries", "#9a9a9a", p->memory.base + p->memory.libraries},
                        {"weights, moments", "#b8b8b8", p->memory.params},
                        {"data", "#cfcfcf", p->memory.loader},
                        {"evaluation", "#e2e2e2", p->memory.eval}};
    double low = 0;
    for (int i = 0; i < LAYERS; i++) {
        double high = low + mib(layers[i].bytes);
        bar(a, 0, a->seconds, low, high, layers[i].colour, out);
        legend(COST_PHASES + LAYERS - 1 - i, layers[i].name, layers[i].colour, out);
        low = high;
    }
    return low;
}

static void steps(const plan_picture *p, const axes *a, double low, strbuf *out)
{
    arena scratch = {.name = "picture"};
    const uint64_t *live = plan_live(p->plan, &scratch);
    double at = 0;
    for (int s = 0; s < p->plan->n_steps; s++) {
        double next = at + cost_step(p->costs, &p->plan->steps[s]);
        bar(a, at, next, low, low + mib(live[s]), phases[cost_phase_of(&p->plan->steps[s])].colour,
            out);
        at = next;
    }
    for (int i = 0; i < COST_PHASES; i++)
        legend(i, phases[i].name, phases[i].colour, out);
    arena_free(&scratch);
}

static void level(const axes *a, double m, const char *name, const char *colour, strbuf *out)
{
    strbuf_printf(out,
                  "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" "
                  "stroke-dasharray=\"5 3\"/>",
                  LEFT, WIDTH - RIGHT, at_y(a, m), at_y(a, m), colour);
    strbuf_printf(out, "<text x=\"%d\" y=\"%.1f\" class=\"y\">%s</text>\n", WIDTH - RIGHT - 4,
                  at_y(a, m) - 4, name);
}

void plan_svg(const plan_picture *p, strbuf *out)
{
    double peak = mib(p->memory.peak), budget = mib(p->budget);
    bool near = budget < 1.5 * peak && budget > 1.02 * peak;
    axes a = {fmax(cost_seconds(p->costs, p->plan), 1e-9), 1.05 * (near ? budget : peak)};
    strbuf_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
                  "height=\"%d\">\n<style>text{font:12px "
                  "system-ui,sans-serif;fill:#444}.t{font-weight:600;font-size:14px;fill:#222}.g{"
                  "stroke:#ddd}.y{text-anchor:end}.x{text-anchor:"
                  "middle}</style>\n<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n<text "
                  "x=\"%d\" y=\"18\" class=\"t\">",
                  WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT, LEFT);
    svg_escape(p->title, out);
    strbuf_printf(out, "</text>\n");
    grid(&a, out);
    steps(p, &a, ground(p, &a, out), out);
    level(&a, peak, "reserved", "#222", out);
    if (near)
        level(&a, budget, "budget", "#c44", out);
    strbuf_printf(out, "</svg>\n");
}
