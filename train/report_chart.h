// SPDX-License-Identifier: GPL-3.0-or-later
// report_chart.h: curves of a run, or of several, as a chart in SVG, in the colours of the page
// around it (report_style.c).
#ifndef KMIDI_TRAIN_REPORT_CHART_H
#define KMIDI_TRAIN_REPORT_CHART_H

#include "train/report.h"

typedef struct svg_series {
    const char *name;
    int colour; // of the style's --c0 to --c7; -1: grey
    const report_curve *curve;
    report_figure figure;
    bool dots; // few points: each is marked
    bool thin; // a line behind the others
} svg_series;

typedef struct svg_chart {
    const char *title;
    const svg_series *series;
    int n;
    double baseline;       // a dashed line where it is near enough; NAN: none
    const char *level;     // what that is; NULL: "baseline"
    double best_x, best_y; // a ring around the best; NAN: none
    bool alone;            // a file of its own, with its style
    // many lines: names stand elsewhere, and grey ones are cut off where they leave what the others
    // need. A number that no other chart of the page has; 0: few lines
    int clip;
} svg_chart;

void svg_line_chart(const svg_chart *c, strbuf *out);

#endif
