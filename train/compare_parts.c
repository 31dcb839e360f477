// SPDX-License-Identifier: GPL-3.0-or-later
// compare_parts.c: what a comparison says in words and tables: the headline, the settings with mean
// and spread over their seeds, every run with the keys that differ (compare.h).
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/compare.h"

static void text(const char *s, strbuf *out)
{
    svg_escape(s ? s : "", out);
}

// ---- Names

// What is its own in a long value: "...a...".
static void short_value(const compare_key *k, const char *value, strbuf *out)
{
    size_t n = strlen(value), before = n > k->before + k->behind ? k->before : 0,
           behind = n > k->before + k->behind ? k->behind : 0;
    strbuf_printf(out, "%s%.*s%s", before ? "..." : "", (int)(n - before - behind), value + before,
                  behind ? "..." : "");
}

const char *compare_setting_name(const compare *c, const compare_setting *s, arena *a)
{
    strbuf out = {0};
    for (int k = 0; k < c->n_keys; k++) {
        int key = c->keys[k].key;
        if (compare_is_label(c, key))
            continue;
        const char *value = runs_value(c->runs, c->list[s->runs[0]].at, key);
        strbuf_printf(&out, "%s%s ", out.len ? ", " : "", runs_short_name(c->runs, key));
        short_value(&c->keys[k], *value ? value : "?", &out);
    }
    return strbuf_keep(&out, a);
}

// ---- The headline

static void states(const compare *c, strbuf *out)
{
    static const char *const colours[RUN_STATES] = {[RUN_DONE] = " done", [RUN_FAILED] = " failed"};
    size_t count[RUN_STATES] = {0}, damaged = 0;
    for (size_t i = 0; i < c->n; i++)
        count[c->list[i].info->state]++, damaged += c->list[i].trouble != NULL;
    for (int s = 0; s < RUN_STATES; s++)
        if (count[s])
            strbuf_printf(out, "<span class=\"state%s\">%zu %s</span>",
                          colours[s] ? colours[s] : "", count[s], run_states[s]);
    if (damaged)
        strbuf_printf(out, "<span class=\"state failed\">%zu damaged</span>", damaged);
}

static void spread(report_figure f, const compare_spread *s, strbuf *out)
{
    report_value(f, s->mean, out);
    if (s->n > 1 && f == REPORT_ACCURACY)
        strbuf_printf(out, " &#177; %.1f", 100 * s->deviation);
    else if (s->n > 1)
        strbuf_printf(out, " &#177; "), report_value(f, s->deviation, out);
}

static void best_run_card(const compare *c, arena *a, strbuf *out)
{
    const compare_run *x = &c->list[0];
    strbuf_printf(out, "<div class=\"card main\"><b>");
    report_value(c->figure, x->best, out);
    if (!isfinite(x->best)) {
        strbuf_printf(out, "</b><span>nothing is evaluated yet</span></div>\n");
        return;
    }
    strbuf_printf(out, "</b><span>best %s, of ", report_figure_name(c->figure));
    text(x->info->name, out);
    strbuf_printf(out, " at epoch %.4g", x->record.best.v[REPORT_EPOCH]);
    if (c->beside != c->figure)
        strbuf_printf(out, "; %s there: ", report_figure_name(c->beside)),
            report_value(c->beside, x->beside, out);
    const char *name = compare_setting_name(c, &c->settings[x->setting], a);
    if (*name)
        strbuf_printf(out, "; "), text(name, out);
    strbuf_printf(out, "</span></div>\n");
}

static void best_setting_card(const compare *c, arena *a, strbuf *out)
{
    const compare_setting *s = &c->settings[0];
    if (s->best.n < 2)
        return;
    strbuf_printf(out, "<div class=\"card\"><b>");
    spread(c->figure, &s->best, out);
    strbuf_printf(out, "</b><span>mean of %d seeds%s", s->best.n,
                  c->n_settings > 1 ? ", of the best setting: " : "");
    text(compare_setting_name(c, s, a), out);
    strbuf_printf(out, "</span></div>\n");
}

static void time_card(const compare *c, strbuf *out)
{
    double seconds = 0;
    char time[32];
    for (size_t i = 0; i < c->n; i++)
        seconds += isfinite(c->list[i].info->seconds) ? c->list[i].info->seconds : 0;
    strbuf_printf(out,
                  "<div class=\"card\"><b>%s</b><span>of training, all together</span></div>\n",
                  str_human_time(seconds, time));
}

void compare_headline(const compare *c, const char *title, arena *a, strbuf *out)
{
    strbuf_printf(out, "<header><h1>");
    text(title, out);
    strbuf_printf(out, "</h1>");
    states(c, out);
    strbuf_printf(out, "</header>\n<div class=\"cards\">\n");
    best_run_card(c, a, out);
    best_setting_card(c, a, out);
    time_card(c, out);
    strbuf_printf(out, "</div>\n");
}

// ---- Cells

static void figure_cell(report_figure f, double v, strbuf *out)
{
    strbuf_printf(out, isfinite(v) ? "<td data-v=\"%.9g\">" : "<td data-v=\"\">", v);
    report_value(f, v, out);
    strbuf_printf(out, "</td>");
}

static void swatch(int colour, strbuf *out)
{
    if (colour < 0)
        strbuf_printf(out, "<i style=\"background:var(--grey)\"></i>");
    else
        strbuf_printf(out, "<i style=\"background:var(--c%d)\"></i>", colour);
}

static void key_heads(const compare *c, bool seed, strbuf *out)
{
    for (int k = 0; k < c->n_keys; k++)
        if (seed || !compare_is_label(c, c->keys[k].key)) {
            strbuf_printf(out, "<th title=\"");
            text(c->runs->keys[c->keys[k].key], out);
            strbuf_printf(out, "\">");
            text(runs_short_name(c->runs, c->keys[k].key), out);
            strbuf_printf(out, "</th>");
        }
}

static void key_cell(const compare_key *k, const char *value, strbuf *out)
{
    char *end;
    double number = strtod(value, &end);
    strbuf own = {0};
    if (*value && !*end && isfinite(number))
        strbuf_printf(out, "<td data-v=\"%.9g\">", number);
    else
        strbuf_printf(out, "<td class=\"key\" title=\""), text(value, out),
            strbuf_printf(out, "\">");
    short_value(k, value, &own);
    text(own.s, out);
    strbuf_printf(out, "</td>");
    strbuf_free(&own);
}

static void key_cells(const compare *c, size_t at, bool seed, strbuf *out)
{
    for (int k = 0; k < c->n_keys; k++)
        if (seed || !compare_is_label(c, c->keys[k].key))
            key_cell(&c->keys[k], runs_value(c->runs, at, c->keys[k].key), out);
}

// ---- Settings

static void spread_cell(report_figure f, const compare_spread *s, strbuf *out)
{
    strbuf_printf(out, isfinite(s->mean) ? "<td data-v=\"%.9g\">" : "<td data-v=\"\">", s->mean);
    spread(f, s, out);
    strbuf_printf(out, "</td>");
}

static void setting_row(const compare *c, size_t i, strbuf *out)
{
    const compare_setting *s = &c->settings[i];
    strbuf_printf(out, "<tr%s><td class=\"l\">",
                  !i && isfinite(s->best.mean) ? " class=\"best\"" : "");
    swatch(c->seeds ? s->colour : -1, out);
    strbuf_printf(out, "%s</td>", !i && isfinite(s->best.mean) ? "&#9733;" : "");
    key_cells(c, c->list[s->runs[0]].at, false, out);
    strbuf_printf(out, "<td data-v=\"%d\">%d of %zu</td>", s->best.n, s->best.n, s->n);
    spread_cell(c->figure, &s->best, out);
    if (c->beside != c->figure)
        spread_cell(c->beside, &s->beside, out);
    spread_cell(c->figure, &s->last, out);
    strbuf_printf(out, "</tr>\n");
}

void compare_settings_table(const compare *c, strbuf *out)
{
    bool any = false;
    for (size_t i = 0; i < c->n_settings; i++)
        any = any || c->settings[i].n > 1;
    if (!any)
        return;
    strbuf_printf(out,
                  "<h2>Settings, over their seeds</h2>\n<p class=\"dim\">Mean and sample standard "
                  "deviation of the runs that are done and differ in train.seed alone.</p>\n<div "
                  "class=\"wide\"><table class=\"sort\"><thead><tr><th></th>");
    key_heads(c, false, out);
    strbuf_printf(out, "<th>n</th><th>best %s</th>", report_figure_name(c->figure));
    if (c->beside != c->figure)
        strbuf_printf(out, "<th>%s there</th>", report_figure_name(c->beside));
    strbuf_printf(out, "<th>last %s</th></tr></thead><tbody>\n", report_figure_name(c->figure));
    for (size_t i = 0; i < c->n_settings; i++)
        setting_row(c, i, out);
    strbuf_printf(out, "</tbody></table></div>\n");
}

// ---- Runs

static void steps_cell(const run_info *r, strbuf *out)
{
    if (r->step < 0)
        strbuf_printf(out, "<td data-v=\"0\">-</td>");
    else if (r->total < 0 || r->total == r->step)
        strbuf_printf(out, "<td data-v=\"%lld\">%lld</td>", (long long)r->step, (long long)r->step);
    else
        strbuf_printf(out, "<td data-v=\"%lld\">%lld/%lld</td>", (long long)r->step,
                      (long long)r->step, (long long)r->total);
}

static void run_row(const compare *c, const compare_run *x, bool best, strbuf *out)
{
    const run_info *r = x->info;
    char time[32];
    strbuf_printf(out, "<tr%s><td class=\"l\">", best ? " class=\"best\"" : "");
    swatch(x->colour, out);
    text(r->name, out);
    strbuf_printf(out, "%s</td><td class=\"l\"><span class=\"state %s\">%s</span></td>",
                  best ? " &#9733;" : "", run_states[r->state], run_states[r->state]);
    figure_cell(c->figure, x->best, out);
    if (c->beside != c->figure)
        figure_cell(c->beside, x->beside, out);
    figure_cell(REPORT_EPOCH, x->record.has_best ? x->record.best.v[REPORT_EPOCH] : NAN, out);
    figure_cell(c->figure, x->last, out);
    steps_cell(r, out);
    if (isfinite(r->seconds))
        strbuf_printf(out, "<td data-v=\"%.9g\">%s</td>", r->seconds,
                      str_human_time(r->seconds, time));
    else
        strbuf_printf(out, "<td data-v=\"\">-</td>");
    key_cells(c, x->at, true, out);
    strbuf_printf(out, "</tr>\n");
}

void compare_runs_table(const compare *c, strbuf *out)
{
    strbuf_printf(out,
                  "<h2>Runs</h2>\n<div class=\"wide\"><table class=\"sort\"><thead><tr><th "
                  "class=\"l\">run</th><th class=\"l\">state</th><th>best %s</th>",
                  report_figure_name(c->figure));
    if (c->beside != c->figure)
        strbuf_printf(out, "<th>%s there</th>", report_figure_name(c->beside));
    strbuf_printf(out, "<th>at epoch</th><th>last</th><th>steps</th><th>time</th>");
    key_heads(c, true, out);
    strbuf_printf(out, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < c->n; i++)
        run_row(c, &c->list[i], !i && isfinite(c->list[i].best), out);
    strbuf_printf(out, "</tbody></table></div>\n");
}

// ---- Reasons

// Of a run that did not come to its end, or cannot be read; NULL: of no other.
static const char *reason_of(const compare_run *x)
{
    return x->trouble ? x->trouble : x->info->state != RUN_DONE ? x->info->why : NULL;
}

static bool same_reason(const compare_run *x, const compare_run *y)
{
    const char *a = reason_of(x), *b = reason_of(y);
    return a && b && !strcmp(a, b) && x->info->state == y->info->state;
}

// Those of one reason together, where the first of them stands.
static void reason_row(const compare *c, size_t i, strbuf *out)
{
    const compare_run *x = &c->list[i];
    for (size_t k = 0; k < i; k++)
        if (same_reason(&c->list[k], x))
            return;
    strbuf_printf(out, "<tr><td class=\"l names\">");
    text(x->info->name, out);
    for (size_t k = i + 1; k < c->n; k++)
        if (same_reason(&c->list[k], x))
            strbuf_printf(out, ", "), text(c->list[k].info->name, out);
    strbuf_printf(out,
                  "</td><td class=\"l\"><span class=\"state %s\">%s</span></td><td class=\"l "
                  "why\">",
                  x->trouble ? "failed" : run_states[x->info->state],
                  x->trouble ? "damaged" : run_states[x->info->state]);
    text(reason_of(x), out);
    strbuf_printf(out, "</td></tr>\n");
}

void compare_reasons(const compare *c, strbuf *out)
{
    bool any = false;
    for (size_t i = 0; i < c->n; i++)
        any = any || reason_of(&c->list[i]);
    if (!any)
        return;
    strbuf_printf(out, "<h2>Not done, and why</h2>\n<div class=\"wide\"><table class=\"reasons\">"
                       "<tbody>\n");
    for (size_t i = 0; i < c->n; i++)
        if (reason_of(&c->list[i]))
            reason_row(c, i, out);
    strbuf_printf(out, "</tbody></table></div>\n");
}
