// SPDX-License-Identifier: GPL-3.0-or-later
// report_page.c: the page of a report: its headline, charts, tables and records, one under the
// other.
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "train/report.h"
#include "train/report_chart.h"

enum { INCLUDED = 1 << 20 };

static bool any(const report_curve *c, report_figure f)
{
    for (int i = 0; i < c->n; i++)
        if (isfinite(c->at[i].v[f]))
            return true;
    return false;
}

static svg_series train_line(const report_record *r, const char *name, report_figure f)
{
    return (svg_series){.name = name, .colour = 0, .curve = &r->train, .figure = f};
}

static svg_series eval_line(const report_record *r, const char *name, int colour, report_figure f)
{
    return (svg_series){
        .name = name, .colour = colour, .curve = &r->eval, .figure = f, .dots = true};
}

// The ring is around the best of the last line, where that is of evaluations.
static svg_chart chart_of(const report_record *r, const char *title, const svg_series *s, int n)
{
    const svg_series *last = &s[n - 1];
    return (svg_chart){.title = title,
                       .series = s,
                       .n = n,
                       .baseline =
                           r->has_baseline && last->dots ? r->baseline.v[last->figure] : NAN,
                       .best_x = r->has_best && last->dots ? r->best.v[REPORT_EPOCH] : NAN,
                       .best_y = r->best.v[last->figure]};
}

void report_loss_chart(const report_record *r, bool alone, strbuf *out)
{
    svg_series s[] = {train_line(r, "training", REPORT_LOSS),
                      eval_line(r, "validation", 1, REPORT_LOSS)};
    svg_chart c = chart_of(r, "loss", s, any(&r->eval, REPORT_LOSS) ? 2 : 1);
    c.alone = alone;
    svg_line_chart(&c, out);
}

static void figure(const svg_chart *c, strbuf *out)
{
    strbuf_printf(out, "<figure>");
    svg_line_chart(c, out);
    strbuf_printf(out, "</figure>\n");
}

static void validation_charts(const report_record *r, strbuf *out)
{
    static const struct {
        const char *title;
        report_figure figure, beside; // beside: a second line, or the same again
        const char *name, *beside_name;
    } all[] = {{"validation", REPORT_MACRO_F1, REPORT_ACCURACY, "macro-F1", "accuracy"},
               {"accuracy", REPORT_ACCURACY, REPORT_ACCURACY, "validation", NULL},
               {"perplexity", REPORT_PERPLEXITY, REPORT_PERPLEXITY, "validation", NULL},
               {"mean absolute error", REPORT_MAE, REPORT_MAE, "validation", NULL}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!any(&r->eval, all[i].figure) || (i == 1 && any(&r->eval, REPORT_MACRO_F1)))
            continue;
        svg_series s[] = {eval_line(r, all[i].name, 3, all[i].figure),
                          eval_line(r, all[i].beside_name, 2, all[i].beside)};
        svg_chart c = chart_of(r, all[i].title, s, all[i].beside_name ? 2 : 1);
        figure(&c, out);
    }
}

static void training_charts(const report_record *r, strbuf *out)
{
    static const struct {
        const char *title;
        report_figure figure;
    } all[] = {{"learning rate", REPORT_LR},
               {"gradient norm", REPORT_GRAD_NORM},
               {"parameter norm", REPORT_WEIGHT_NORM}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        svg_series s = train_line(r, "", all[i].figure);
        svg_chart c = chart_of(r, all[i].title, &s, 1);
        if (!any(&r->train, all[i].figure))
            continue;
        if (all[i].figure == REPORT_GRAD_NORM && r->grad_clip > 0)
            c.baseline = r->grad_clip, c.level = "train.grad_clip";
        figure(&c, out);
    }
}

static void charts(const report_record *r, strbuf *out)
{
    strbuf_printf(out, "<div class=\"charts\">\n<figure>");
    report_loss_chart(r, false, out);
    strbuf_printf(out, "</figure>\n");
    validation_charts(r, out);
    training_charts(r, out);
    strbuf_printf(out, "</div>\n");
}

// Least loss that a smoothed target allows: its entropy.
static double least_loss(double smoothing, int classes)
{
    double other = smoothing / classes, own = 1 - smoothing + other;
    return -own * log(own) - (classes - 1) * other * log(other);
}

static void notes(const report_record *r, strbuf *out)
{
    if (!(r->smoothing > 0) || !r->evaluations)
        return;
    strbuf_printf(out,
                  "<p class=\"dim\">Why the training loss lies above: it counts with label "
                  "smoothing %.3g (train.label_smoothing): a "
                  "part of every target is spread over all classes, ",
                  r->smoothing);
    if (r->classes > 1)
        strbuf_printf(out,
                      "so that of %d classes it cannot fall below %.3f, however good the model is",
                      r->classes, least_loss(r->smoothing, r->classes));
    else
        strbuf_printf(out, "so that it cannot fall to zero, however good the model is");
    strbuf_printf(out, ". The validation loss is the plain one.</p>\n");
}

static void include(const report_record *r, const char *name, arena *a, strbuf *out)
{
    size_t n;
    const char *path = arena_printf(a, "%s/%s", r->run, name);
    char *text = file_exists(path) ? file_read(a, path, INCLUDED, &n, NULL) : NULL;
    if (!text)
        return;
    strbuf_printf(out, "<details><summary>%s</summary><pre>", name);
    svg_escape(text, out);
    strbuf_printf(out, "</pre></details>\n");
}

static void head(const report_record *r, strbuf *out)
{
    strbuf_printf(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
        "content=\"width=device-width,initial-scale=1\">");
    if (!strcmp(r->state, "running"))
        strbuf_printf(out, "<meta http-equiv=\"refresh\" content=\"30\">");
    strbuf_printf(out, "<title>");
    svg_escape(path_base(r->run), out);
    strbuf_printf(out, "</title>\n<style>\n%s</style></head><body>\n", report_style);
}

void report_page(const report_record *r, arena *a, strbuf *out)
{
    head(r, out);
    report_headline(r, out);
    charts(r, out);
    notes(r, out);
    report_groups(r, out);
    report_confusion(r, out);
    report_mistakes(r, out);
    report_evaluations(r, out);
    strbuf_printf(out, "<h2>Record</h2>\n");
    include(r, "config.yaml", a, out);
    include(r, "environment.json", a, out);
    strbuf_printf(out, "</body></html>\n");
}
