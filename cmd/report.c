// SPDX-License-Identifier: GPL-3.0-or-later
// report.c: a page about runs: one alone, or several beside each other.
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cmd/cmd.h"
#include "train/compare.h"

static const option options[] = {
    {"out", 'o', OPT_OUT, "FILE.html",
     "where the page goes (default: report.html in the folder that is named, or here)", false},
    {0},
};

// The folder's own, where one is named.
static const char *page_path(cmd *c)
{
    const char *out = option_text(c, "out", NULL);
    return out             ? out
           : c->n_args > 1 ? "report.html"
                           : path_join(c->arena, c->args[0], "report.html");
}

static bool one_run(cmd *c, const run_info *run, err *e)
{
    const char *out = option_text(c, "out", NULL);
    return out ? report_write_to(run->path, out, e) : report_write(run->path, NULL, NULL, e);
}

// Without slashes at its end, or with a name where it is the folder that we are in.
static const char *title_of(cmd *c, size_t n)
{
    char full[4096];
    if (c->n_args > 1)
        return arena_printf(c->arena, "%zu runs", n);
    return *path_base(c->args[0]) && strcmp(c->args[0], ".")
               ? c->args[0]
               : (realpath(c->args[0], full) ? arena_strdup(c->arena, full) : c->args[0]);
}

static bool several(cmd *c, const runs *r, err *e)
{
    compare k;
    strbuf html = {0};
    if (!compare_read(&k, r, c->arena, e))
        return false;
    for (size_t i = 0; i < k.n; i++)
        if (k.list[i].trouble)
            cmd_complain(c, "%s; the other runs are compared without it", k.list[i].trouble);
    compare_page(&k, title_of(c, k.n), c->arena, &html);
    bool ok = file_write(page_path(c), html.s, html.len, e);
    strbuf_free(&html);
    return ok;
}

static bool report_run(cmd *c, err *e)
{
    runs r;
    if (!runs_open_list(&r, c->args, (size_t)c->n_args, c->arena, e))
        return false;
    runs_recount(&r);
    bool one = c->n_args == 1 && r.n == 1 && !strcmp(r.list[0].path, r.list[0].name);
    if (one ? !one_run(c, &r.list[0], e) : !several(c, &r, e))
        return false;
    json *o = json_object();
    json_set_str(o, "report", page_path(c));
    json_set_int(o, "runs", (int64_t)r.n);
    cmd_json(c, o);
    cmd_print(c, "%s", page_path(c));
    return true;
}

const command cmd_report = {
    .name = "report",
    .summary = "Makes a page about runs: curves, differing keys, mean and spread over seeds",
    .usage = "RUN... | FOLDER [-o FILE.html]",
    .options = options,
    .args_min = 1,
    .args_max = -1,
    .details = "Of one run its report.html is made anew. Of several (or a folder of them, as "
               "a sweep's): their curves over each other, a table of the keys that differ, "
               "mean and sample standard deviation of runs that differ in train.seed alone, "
               "confusion matrices side by side. The page is one file that needs nothing from "
               "elsewhere. A run whose record is damaged is named, and the others are "
               "compared.",
    .example = "kmidi report runs/sweep\nkmidi report runs/a runs/b -o both.html",
    .run = report_run,
};
