// SPDX-License-Identifier: GPL-3.0-or-later
// report_groups.c: a model of several groups in its best evaluation, a line each (report.h).
#include <math.h>
#include <string.h>

#include "train/report.h"

enum { MOST = 64 };

// Who looks at nothing says the same each time: it is written down beside the first evaluation.
static double baseline_of(const report_group *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(list[i].name, name))
            return list[i].baseline;
    return NAN;
}

void report_keep_groups(report_record *r, const json *groups, arena *a)
{
    const report_group *before = r->groups;
    size_t n = json_len(groups), n_before = r->n_groups;
    r->n_groups = 0;
    r->groups = json_type(groups) == JSON_OBJECT && n <= MOST ? NEW(a, report_group, n + 1) : NULL;
    for (void *it = r->groups ? json_first(groups) : NULL; it; it = json_next(groups, it)) {
        const json *g = json_value(it);
        r->groups[r->n_groups++] =
            (report_group){.name = arena_strdup(a, json_key(it)),
                           .items = json_int(json_get(g, "items"), 0),
                           .accuracy = json_num(json_get(g, "accuracy"), NAN),
                           .macro_f1 = json_num(json_get(g, "macro_f1"), NAN),
                           .uar = json_num(json_get(g, "uar"), NAN),
                           .baseline = json_num(json_get(g, "baseline"),
                                                baseline_of(before, n_before, json_key(it)))};
    }
}

static void cell(report_figure f, double v, strbuf *out)
{
    strbuf_printf(out, "<td>");
    if (isfinite(v))
        report_value(f, v, out);
    else
        strbuf_printf(out, "-");
    strbuf_printf(out, "</td>");
}

void report_groups(const report_record *r, strbuf *out)
{
    if (!r->n_groups || !r->has_best)
        return;
    strbuf_printf(out,
                  "<h2>Groups</h2>\n<p class=\"dim\">Of the best evaluation: each group of "
                  "classes by itself; always the most common is what one reaches who looks at "
                  "nothing.</p>\n<div class=\"wide\"><table><thead><tr><th class=\"l\">group</th>"
                  "<th>items</th><th>accuracy</th><th>always the most common</th><th>macro-F1</th>"
                  "<th>mean recall</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < r->n_groups; i++) {
        const report_group *g = &r->groups[i];
        strbuf_printf(out, "<tr><td class=\"l\">");
        svg_escape(g->name, out);
        strbuf_printf(out, "</td><td>%lld</td>", (long long)g->items);
        cell(REPORT_ACCURACY, g->accuracy, out), cell(REPORT_ACCURACY, g->baseline, out);
        cell(REPORT_MACRO_F1, g->macro_f1, out), cell(REPORT_ACCURACY, g->uar, out);
        strbuf_printf(out, "</tr>\n");
    }
    strbuf_printf(out, "</tbody></table></div>\n");
}
