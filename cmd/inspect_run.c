// SPDX-License-Identifier: GPL-3.0-or-later
// inspect_run.c: how a training run stands: its figures beside the baseline, how far it is, what it
// has saved.
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cmd/inspect.h"
#include "train/report.h"

bool inspect_is_run(const char *argument)
{
    arena a = {.name = "run"};
    bool is = file_exists(arena_printf(&a, "%s/metrics.jsonl", argument)) &&
              file_exists(arena_printf(&a, "%s/config.yaml", argument));
    arena_free(&a);
    return is;
}

// Four figures are enough for people and scripts; metrics.jsonl has the rest.
static double shortly(double x)
{
    char text[32];
    double y = x;
    snprintf(text, sizeof text, "%.5g", x);
    return sscanf(text, "%lf", &y) == 1 ? y : x;
}

static json *figures(const report_row *row, report_figure from, report_figure to)
{
    json *o = json_object();
    for (report_figure f = from; f <= to; f++)
        if (isfinite(row->v[f]) && f == REPORT_STEP)
            json_set_int(o, report_names[f], (int64_t)row->v[f]);
        else if (isfinite(row->v[f]))
            json_set_num(o, report_names[f], shortly(row->v[f]));
    return o;
}

static json *checkpoints(const report_record *r, arena *a)
{
    size_t n;
    json *o = json_object();
    char **list = file_list(a, arena_printf(a, "%s/checkpoints", r->run), "*.h5", &n);
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        if (stat(list[i], &st) == 0)
            json_set_int(o, path_base(list[i]), (int64_t)st.st_size);
    }
    return o;
}

static void put_data(const report_record *r, json *o)
{
    json_set_str(o, "dataset", r->dataset);
    json_set_int(o, "train_items", r->train_items);
    if (r->val_items >= 0)
        json_set_int(o, "val_items", r->val_items);
    if (r->parameters >= 0)
        json_set_int(o, "parameters", r->parameters);
}

bool inspect_run(cmd *c, err *e)
{
    report_record r;
    if (!report_read(c->args[0], &r, c->arena, e))
        return false;
    json *o = json_object();
    json_set_str(o, "run", r.run);
    json_set_str(o, "kind", "run");
    json_set_str(o, "state", r.state);
    if (r.why)
        json_set_str(o, "why", r.why);
    json_set_str(o, "model", r.model);
    put_data(&r, o);
    json_set_str(o, "monitor", r.monitor);
    if (r.has_best)
        json_set(o, "best", figures(&r.best, REPORT_STEP, REPORT_MAE));
    if (r.has_baseline)
        json_set(o, "baseline", figures(&r.baseline, REPORT_LOSS, REPORT_MAE));
    json_set(o, "last", figures(&r.last_train, REPORT_STEP, REPORT_SECONDS));
    json_set_int(o, "evaluations", r.evaluations);
    json_set(o, "checkpoints", checkpoints(&r, c->arena));
    json_set_str(o, "report", arena_printf(c->arena, "%s/report.html", r.run));
    inspect_facts(c, o);
    return true;
}
