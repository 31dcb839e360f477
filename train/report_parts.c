// SPDX-License-Identifier: GPL-3.0-or-later
// report_parts.c: what a report says in words and tables: the headline with its baseline, the
// evaluations.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/report.h"

// ---- Numbers as people read them

void report_value(report_figure f, double v, strbuf *out)
{
    if (!isfinite(v))
        strbuf_printf(out, "-");
    else if (f == REPORT_ACCURACY || f == REPORT_UAR)
        strbuf_printf(out, "%.1f%%", 100 * v);
    else if (f == REPORT_STEP || f == REPORT_ITEMS)
        strbuf_printf(out, "%.0f", v);
    else if (f == REPORT_EPOCH || fabs(v) >= 1000 || fabs(v) < 0.01)
        strbuf_printf(out, "%.4g", v);
    else
        strbuf_printf(out, "%.*f", f == REPORT_MACRO_F1 ? 3 : fabs(v) >= 10 ? 2 : 4, v);
}

// 403264 -> "403,264"
static void grouped(int64_t n, strbuf *out)
{
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)n);
    for (int i = 0; i < len; i++)
        strbuf_printf(out, "%s%c", i && (len - i) % 3 == 0 ? "," : "", digits[i]);
}

static void text(const char *s, strbuf *out)
{
    svg_escape(s ? s : "", out);
}

// ---- The headline

static const struct {
    const char *name;    // as it is shown
    const char *guesser; // who reaches the baseline
} figures[REPORT_FIGURES] = {[REPORT_LOSS] = {"validation loss", "by counting alone"},
                             [REPORT_ACCURACY] = {"accuracy", "always the most common"},
                             [REPORT_MACRO_F1] = {"macro-F1", "always the most common"},
                             [REPORT_UAR] = {"mean recall", "always the most common"},
                             [REPORT_PERPLEXITY] = {"perplexity", "by counting alone"},
                             [REPORT_NATS_PER_NOTE] = {"nats a note", "by counting alone"},
                             [REPORT_NATS_PER_SECOND] = {"nats a second", "by counting alone"},
                             [REPORT_MSE] = {"mean squared error", "always the mean"},
                             [REPORT_MAE] = {"mean absolute error", "always the mean"}};

// The monitored figure, unless that is the loss: then the one that people ask for.
report_figure report_main_figure(const report_record *r)
{
    static const report_figure asked[] = {REPORT_ACCURACY, REPORT_MSE};
    for (report_figure f = REPORT_ACCURACY; f <= REPORT_MAE; f++)
        if (!strcmp(report_names[f], r->monitor))
            return f;
    if (isfinite(r->best.v[REPORT_PERPLEXITY]))
        return REPORT_PERPLEXITY;
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
        if (isfinite(r->best.v[asked[i]]))
            return asked[i];
    return REPORT_LOSS;
}

const char *report_figure_name(report_figure f)
{
    return figures[f].name ? figures[f].name : report_names[f];
}

static void card_open(const char *more, strbuf *out)
{
    strbuf_printf(out, "<div class=\"card%s\"><b>", more);
}
static void card_end(strbuf *out)
{
    strbuf_printf(out, "</span></div>\n");
}

static void best_card(const report_record *r, strbuf *out)
{
    card_open(" main", out);
    if (!r->has_best) {
        report_value(REPORT_LOSS, r->last_train.v[REPORT_LOSS], out);
        strbuf_printf(out, "</b><span>training loss; nothing is evaluated yet");
        card_end(out);
        return;
    }
    report_figure f = report_main_figure(r);
    report_value(f, r->best.v[f], out);
    strbuf_printf(out, "</b><span>best %s, at epoch %.4g", figures[f].name,
                  r->best.v[REPORT_EPOCH]);
    if (r->has_baseline && isfinite(r->baseline.v[f])) {
        strbuf_printf(out, "; baseline, %s: ", figures[f].guesser);
        report_value(f, r->baseline.v[f], out);
    }
    card_end(out);
}

static void data_card(const report_record *r, strbuf *out)
{
    if (r->train_items < 0)
        return;
    card_open("", out);
    grouped(r->train_items, out);
    strbuf_printf(out, "</b><span>items of ");
    text(r->dataset, out);
    strbuf_printf(out, "%s to learn from", r->synthetic ? " (synthetic)" : "");
    if (r->val_items >= 0)
        strbuf_printf(out, ", "), grouped(r->val_items, out), strbuf_printf(out, " to evaluate on");
    card_end(out);
}

static void size_card(const report_record *r, strbuf *out)
{
    if (r->parameters < 0)
        return;
    card_open("", out);
    grouped(r->parameters, out);
    strbuf_printf(out, "</b><span>parameters");
    if (r->trainable >= 0 && r->trainable != r->parameters)
        strbuf_printf(out, ", "), grouped(r->trainable, out), strbuf_printf(out, " trained");
    card_end(out);
}

static void time_card(const report_record *r, strbuf *out)
{
    char time[32];
    const report_row *t = &r->last_train;
    if (!r->train.n)
        return;
    card_open("", out);
    strbuf_printf(out, "%s</b><span>of training: ", str_human_time(t->v[REPORT_SECONDS], time));
    grouped((int64_t)t->v[REPORT_STEP], out);
    strbuf_printf(out, " steps, %.4g epochs", t->v[REPORT_EPOCH]);
    if (isfinite(t->v[REPORT_RATE]) && t->v[REPORT_RATE] < 1e15)
        strbuf_printf(out, ", "), grouped((int64_t)(t->v[REPORT_RATE] + 0.5), out),
            strbuf_printf(out, " items/s");
    card_end(out);
}

void report_headline(const report_record *r, strbuf *out)
{
    strbuf_printf(out, "<header><h1>");
    text(path_base(r->run), out);
    strbuf_printf(out, "</h1><span class=\"state %s\">%s</span><span class=\"dim\">", r->state,
                  r->state);
    text(r->model, out);
    if (r->why && *r->why)
        strbuf_printf(out, "; "), text(r->why, out);
    strbuf_printf(out, "</span></header>\n<div class=\"cards\">\n");
    best_card(r, out);
    data_card(r, out);
    size_card(r, out);
    time_card(r, out);
    strbuf_printf(out, "</div>\n");
}

// ---- The evaluations

static bool shown(const report_record *r, report_figure f)
{
    return f < REPORT_ITEMS && isfinite(r->last[(r->evaluations - 1) % REPORT_LAST].v[f]);
}

static void evaluation(const report_record *r, const report_row *row, bool best, strbuf *out)
{
    strbuf_printf(out, "<tr%s>", best ? " class=\"best\"" : "");
    for (report_figure f = 0; f < REPORT_FIGURES; f++)
        if (shown(r, f)) {
            strbuf_printf(out, "<td>");
            report_value(f, row->v[f], out);
            strbuf_printf(out, "</td>");
        }
    strbuf_printf(out, "<td>%s</td></tr>\n", best ? "<span title=\"the best\">&#9733;</span>" : "");
}

void report_evaluations(const report_record *r, strbuf *out)
{
    if (!r->evaluations)
        return;
    int64_t first = r->evaluations > REPORT_LAST ? r->evaluations - REPORT_LAST : 0;
    strbuf_printf(out, "<h2>Evaluations%s</h2>\n<div class=\"wide\"><table><tr>",
                  first ? ": the last 20" : "");
    for (report_figure f = 0; f < REPORT_FIGURES; f++)
        if (shown(r, f))
            strbuf_printf(out, "<th>%s</th>", f == REPORT_MACRO_F1 ? "macro-F1" : report_names[f]);
    strbuf_printf(out, "<th></th></tr>\n");
    if (first && r->has_best &&
        r->best.v[REPORT_STEP] < r->last[first % REPORT_LAST].v[REPORT_STEP])
        evaluation(r, &r->best, true, out);
    for (int64_t i = first; i < r->evaluations; i++) {
        const report_row *row = &r->last[i % REPORT_LAST];
        evaluation(r, row, r->has_best && row->v[REPORT_STEP] == r->best.v[REPORT_STEP], out);
    }
    strbuf_printf(out, "</table></div>\n");
}
