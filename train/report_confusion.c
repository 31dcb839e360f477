// SPDX-License-Identifier: GPL-3.0-or-later
// report_confusion.c: what the best evaluation took for what: the confusion matrix, as a table of
// few classes or a picture of many, and the items that it got most wrong.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/report.h"

// Classes of a matrix whose numbers can be read, and of one beside others; pairs that are named.
enum { TABLE = 24, SMALL_TABLE = 12, PAIRS = 20 };

static void text(const char *s, strbuf *out)
{
    svg_escape(s ? s : "", out);
}

static void label(const report_record *r, int i, strbuf *out)
{
    if (r->labels && i >= 0 && i < r->classes)
        text(r->labels[i], out);
    else
        strbuf_printf(out, "%d", i);
}

static void count_rows(const report_record *r, long long *sum)
{
    for (size_t i = 0; i < r->n_cells; i++)
        sum[r->cells[i].truth] += r->cells[i].n;
}

// ---- Few classes: a table

// From these shares on a number is better read in the colour of the page than in that of its text:
// by day (hot), by night already from the smaller one on. Either way the contrast is 3.8 or more.
static const double HOT = 0.87, WARM = 0.63;

static void matrix_row(const report_record *r, const long long *row, int i, bool small, strbuf *out)
{
    long long sum = 0;
    for (int j = 0; j < r->classes; j++)
        sum += row[j];
    strbuf_printf(out, "<tr><th scope=\"row\">");
    label(r, i, out);
    strbuf_printf(out, "</th>");
    for (int j = 0; j < r->classes; j++) {
        double share = sum ? (double)row[j] / (double)sum : 0;
        strbuf_printf(out,
                      "<td class=\"%s%s\" style=\"background:rgba(var(--heat),%.2f)\">%lld</td>",
                      i == j ? "right" : "",
                      share > HOT    ? " hot"
                      : share > WARM ? " warm"
                                     : "",
                      share, row[j]);
    }
    if (small)
        strbuf_printf(out, "</tr>\n");
    else if (sum)
        strbuf_printf(out, "<td class=\"sum\">%.0f%%</td></tr>\n",
                      100.0 * (double)row[i] / (double)sum);
    else
        strbuf_printf(out, "<td class=\"sum\">none</td></tr>\n");
}

static void table(const report_record *r, bool small, strbuf *out)
{
    long long cells[TABLE * TABLE] = {0};
    for (size_t i = 0; i < r->n_cells; i++)
        cells[r->cells[i].truth * r->classes + r->cells[i].said] += r->cells[i].n;
    strbuf_printf(out, "<div class=\"wide\"><table class=\"confusion\"><thead><tr><td></td>");
    for (int j = 0; j < r->classes; j++) {
        strbuf_printf(out, "<th scope=\"col\">");
        label(r, j, out);
        strbuf_printf(out, "</th>");
    }
    strbuf_printf(out, "%s</tr></thead><tbody>\n", small ? "" : "<th class=\"sum\">right</th>");
    for (int i = 0; i < r->classes; i++)
        matrix_row(r, cells + i * r->classes, i, small, out);
    strbuf_printf(out, "</tbody></table></div>\n");
}

// ---- Many classes: a picture

// A square for each that is not 0, the darker the larger its share of its row; those of a shade are
// one path.
static void picture(const report_record *r, const long long *sum, strbuf *out)
{
    enum { SHADES = 8 };
    strbuf_printf(out,
                  "<svg class=\"heat\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
                  "role=\"img\" aria-label=\"confusion matrix of %d classes\">\n",
                  r->classes, r->classes, r->classes);
    for (int k = 0; k < SHADES; k++) {
        strbuf_printf(out, "<path style=\"fill:rgba(var(--heat),%.2f)\" d=\"", (k + 1.0) / SHADES);
        for (size_t i = 0; i < r->n_cells; i++) {
            const report_cell *c = &r->cells[i];
            double share = (double)c->n / (double)sum[c->truth];
            if ((int)ceil(share * SHADES - 1e-9) - 1 == k)
                strbuf_printf(out, "M%d %dh1v1h-1z", c->said, c->truth);
        }
        strbuf_printf(out, "\"/>\n");
    }
    strbuf_printf(out, "</svg>\n");
}

static int by_count(const void *x, const void *y)
{
    const report_cell *a = x, *b = y;
    if (a->n != b->n)
        return a->n < b->n ? 1 : -1;
    return a->truth != b->truth ? a->truth - b->truth : a->said - b->said;
}

// What is taken for something else most often.
static void pairs(const report_record *r, const long long *sum, strbuf *out)
{
    arena a = {.name = "pairs"};
    report_cell *wrong = NEW(&a, report_cell, r->n_cells + 1);
    size_t n = 0;
    for (size_t i = 0; i < r->n_cells; i++)
        if (r->cells[i].truth != r->cells[i].said)
            wrong[n++] = r->cells[i];
    qsort(wrong, n, sizeof *wrong, by_count);
    strbuf_printf(out, "<div class=\"wide\"><table><thead><tr><th class=\"l\">true</th><th "
                       "class=\"l\">taken for</th><th>items</th><th>of</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < n && i < PAIRS; i++) {
        strbuf_printf(out, "<tr><td class=\"l\">");
        label(r, wrong[i].truth, out);
        strbuf_printf(out, "</td><td class=\"l\">");
        label(r, wrong[i].said, out);
        strbuf_printf(out, "</td><td>%lld</td><td>%lld</td></tr>\n", wrong[i].n,
                      sum[wrong[i].truth]);
    }
    strbuf_printf(out, "</tbody></table></div>\n");
    arena_free(&a);
}

bool report_has_confusion(const report_record *r)
{
    return r->has_best && r->classes > 0 && r->n_cells > 0;
}

void report_matrix(const report_record *r, bool small, strbuf *out)
{
    arena a = {.name = "matrix"};
    long long *sum = NEW(&a, long long, (size_t)r->classes);
    count_rows(r, sum);
    if (r->classes <= (small ? SMALL_TABLE : TABLE)) {
        table(r, small, out);
    } else if (small) {
        picture(r, sum, out);
    } else {
        strbuf_printf(out, "<div class=\"side\">\n");
        picture(r, sum, out), pairs(r, sum, out);
        strbuf_printf(out, "</div>\n");
    }
    arena_free(&a);
}

// ---- Beside a run's figures

static void whose(const report_record *r, strbuf *out)
{
    strbuf_printf(out,
                  "Of the best evaluation, at epoch %.4g, step %.0f: ", r->best.v[REPORT_EPOCH],
                  r->best.v[REPORT_STEP]);
    if (r->best_file_step == (int64_t)r->best.v[REPORT_STEP])
        strbuf_printf(out, "the weights in checkpoints/best.h5.");
    else
        strbuf_printf(out, "no checkpoint holds these weights.");
}

void report_confusion(const report_record *r, strbuf *out)
{
    if (!report_has_confusion(r))
        return;
    strbuf_printf(out, "<h2>Confusion matrix of the best checkpoint</h2>\n<p class=\"dim\">");
    whose(r, out);
    strbuf_printf(out, " A row is a true class, a column what the model said%s.</p>\n",
                  r->classes > TABLE ? "; the stronger its colour, the larger its share of the row"
                                     : "");
    report_matrix(r, false, out);
}

static void percent(double p, strbuf *out)
{
    if (isfinite(p))
        strbuf_printf(out, "<td>%.*f%%</td>", p < 0.01 || p > 0.99 ? 2 : 1, 100 * p);
    else
        strbuf_printf(out, "<td>-</td>");
}

static void mistake(const report_record *r, const report_case *c, strbuf *out)
{
    strbuf_printf(out, "<tr><td class=\"l path\">");
    text(c->path, out);
    strbuf_printf(out, "</td>");
    if (c->truth >= 0) {
        strbuf_printf(out, "<td class=\"l\">");
        label(r, c->truth, out);
        strbuf_printf(out, "</td><td class=\"l\">");
        label(r, c->said, out);
        strbuf_printf(out, "</td>");
        percent(c->p, out), percent(c->p_truth, out);
    }
    strbuf_printf(out, "<td>");
    report_value(REPORT_LOSS, c->loss, out);
    strbuf_printf(out, "</td></tr>\n");
}

void report_mistakes(const report_record *r, strbuf *out)
{
    if (!r->n_worst || !r->has_best)
        return;
    bool classes = r->worst[0].truth >= 0;
    strbuf_printf(out, "<h2>%s</h2>\n<p class=\"dim\">",
                  classes ? "What it got most wrong" : "What it is worst at");
    whose(r, out);
    strbuf_printf(out, " %s</p>\n<div class=\"wide\"><table><thead><tr><th class=\"l\">item</th>",
                  classes ? "The wrongly told items to whose true class it gave least."
                          : "The items of the largest loss.");
    if (classes)
        strbuf_printf(out, "<th class=\"l\">true</th><th class=\"l\">said</th><th>probability</th>"
                           "<th>of the true</th>");
    strbuf_printf(out, "<th>loss</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < r->n_worst; i++)
        mistake(r, &r->worst[i], out);
    strbuf_printf(out, "</tbody></table></div>\n");
}
