// SPDX-License-Identifier: GPL-3.0-or-later
// report.h: what became of a run, for people: report.html (one file, pictures inside) and curve.svg, from the run folder's own records.
#ifndef KMIDI_TRAIN_REPORT_H
#define KMIDI_TRAIN_REPORT_H

#include "base/err.h"
#include "base/str.h"

// Reads metrics.jsonl, config.yaml and environment.json of the folder; writes report.html and curve.svg beside them.
bool report_write(const char *run, err *e) MUST_CHECK;

// Charts (report_svg.c)

typedef struct svg_series {
    const char *name, *colour;
    const double *x, *y; // [n]; points that are not finite are left out
    int n;
    bool dots; // few points: each is marked
} svg_series;

typedef struct svg_chart {
    const char *title, *x_label;
    const svg_series *series;
    int n;
    bool from_zero; // the y axis includes 0
} svg_chart;

void svg_line_chart(const svg_chart *c, strbuf *out);
// counts [n, n], row: true class; names may be NULL.
void svg_confusion(const long long *counts, int n, const char *const *names, strbuf *out);
// For texts inside HTML and SVG.
void svg_escape(const char *s, strbuf *out);

#endif
