// SPDX-License-Identifier: GPL-3.0-or-later
// eval.c: how good a checkpoint is on prepared data.
#include <math.h>

#include "cmd/adapters.h"
#include "cmd/cmd.h"
#include "train/evaluate.h"
#include "train/products.h"

static const option options[] = {
    {"data", 'd', OPT_TEXT, "GLOB", "shards: a path or a quoted pattern", true},
    {"batch", 'b', OPT_INT, "N", "items at once (default 16)", false},
    ADAPTER_OPTION,
    {"precision", 0, OPT_TEXT, "P",
     "fp32, or weights rounded to bf16 or int8, as generation and exports round them (default "
     "fp32)",
     false},
    {0},
};

static void print_confusion(cmd *c, const evaluation *v)
{
    const metrics_result *r = &v->result;
    if (!r->classes || !v->labels)
        return;
    cmd_print(c, "\n%-20s %8s  predicted as", "true", "items");
    for (int i = 0; i < r->classes; i++) {
        strbuf row = {0};
        long long sum = 0;
        for (int k = 0; k < r->classes; k++) {
            long long n = (long long)r->confusion[i * r->classes + k];
            sum += n;
            if (n)
                strbuf_printf(&row, "  %s %lld", v->labels[k], n);
        }
        cmd_print(c, "%-20s %8lld%s", v->labels[i], sum, row.s ? row.s : "");
        strbuf_free(&row);
    }
}

// Each group by itself, beside who looks at nothing.
static void print_groups(cmd *c, const evaluation *v)
{
    const metrics_result *r = &v->result, *b = &v->baseline;
    if (r->n_groups)
        cmd_print(c, "\n%-16s %8s %10s %10s %10s", "group", "items", "accuracy", "uar", "baseline");
    for (int k = 0; k < r->n_groups; k++)
        if (r->group[k].items)
            cmd_print(c, "%-16s %8lld %10.4f %10.4f %10.4f", r->groups[k].name,
                      (long long)r->group[k].items, r->group[k].accuracy, r->group[k].uar,
                      b->items ? b->group[k].accuracy : NAN);
}

static json *figures_json(const metrics_result *r)
{
    json *o = json_object();
    metrics_figure f;
    for (int i = 0; (f = metrics_at(r, i)).name; i++)
        json_set_num(o, f.name, f.value);
    return o;
}

static json *groups_json(const evaluation *v)
{
    json *o = json_object();
    for (int k = 0; k < v->result.n_groups; k++) {
        const metrics_result *r = &v->result.group[k];
        json *one = r->items ? figures_json(r) : NULL;
        if (!one)
            continue;
        json_set_int(one, "items", r->items);
        if (v->baseline.items)
            json_set(one, "baseline", figures_json(&v->baseline.group[k]));
        json_set(o, v->result.groups[k].name, one);
    }
    return o;
}

static json *confusion_json(const metrics_result *r)
{
    json *rows = json_array();
    for (int i = 0; i < r->classes; i++) {
        json *row = json_array();
        for (int k = 0; k < r->classes; k++)
            json_push_int(row, r->confusion[i * r->classes + k]);
        json_push(rows, row);
    }
    return rows;
}

// What it got most wrong, the worst first.
static json *worst_json(const evaluation *v)
{
    json *list = json_array();
    for (int i = 0; i < v->result.n_worst; i++) {
        const metrics_case *w = &v->result.worst[i];
        json *o = json_object();
        json_set_str(o, "path", w->path);
        if (w->truth >= 0 && v->labels) {
            json_set_str(o, "true", v->labels[w->truth]);
            json_set_str(o, "said", v->labels[w->said]);
            json_set_num(o, "p", w->p);
            json_set_num(o, "p_true", w->p_truth);
        }
        json_set_num(o, "loss", w->loss);
        json_push(list, o);
    }
    return list;
}

static json *eval_json(const char *path, precision rounded, const evaluation *v)
{
    json *o = json_object();
    metrics_figure f;
    json_set_str(o, "checkpoint", path);
    json_set_str(o, "precision", precision_name(rounded));
    json_set_int(o, "items", v->items);
    for (int i = 0; (f = metrics_at(&v->result, i)).name; i++)
        json_set_num(o, f.name, f.value);
    if (v->baseline.items)
        json_set(o, "baseline", figures_json(&v->baseline));
    if (v->result.n_groups)
        json_set(o, "groups", groups_json(v));
    json_set(o, "worst", worst_json(v));
    if (!v->labels)
        return o;
    json *labels = json_array();
    for (int i = 0; i < v->result.classes; i++)
        json_push_str(labels, v->labels[i]);
    json_set(o, "labels", labels);
    json_set(o, "confusion", confusion_json(&v->result));
    return o;
}

static bool eval_run(cmd *c, err *e)
{
    const char *pattern = option_text(c, "data", NULL);
    int64_t rows = option_int(c, "batch", 16);
    evaluation v;
    metrics_figure f;
    if (rows < 1 || rows > 65536)
        return err_set(e, ERR_USAGE, "--batch takes a number from 1 to 65536, not %lld",
                       (long long)rows);
    if (!cmd_threads(c, 0, e) || !products_open(&c->env, c->arena, e))
        return false;
    const char *path = checkpoint_find(c->arena, c->args[0], "best", e);
    evaluate_request r = {.checkpoint = path, .patterns = &pattern, .n_patterns = 1, .rows = rows};
    precision rounded;
    if (!cmd_narrow(c, "precision", true, &rounded, e))
        return false;
    r.form = rounded == PRECISION_INT8   ? QUANTISE_INT8
             : rounded == PRECISION_BF16 ? QUANTISE_BF16
                                         : QUANTISE_NONE;
    r.uses = adapters_asked(c, &r.n_uses);
    if (!path || !evaluate_checkpoint(&r, &c->env, c->arena, &v, e))
        return false;
    cmd_print(c, "%s: %lld items%s%s", path, (long long)v.items,
              r.form ? ", weights rounded to " : "", r.form ? precision_name(rounded) : "");
    for (int i = 0; (f = metrics_at(&v.result, i)).name; i++)
        if (v.baseline.items)
            cmd_print(c, "%-10s %.4f   baseline %.4f", f.name, f.value,
                      metrics_find(&v.baseline, f.name).value);
        else
            cmd_print(c, "%-10s %.4f", f.name, f.value);
    print_groups(c, &v);
    print_confusion(c, &v);
    cmd_json(c, eval_json(path, rounded, &v));
    return true;
}

const command cmd_eval = {
    .name = "eval",
    .summary = "Measures a checkpoint on prepared data",
    .usage = "CHECKPOINT --data 'GLOB' [--adapter DIR[:WEIGHT] ...]",
    .options = options,
    .args_min = 1,
    .args_max = 1,
    .polls_stop = true,
    .details = "CHECKPOINT is a file, or a run folder (its checkpoints/best.h5 then). "
               "`baseline` is what one reaches who looks at nothing and always says what the "
               "training data say most: the frequency of each class or token, the mean of "
               "values.",
    .example = "kmidi eval runs/first --data 'shards/valid-*.h5' --json",
    .run = eval_run,
};
