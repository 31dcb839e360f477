// SPDX-License-Identifier: GPL-3.0-or-later
// compare_read.c: the records of several runs, and who is best (compare.h).
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/compare.h"
#include "train/metrics.h"

// ---- Records

// Of a record that is gone at the end, what is kept in `a`.
static report_curve keep_curve(report_curve *c, arena *a)
{
    report_thin(c, COMPARE_POINTS);
    report_curve kept = {.n = c->n, .stride = c->stride, .filling = c->filling};
    kept.at = NEW(a, report_row, (size_t)c->n + 1);
    kept.count = arena_alloc(a, (size_t)(c->n + 1) * sizeof *kept.count, sizeof(int));
    memcpy(kept.at, c->at, sizeof *kept.at * (size_t)c->n);
    memcpy(kept.count, c->count, sizeof *kept.count * (size_t)c->n);
    return kept;
}

static void read_run(compare_run *x, arena *a)
{
    arena scratch = {.name = "record"};
    err e = {0};
    report_record r;
    if (x->info->state == RUN_WAITING)
        return;
    if (report_read_lines(x->info->path, &r, &scratch, &e)) {
        x->read = r.train.n || r.eval.n;
        x->record = (report_record){.run = x->info->path,
                                    .train = keep_curve(&r.train, a),
                                    .eval = keep_curve(&r.eval, a),
                                    .last_train = r.last_train,
                                    .best = r.best,
                                    .baseline = r.baseline,
                                    .has_best = r.has_best,
                                    .has_baseline = r.has_baseline,
                                    .evaluations = r.evaluations,
                                    .monitor = arena_strdup(a, r.monitor)};
        if (r.evaluations)
            x->record.last[0] = r.last[(r.evaluations - 1) % REPORT_LAST];
    } else if (e.code != ERR_MISSING || x->info->step >= 0) {
        x->trouble = arena_strdup(a, e.text);
    }
    arena_free(&scratch);
}

// ---- Figures

static report_figure figure_of(const char *name)
{
    for (report_figure f = REPORT_LOSS; f <= REPORT_MAE; f++)
        if (!strcmp(report_names[f], name))
            return f;
    return REPORT_LOSS;
}

// That which the first run with an evaluation monitors, and what its own report would tell.
static void choose_figures(compare *c)
{
    const compare_run *first = NULL;
    for (size_t i = 0; i < c->n; i++) {
        const compare_run *x = &c->list[i];
        if (!x->record.has_best)
            continue;
        first = first ? first : x;
        c->monitors_differ = c->monitors_differ || strcmp(x->record.monitor, first->record.monitor);
    }
    c->figure = first ? figure_of(first->record.monitor) : REPORT_LOSS;
    c->beside = first ? report_main_figure(&first->record) : REPORT_LOSS;
    c->higher = metrics_higher_is_better(report_names[c->figure]);
}

static void take_figures(compare *c)
{
    for (size_t i = 0; i < c->n; i++) {
        compare_run *x = &c->list[i];
        const report_record *r = &x->record;
        x->best = r->has_best ? r->best.v[c->figure] : NAN;
        x->beside = r->has_best ? r->best.v[c->beside] : NAN;
        x->last = r->evaluations ? r->last[0].v[c->figure] : NAN;
    }
}

// ---- Ranks

// The better first; what has no value last, in the order that was.
static int compare_best(double a, double b, bool higher)
{
    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    return a == b ? 0 : (a > b) == higher ? -1 : 1;
}

typedef struct place {
    double value;
    size_t i;
    bool higher;
} place;

static int by_rank(const void *x, const void *y)
{
    const place *a = x, *b = y;
    int order = compare_best(a->value, b->value, a->higher);
    return order ? order : a->i < b->i ? -1 : 1;
}

static void sort_runs(compare *c, arena *a)
{
    place *p = NEW(a, place, c->n + 1);
    compare_run *sorted = NEW(a, compare_run, c->n + 1);
    for (size_t i = 0; i < c->n; i++)
        p[i] = (place){c->list[i].best, i, c->higher};
    qsort(p, c->n, sizeof *p, by_rank);
    for (size_t i = 0; i < c->n; i++)
        sorted[i] = c->list[p[i].i];
    c->list = sorted;
}

// ---- Settings

bool compare_is_label(const compare *c, int key)
{
    return key == c->seed || !strcmp(c->runs->keys[key], "run_name");
}

static bool same_setting(const compare *c, size_t x, size_t y)
{
    for (int k = 0; k < c->n_keys; k++)
        if (!compare_is_label(c, c->keys[k].key) &&
            strcmp(runs_value(c->runs, x, c->keys[k].key), runs_value(c->runs, y, c->keys[k].key)))
            return false;
    return true;
}

static void add_to_setting(compare *c, size_t i, arena *a)
{
    size_t s = 0;
    while (s < c->n_settings && !same_setting(c, c->list[c->settings[s].runs[0]].at, c->list[i].at))
        s++;
    compare_setting *t = &c->settings[s];
    if (s == c->n_settings)
        c->n_settings++;
    if (!(t->n & (t->n - 1))) { // a power of two: the list is full
        size_t *more = NEW(a, size_t, t->n ? 2 * t->n : 1);
        if (t->n)
            memcpy(more, t->runs, t->n * sizeof *more);
        t->runs = more;
    }
    t->runs[t->n++] = i;
}

compare_spread compare_spread_of(const double *x, size_t n)
{
    compare_spread s = {.mean = NAN, .deviation = NAN};
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        if (isfinite(x[i]))
            s.n++, sum += x[i];
    if (s.n)
        s.mean = sum / s.n;
    for (size_t i = 0; i < n; i++)
        if (isfinite(x[i]))
            squares += (x[i] - s.mean) * (x[i] - s.mean);
    if (s.n > 1)
        s.deviation = sqrt(squares / (s.n - 1));
    return s;
}

static void measure_setting(const compare *c, compare_setting *s, arena *a)
{
    double *best = NEW(a, double, s->n), *last = NEW(a, double, s->n),
           *beside = NEW(a, double, s->n);
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        const compare_run *x = &c->list[s->runs[i]];
        if (x->info->state != RUN_DONE)
            continue;
        best[n] = x->best, last[n] = x->last, beside[n++] = x->beside;
    }
    s->best = compare_spread_of(best, n);
    s->last = compare_spread_of(last, n);
    s->beside = compare_spread_of(beside, n);
}

static void sort_settings(compare *c, arena *a)
{
    place *p = NEW(a, place, c->n_settings + 1);
    compare_setting *sorted = NEW(a, compare_setting, c->n_settings + 1);
    for (size_t i = 0; i < c->n_settings; i++)
        p[i] = (place){c->settings[i].best.mean, i, c->higher};
    qsort(p, c->n_settings, sizeof *p, by_rank);
    for (size_t i = 0; i < c->n_settings; i++) {
        sorted[i] = c->settings[p[i].i];
        for (size_t k = 0; k < sorted[i].n; k++)
            c->list[sorted[i].runs[k]].setting = (int)i;
    }
    c->settings = sorted;
}

static void find_settings(compare *c, arena *a)
{
    c->settings = NEW(a, compare_setting, c->n + 1);
    for (size_t i = 0; i < c->n; i++)
        add_to_setting(c, i, a);
    for (size_t i = 0; i < c->n_settings; i++) {
        measure_setting(c, &c->settings[i], a);
        c->seeds = c->seeds || c->settings[i].n > 1;
    }
    c->seeds = c->seeds && c->n_settings > 1;
    sort_settings(c, a);
}

// The best have them: settings where there are some, else runs.
static void give_colours(compare *c)
{
    int used = 0;
    for (size_t s = 0; s < c->n_settings; s++) {
        bool any = false;
        for (size_t i = 0; i < c->settings[s].n; i++)
            any = any || c->list[c->settings[s].runs[i]].read;
        c->settings[s].colour = c->seeds && any && used < COMPARE_COLOURS ? used++ : -1;
    }
    for (size_t i = 0; i < c->n; i++) {
        compare_run *x = &c->list[i];
        x->colour = c->seeds ? c->settings[x->setting].colour
                    : x->read && !c->seeds && used < COMPARE_COLOURS ? used++
                                                                     : -1;
        if (x->colour < 0)
            report_thin(&x->record.train, COMPARE_GREY_POINTS),
                report_thin(&x->record.eval, COMPARE_GREY_POINTS);
    }
}

static size_t same_begin(const char *x, const char *y, size_t most)
{
    size_t n = 0;
    while (n < most && x[n] && x[n] == y[n])
        n++;
    return n;
}

static size_t same_end(const char *x, const char *y, size_t most)
{
    size_t n = 0, a = strlen(x), b = strlen(y);
    while (n < most && n < a && n < b && x[a - 1 - n] == y[b - 1 - n])
        n++;
    return n;
}

// Whole words stay.
static void cut_at_words(compare_key *k, const char *value)
{
    static const char apart[] = "/-_.,; []\"";
    size_t n = strlen(value);
    while (k->before && !strchr(apart, value[k->before - 1]))
        k->before--;
    while (k->behind && !strchr(apart, value[n - k->behind]))
        k->behind--;
}

static void measure_key(const compare *c, compare_key *k)
{
    enum { LONG = 24 };
    const char *first = NULL;
    size_t longest = 0, shortest = SIZE_MAX;
    k->before = k->behind = SIZE_MAX;
    for (size_t i = 0; i < c->runs->n; i++) {
        const char *value = runs_value(c->runs, i, k->key);
        size_t n = strlen(value);
        if (!n)
            continue;
        longest = n > longest ? n : longest, shortest = n < shortest ? n : shortest;
        first = first ? first : value;
        k->before = same_begin(first, value, k->before);
        k->behind = same_end(first, value, k->behind);
    }
    if (longest < LONG || k->before + k->behind > shortest)
        k->before = k->behind = 0;
    else
        cut_at_words(k, first);
}

static void find_keys(compare *c, arena *a)
{
    c->keys = NEW(a, compare_key, (size_t)c->runs->n_keys + 1);
    c->seed = runs_key(c->runs, "train.seed");
    for (int k = 0; k < c->runs->n_keys; k++)
        if (c->runs->differs[k]) {
            c->keys[c->n_keys].key = k;
            measure_key(c, &c->keys[c->n_keys++]);
        }
}

bool compare_read(compare *c, const runs *r, arena *a, err *e)
{
    size_t readable = 0;
    const char *trouble = NULL;
    *c = (compare){.runs = r, .n = r->n, .list = NEW(a, compare_run, r->n + 1)};
    for (size_t i = 0; i < r->n; i++) {
        compare_run *x = &c->list[i];
        *x = (compare_run){.info = &r->list[i], .at = i};
        read_run(x, a);
        readable += x->read;
        trouble = trouble ? trouble : x->trouble;
    }
    if (!readable && trouble)
        return err_set(e, ERR_EMPTY, "no run has a record that can be read: %s", trouble);
    find_keys(c, a);
    choose_figures(c);
    take_figures(c);
    sort_runs(c, a);
    find_settings(c, a);
    give_colours(c);
    return true;
}
