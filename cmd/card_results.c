// SPDX-License-Identifier: GPL-3.0-or-later
// card_results.c: of a card, what the run's own record tells: data, splits, figures, seeds.
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "cmd/card.h"
#include "train/report.h"
#include "train/runs.h"

// "runs/a" of "runs/a/checkpoints/best.h5"; NULL where the checkpoint lies in no run.
static const char *run_of(const trained *d, arena *a)
{
    const char *folder = path_dir(a, d->path), *run = path_dir(a, folder);
    return !strcmp(path_base(folder), "checkpoints") &&
                   file_exists(path_join(a, run, "metrics.jsonl"))
               ? run
               : NULL;
}

static void put_text(strbuf *out, const char *what, const char *text)
{
    if (text && *text)
        strbuf_printf(out, "| %s | %s |\n", what, text);
}

static void put_items(strbuf *out, const char *what, int64_t n)
{
    if (n >= 0)
        strbuf_printf(out, "| %s | %lld items |\n", what, (long long)n);
}

static void put_data(const trained *d, const report_record *r, strbuf *out)
{
    const model_meta *m = &d->file->meta;
    const char *name = meta_get(m, "dataset"), *licence = meta_get(m, "licence"),
               *synthetic = meta_get(m, "synthetic");
    strbuf_printf(out, "\n## Data\n\n");
    if (!name) {
        strbuf_printf(out, "What it was trained on is not known (imported weights).\n");
        return;
    }
    strbuf_printf(out, "| | |\n|---|---|\n");
    put_text(out, "data set", name);
    if (synthetic && !strcmp(synthetic, "true"))
        put_text(out, "synthetic", "yes: it was made up by kmidi");
    put_text(out, "licence of the data", licence ? licence : "not said; ask whoever made it");
    put_text(out, "citation", meta_get(m, "citation"));
    put_text(out, "SHA-256 of the training data", meta_get(m, "data_digest"));
    if (r) {
        put_items(out, "split train", r->train_items);
        put_items(out, "split validation", r->val_items);
    }
    strbuf_printf(
        out, "\nA split that kmidi made parts no piece, song, performer or speaker; one that the "
             "data set\nbrought is kept as it is.\n");
}

// ---- Figures

static bool is_figure(report_figure f)
{
    return f >= REPORT_LOSS && f <= REPORT_MAE;
}

static void put_best(const trained *d, const report_record *r, strbuf *out)
{
    strbuf_printf(out,
                  "\nOf the validation split, at step %.0f (seed %lld):\n\n"
                  "| figure | value | without looking |\n|---|---|---|\n",
                  r->best.v[REPORT_STEP], (long long)d->file->state.seed);
    for (report_figure f = 0; f < REPORT_FIGURES; f++) {
        if (!is_figure(f) || isnan(r->best.v[f]))
            continue;
        strbuf_printf(out, "| %s | %.4g | ", report_names[f], r->best.v[f]);
        if (r->has_baseline && !isnan(r->baseline.v[f]))
            strbuf_printf(out, "%.4g |\n", r->baseline.v[f]);
        else
            strbuf_printf(out, "|\n");
    }
}

// Keys that say where and which, and nothing of what is learnt.
static bool says_little(const char *key)
{
    return !strcmp(key, "train.seed") || !strcmp(key, "run_name") || str_starts(key, "logging.");
}

// Whether run k is of the same keys as run `own` but for those.
static bool same_but_seed(const runs *r, size_t own, size_t k)
{
    if (r->list[k].state != RUN_DONE || !r->list[k].configured)
        return false;
    for (int key = 0; key < r->n_keys; key++)
        if (!says_little(r->keys[key]) &&
            strcmp(runs_value(r, own, key), runs_value(r, k, key)) != 0)
            return false;
    return true;
}

typedef struct seeds {
    int n;
    double sum[REPORT_FIGURES], squares[REPORT_FIGURES];
} seeds;

static void add_seed(seeds *s, const report_record *r)
{
    s->n++;
    for (int f = 0; f < REPORT_FIGURES; f++) {
        s->sum[f] += r->best.v[f];
        s->squares[f] += r->best.v[f] * r->best.v[f];
    }
}

static void put_mean(const seeds *s, const char *names, strbuf *out)
{
    strbuf_printf(out,
                  "\nOver %d runs that differ by their seed alone (%s), the best evaluation of "
                  "each:\n\n| figure | mean | sample standard deviation |\n|---|---|---|\n",
                  s->n, names);
    for (report_figure f = 0; f < REPORT_FIGURES; f++) {
        double mean = s->sum[f] / s->n, var = (s->squares[f] - s->n * mean * mean) / (s->n - 1);
        if (is_figure(f) && !isnan(mean))
            strbuf_printf(out, "| %s | %.4g | %.2g |\n", report_names[f], mean,
                          sqrt(var > 0 ? var : 0));
    }
}

// Runs beside this one, as a sweep over seeds leaves them.
static void put_seeds(const char *run, arena *a, strbuf *out)
{
    runs list;
    seeds s = {0};
    strbuf names = {0};
    size_t own = 0;
    err e = {0};
    if (!runs_open(&list, path_dir(a, run), a, &e))
        return;
    while (own < list.n && strcmp(path_base(list.list[own].path), path_base(run)) != 0)
        own++;
    int seed = runs_key(&list, "train.seed");
    for (size_t k = 0; own < list.n && k < list.n; k++) {
        report_record r = {0};
        if (!same_but_seed(&list, own, k) || !report_read_lines(list.list[k].path, &r, a, &e) ||
            !r.has_best)
            continue;
        add_seed(&s, &r);
        strbuf_printf(&names, "%s%s", s.n > 1 ? ", " : "",
                      seed >= 0 ? runs_value(&list, k, seed) : "");
    }
    if (s.n > 1)
        put_mean(&s, names.s, out);
    strbuf_free(&names);
}

void card_results(const trained *d, arena *a, strbuf *out)
{
    const char *run = run_of(d, a);
    report_record r = {0};
    err e = {0};
    bool known = run && report_read(run, &r, a, &e);
    put_data(d, known ? &r : NULL, out);
    strbuf_printf(out, "\n## Figures\n");
    if (known && r.has_best && d->file->has_state)
        put_best(d, &r, out);
    else
        strbuf_printf(out, "\nThe record of its run is not here, or it was never evaluated.\n");
    if (known)
        put_seeds(run, a, out);
}
