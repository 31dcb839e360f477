// SPDX-License-Identifier: GPL-3.0-or-later
// compare.h: several runs beside each other: which is best, what a setting reaches over its seeds,
// and one page about all of it, which needs nothing from elsewhere.
//
//     runs_open_list(&r, paths, n, &arena, e)
//     compare_read(&c, &r, &arena, e)      // curves, ranks, settings
//     compare_page(&c, "runs/rates", &arena, &html)
//
// Runs are judged by the figure that they monitor themselves (train.early_stopping.monitor). Runs
// that differ in train.seed alone are a setting: its mean and sample standard deviation are of its
// runs that are done. A record that is damaged is said so; the other runs are compared without it.
//
// However many runs there are, COMPARE_COLOURS lines have a colour, COMPARE_GREYS more are drawn in
// grey, and a line has few points: a hundred runs are a page of some hundred kilobytes.
#ifndef KMIDI_TRAIN_COMPARE_H
#define KMIDI_TRAIN_COMPARE_H

#include "train/report.h"
#include "train/runs.h"

enum {
    COMPARE_COLOURS = 8,
    COMPARE_GREYS = 100,
    COMPARE_POINTS = 128,
    COMPARE_GREY_POINTS = 32,
    COMPARE_MATRICES = 4
};

typedef struct compare_run {
    const run_info *info;
    size_t at;            // in runs.list
    report_record record; // its lines, curves thinned; nothing where there is trouble
    const char *trouble;  // why its record cannot be read; NULL
    bool read;            // the record has lines
    double best, last;    // of compare.figure
    double beside;        // of compare.beside, where best is
    int setting, colour;  // colour -1: grey
} compare_run;

typedef struct compare_spread {
    int n;
    double mean, deviation; // NAN: of none, of one
} compare_spread;

// Runs that differ in their seed alone.
typedef struct compare_setting {
    size_t *runs; // [n] of compare.list, the best first
    size_t n;
    compare_spread best, last, beside; // of those that are done
    int colour;
} compare_setting;

// A key that differs. Of long values what all have before and behind is not shown.
typedef struct compare_key {
    int key; // of runs.keys
    size_t before, behind;
} compare_key;

typedef struct compare {
    const runs *runs;
    compare_run *list; // [n] the best first
    size_t n;
    compare_setting *settings; // [n_settings] by the mean of the best, the best first
    size_t n_settings;
    bool seeds; // there are several settings, one of them with several runs: they have the colours
    report_figure figure, beside; // beside: what people ask for; the same: nothing else
    bool higher;                  // more of `figure` is better
    bool monitors_differ;
    compare_key *keys; // [n_keys]
    int n_keys, seed;
} compare;

// ERR_EMPTY where no run of the list has a record that can be read.
bool compare_read(compare *c, const runs *r, arena *a, err *e) MUST_CHECK;
bool compare_is_label(const compare *c, int key); // one that makes no setting: the seed, a name
compare_spread compare_spread_of(const double *x, size_t n); // of those that are finite

// "lr 0.003": the keys that differ, but the seed; "" where none does.
const char *compare_setting_name(const compare *c, const compare_setting *s, arena *a);

void compare_page(const compare *c, const char *title, arena *a, strbuf *out);
// Its parts (compare_parts.c).
void compare_headline(const compare *c, const char *title, arena *a, strbuf *out);
void compare_settings_table(const compare *c, strbuf *out);
void compare_runs_table(const compare *c, strbuf *out);
void compare_reasons(const compare *c, strbuf *out); // why runs are not done, or damaged

#endif
