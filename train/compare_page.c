// SPDX-License-Identifier: GPL-3.0-or-later
// compare_page.c: the page about several runs: curves over each other, then tables, then confusion
// matrices side by side (compare.h).
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "train/compare.h"
#include "train/report_chart.h"

// Sorts a table by the column whose head is clicked. All is there to read without it.
static const char script[] =
    "<script>\n"
    "document.querySelectorAll('table.sort').forEach(t=>{const b=t.tBodies[0];\n"
    "t.querySelectorAll('thead th').forEach((h,k)=>{if(!h.textContent)return;\n"
    "const go=()=>{const up=h.getAttribute('aria-sort')!=='ascending';\n"
    "t.querySelectorAll('thead th').forEach(o=>o.removeAttribute('aria-sort'));\n"
    "h.setAttribute('aria-sort',up?'ascending':'descending');\n"
    "const v=r=>{const c=r.cells[k],d=c.dataset.v;return d===undefined?c.textContent:"
    "d===''?NaN:+d};\n"
    "[...b.rows].map(r=>[v(r),r]).sort(([x],[y])=>{const n=typeof x==='number';\n"
    "if(n&&(isNaN(x)||isNaN(y)))return isNaN(x)-isNaN(y);\n"
    "const d=n?x-y:x.localeCompare(y,undefined,{numeric:true});return up?d:-d})\n"
    ".forEach(([,r])=>b.append(r))};\n"
    "h.className+=' click';h.tabIndex=0;h.onclick=go;\n"
    "h.onkeydown=e=>{if(e.key==='Enter'||e.key===' '){e.preventDefault();go()}}})})\n"
    "</script>\n";

// ---- Lines

typedef struct drawing {
    const compare *c;
    arena *a;
    svg_series *s; // as many as there may be
    int n;
    bool train; // the lines of training, not those of evaluations
    report_figure figure;
} drawing;

static const report_curve *curve_of(const drawing *d, const compare_run *x)
{
    return d->train ? &x->record.train : &x->record.eval;
}

static void add_line(drawing *d, const report_curve *curve, const char *name, int colour, bool thin)
{
    d->s[d->n++] = (svg_series){.name = name,
                                .colour = colour,
                                .curve = curve,
                                .figure = d->figure,
                                .dots = !thin && !d->train && curve->n <= 40,
                                .thin = thin};
}

static void add_greys(drawing *d)
{
    int n = 0;
    for (size_t i = 0; i < d->c->n && n < COMPARE_GREYS; i++) {
        const compare_run *x = &d->c->list[i];
        if (x->colour < 0 && x->read)
            add_line(d, curve_of(d, x), x->info->name, -1, true), n++;
    }
}

// The point of that epoch, from `from` on; -1: there is none.
static int point_at(const report_curve *c, int from, double epoch)
{
    while (from < c->n && c->at[from].v[REPORT_EPOCH] < epoch - 1e-9)
        from++;
    return from < c->n && fabs(c->at[from].v[REPORT_EPOCH] - epoch) < 1e-9 ? from : -1;
}

// The mean of the setting's runs at the epochs that all of them have.
static const report_curve *mean_of(const drawing *d, const compare_setting *s)
{
    report_curve *mean = NEW(d->a, report_curve, 1);
    const report_curve *first = NULL;
    for (size_t i = 0; i < s->n && !first; i++)
        first = d->c->list[s->runs[i]].read ? curve_of(d, &d->c->list[s->runs[i]]) : NULL;
    mean->at = NEW(d->a, report_row, (size_t)(first ? first->n : 0) + 1);
    for (int p = 0; first && p < first->n; p++) {
        double sum = 0, n = 0, epoch = first->at[p].v[REPORT_EPOCH];
        bool all = true;
        for (size_t i = 0; i < s->n && all; i++) {
            const compare_run *x = &d->c->list[s->runs[i]];
            int at = x->read ? point_at(curve_of(d, x), 0, epoch) : -1;
            all = at >= 0 || !x->read;
            if (at >= 0)
                sum += curve_of(d, x)->at[at].v[d->figure], n++;
        }
        report_row *row = &mean->at[mean->n];
        if (all && isfinite(sum))
            row->v[REPORT_EPOCH] = epoch, row->v[d->figure] = sum / n, mean->n++;
    }
    return mean;
}

static void add_setting(drawing *d, const compare_setting *s)
{
    const char *name = compare_setting_name(d->c, s, d->a);
    const report_curve *mean = s->n > 1 ? mean_of(d, s) : NULL;
    for (size_t i = s->n; i-- > 0;) {
        const compare_run *x = &d->c->list[s->runs[i]];
        if (x->read)
            add_line(d, curve_of(d, x), x->info->name, s->colour, mean && mean->n > 1);
    }
    if (mean && mean->n > 1)
        add_line(d, mean, arena_printf(d->a, "%s, mean of %zu", name, s->n), s->colour, false);
}

// The worst first, so that the best lie over the others.
static void add_coloured(drawing *d)
{
    const compare *c = d->c;
    for (size_t i = c->n_settings; c->seeds && i-- > 0;)
        if (c->settings[i].colour >= 0)
            add_setting(d, &c->settings[i]);
    for (size_t i = c->n; !c->seeds && i-- > 0;)
        if (c->list[i].colour >= 0)
            add_line(d, curve_of(d, &c->list[i]), c->list[i].info->name, c->list[i].colour, false);
}

static bool any_point(const drawing *d)
{
    for (int s = 0; s < d->n; s++)
        for (int i = 0; i < d->s[s].curve->n; i++)
            if (isfinite(d->s[s].curve->at[i].v[d->figure]))
                return true;
    return false;
}

static void chart(const compare *c, report_figure figure, bool train, int number, arena *a,
                  strbuf *out)
{
    drawing d = {.c = c, .a = a, .train = train, .figure = figure};
    const report_record *best = &c->list[0].record;
    d.s = NEW(a, svg_series, c->n + c->n_settings + 1);
    add_greys(&d), add_coloured(&d);
    if (!any_point(&d))
        return;
    bool ring = !train && best->has_best;
    svg_chart chart = {.title = train ? "training loss" : report_figure_name(figure),
                       .series = d.s,
                       .n = d.n,
                       .baseline = ring && best->has_baseline ? best->baseline.v[figure] : NAN,
                       .best_x = ring ? best->best.v[REPORT_EPOCH] : NAN,
                       .best_y = ring ? best->best.v[figure] : NAN,
                       .clip = number};
    strbuf_printf(out, "<figure>");
    svg_line_chart(&chart, out);
    strbuf_printf(out, "</figure>\n");
}

static void charts(const compare *c, arena *a, strbuf *out)
{
    int n = 1;
    strbuf_printf(out, "<div class=\"charts\">\n");
    chart(c, c->figure, false, n++, a, out);
    if (c->beside != c->figure)
        chart(c, c->beside, false, n++, a, out);
    if (c->figure != REPORT_LOSS && c->beside != REPORT_LOSS)
        chart(c, REPORT_LOSS, false, n++, a, out);
    chart(c, REPORT_LOSS, true, n, a, out);
    strbuf_printf(out, "</div>\n");
}

// ---- The legend

static void entry(int colour, const char *name, report_figure f, double value, const char *more,
                  strbuf *out)
{
    strbuf_printf(out, "<li><i style=\"background:var(--c%d)\"></i>", colour);
    svg_escape(*name ? name : "all alike", out);
    if (isfinite(value))
        strbuf_printf(out, " <b>"), report_value(f, value, out), strbuf_printf(out, "</b>");
    strbuf_printf(out, "%s</li>\n", more);
}

static void legend(const compare *c, arena *a, strbuf *out)
{
    size_t grey = 0;
    strbuf_printf(out, "<ul class=\"legend\">\n");
    for (size_t i = 0; c->seeds && i < c->n_settings; i++) {
        const compare_setting *s = &c->settings[i];
        if (s->colour >= 0)
            entry(s->colour, compare_setting_name(c, s, a), c->figure, s->best.mean,
                  i ? "" : " &#9733;", out);
    }
    for (size_t i = 0; i < c->n; i++) {
        const compare_run *x = &c->list[i];
        grey += x->read && x->colour < 0;
        if (!c->seeds && x->colour >= 0)
            entry(x->colour, x->info->name, c->figure, x->best,
                  !i && isfinite(x->best) ? " &#9733;" : "", out);
    }
    if (grey)
        strbuf_printf(out, "<li><i style=\"background:var(--grey)\"></i>%zu other%s%s</li>\n", grey,
                      grey == 1 ? "" : "s",
                      grey > COMPARE_GREYS ? ", of which the best hundred are drawn" : "");
    strbuf_printf(out,
                  "</ul>\n<p class=\"dim\">%sThe ring is the best evaluation of the best run."
                  "%s</p>\n",
                  c->seeds ? "Thick: the mean of the runs of a setting, over its seeds; thin: each "
                             "of them. "
                           : "",
                  c->monitors_differ ? " These runs were not all judged by the same figure "
                                       "(train.early_stopping.monitor)."
                                     : "");
}

// ---- Confusion matrices

// Of the best runs, of each setting one: they are read once more, with their labels.
static void matrices(const compare *c, arena *a, strbuf *out)
{
    int n = 0;
    for (size_t i = 0; i < c->n && n < COMPARE_MATRICES; i++) {
        const compare_run *x = &c->list[i];
        report_record r;
        if (!x->record.has_best || (c->seeds && c->settings[x->setting].runs[0] != i) ||
            !report_read(x->info->path, &r, a, NULL) || !report_has_confusion(&r))
            continue;
        if (!n++)
            strbuf_printf(out,
                          "<h2>Confusion matrices of the best</h2>\n<p class=\"dim\">Of each "
                          "%s best evaluation. A row is a true class, a column what the model "
                          "said.</p>\n<div class=\"side\">\n",
                          c->seeds ? "setting the best run's" : "run's");
        strbuf_printf(out, "<figure><figcaption>");
        svg_escape(x->info->name, out);
        strbuf_printf(out, ", ");
        report_value(c->beside, r.best.v[c->beside], out);
        strbuf_printf(out, " at epoch %.4g</figcaption>", r.best.v[REPORT_EPOCH]);
        report_matrix(&r, true, out);
        strbuf_printf(out, "</figure>\n");
    }
    if (n)
        strbuf_printf(out, "</div>\n");
}

void compare_page(const compare *c, const char *title, arena *a, strbuf *out)
{
    strbuf_printf(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
        "content=\"width=device-width,initial-scale=1\">\n<title>");
    svg_escape(path_base(title), out);
    strbuf_printf(out, "</title>\n<style>\n%s%s</style></head><body>\n", report_style,
                  report_style_of_several);
    compare_headline(c, title, a, out);
    charts(c, a, out);
    legend(c, a, out);
    compare_settings_table(c, out);
    compare_reasons(c, out);
    compare_runs_table(c, out);
    matrices(c, a, out);
    strbuf_printf(out, "%s</body></html>\n", script);
}
