// SPDX-License-Identifier: GPL-3.0-or-later
// trainer_log.c: what a run tells while it goes, in metrics.jsonl and to TensorBoard.
//
// A line of an evaluation that is the best so far holds what is to be known of it later, when the
// data may be gone: its confusion matrix, and the items that it got most wrong.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "train/trainer_internal.h"

static void add(strbuf *line, const char *name, double value)
{
    if (isfinite(value))
        strbuf_printf(line, ", \"%s\": %.9g", name, value);
    else
        strbuf_printf(line, ", \"%s\": null", name);
}

static strbuf *begin(trainer *t, const char *kind)
{
    strbuf *line = &t->folder->line;
    line->len = 0;
    strbuf_printf(line, "{\"kind\": \"%s\", \"step\": %lld", kind, (long long)t->state.step);
    return line;
}

static bool end(trainer *t, strbuf *line, err *e)
{
    strbuf_add(line, "}", 1);
    return folder_metric(t->folder, line->s, line->len, e);
}

static bool to_events(trainer *t, const char *tag, double value, err *e)
{
    return !t->events || events_scalar(t->events, t->state.step, tag, value, e);
}

static double epochs_done(const trainer *t)
{
    return (double)t->state.epoch + (double)t->state.batch / (double)t->s.train.batches;
}

// ---- A line of steps

// The optimiser's rate is a float: 0.00100000005 is 0.001.
static double round_lr(double lr)
{
    char text[32];
    snprintf(text, sizeof text, "%.7g", lr);
    return strtod(text, NULL);
}

bool trainer_log_step(trainer *t, err *e)
{
    checkpoint_state *st = &t->state;
    double loss = st->log_weight > 0 ? st->log_loss / st->log_weight : NAN;
    double seconds = t->step_seconds - t->log_seconds,
           rate = seconds > 0 ? (double)(t->timed_samples - t->log_samples) / seconds : 0;
    double share = seconds > 0 ? (t->wait_seconds - t->log_wait) / seconds : 0;
    st->log_loss = st->log_weight = 0;
    t->log_seconds = t->step_seconds, t->log_wait = t->wait_seconds,
    t->log_samples = t->timed_samples;
    if (!t->folder)
        return true;
    double weights = optim_weight_norm(t->p, &t->kit, t->s.env->pool, t->threads);
    strbuf *line = begin(t, "train");
    add(line, "epoch", epochs_done(t));
    add(line, "loss", loss);
    add(line, "lr", round_lr(t->lr));
    add(line, "grad_norm", t->norm);
    add(line, "weight_norm", weights);
    add(line, "samples", (double)st->samples);
    // wall clock stands last: what lies before it is the same in every run of a seed
    add(line, "seconds", st->seconds);
    add(line, "samples_per_s", rate);
    add(line, "wait_share", share);
    return end(t, line, e) && to_events(t, "train/loss", loss, e) &&
           to_events(t, "train/lr", t->lr, e) && to_events(t, "train/grad_norm", t->norm, e) &&
           to_events(t, "train/weight_norm", weights, e) &&
           to_events(t, "train/samples_per_s", rate, e) &&
           (!t->events || events_flush(t->events, e));
}

// ---- A line of an evaluation

// Classes up to which a matrix is written as rows of all its columns.
enum { DENSE = 45 };

static void add_rows(strbuf *line, const metrics_result *r)
{
    strbuf_printf(line, ", \"confusion\": [");
    for (int i = 0; i < r->classes; i++)
        for (int j = 0; j < r->classes; j++)
            strbuf_printf(line, "%s%lld",
                          j   ? ", "
                          : i ? "], ["
                              : "[",
                          (long long)r->confusion[i * r->classes + j]);
    strbuf_printf(line, "]]");
}

// Of many classes what is not 0: never more than there are items.
static void add_cells(strbuf *line, const metrics_result *r)
{
    int64_t n = (int64_t)r->classes * r->classes;
    bool first = true;
    strbuf_printf(line, ", \"confusion\": {\"classes\": %d, \"cells\": [", r->classes);
    for (int64_t i = 0; i < n; i++)
        if (r->confusion[i]) {
            strbuf_printf(line, "%s[%d, %d, %lld]", first ? "" : ", ", (int)(i / r->classes),
                          (int)(i % r->classes), (long long)r->confusion[i]);
            first = false;
        }
    strbuf_printf(line, "]}");
}

static void add_confusion(strbuf *line, const metrics_result *r)
{
    if (r->classes > DENSE)
        add_cells(line, r);
    else if (r->classes)
        add_rows(line, r);
}

// As JSON has texts. What is no UTF-8 becomes \xNN, as in shards.
static void add_text(strbuf *line, const char *text)
{
    arena a = {.name = "text"};
    for (const char *s = str_utf8_escape(&a, text); *s; s++)
        if (*s == '"' || *s == '\\')
            strbuf_printf(line, "\\%c", *s);
        else if ((unsigned char)*s < 0x20)
            strbuf_printf(line, "\\u%04x", *s);
        else
            strbuf_add(line, s, 1);
    arena_free(&a);
}

static void add_worst(strbuf *line, const metrics_result *r)
{
    for (int i = 0; i < r->n_worst; i++) {
        const metrics_case *c = &r->worst[i];
        strbuf_printf(line, "%s{\"path\": \"", i ? ", " : ", \"worst\": [");
        add_text(line, c->path);
        strbuf_printf(line, "\"");
        if (c->truth >= 0) {
            strbuf_printf(line, ", \"true\": %d, \"said\": %d", c->truth, c->said);
            add(line, "p", c->p), add(line, "p_true", c->p_truth);
        }
        add(line, "loss", c->loss);
        strbuf_printf(line, i + 1 < r->n_worst ? "}" : "}]");
    }
}

static void add_figures(strbuf *line, const metrics_result *r)
{
    metrics_figure f;
    for (int i = 0; (f = metrics_at(r, i)).name; i++)
        add(line, f.name, f.value);
}

// Beside the first evaluation: what it takes to be better than nothing. An object of figures.
static void add_baseline(const trainer *t, strbuf *line)
{
    metrics_figure f;
    if (!t->eval->constant)
        return;
    metrics_result r = metrics_close(t->eval->constant);
    strbuf_printf(line, ", \"baseline\": {");
    for (int i = 0; (f = metrics_at(&r, i)).name; i++)
        strbuf_printf(line, isfinite(f.value) ? "%s\"%s\": %.9g" : "%s\"%s\": null", i ? ", " : "",
                      f.name, f.value);
    strbuf_printf(line, "}");
}

// Of each group that has items, by itself, beside who looks at nothing.
static void add_groups(const trainer *t, strbuf *line, const metrics_result *r)
{
    metrics_result guess =
        t->eval->constant ? metrics_close(t->eval->constant) : (metrics_result){0};
    for (int k = 0, n = 0; k < r->n_groups; k++) {
        const metrics_result *g = &r->group[k];
        if (!g->items)
            continue;
        strbuf_printf(line, "%s\"%s\": {\"items\": %lld", n++ ? "}, " : ", \"groups\": {",
                      r->groups[k].name, (long long)g->items);
        add_figures(line, g);
        if (guess.n_groups)
            add(line, "baseline", guess.group[k].accuracy);
    }
    if (r->n_groups && r->items)
        strbuf_printf(line, "}}");
}

static void say_groups(const trainer *t, const metrics_result *r)
{
    strbuf text = {0};
    for (int k = 0; k < r->n_groups; k++)
        if (r->group[k].items)
            strbuf_printf(&text, "%s%s %.4f", text.len ? ", " : "", r->groups[k].name,
                          r->group[k].accuracy);
    if (text.len)
        log_say(t->folder ? &t->folder->sink : t->s.env->log, LOG_INFO, "accuracy of %s", text.s);
    strbuf_free(&text);
}

static void say_eval(const trainer *t, const metrics_result *r)
{
    metrics_figure f;
    char text[256];
    int said = snprintf(text, sizeof text, "step %lld, epoch %.4g: validation",
                        (long long)t->state.step, epochs_done(t));
    for (int i = 0; (f = metrics_at(r, i)).name; i++)
        said += snprintf(text + said, sizeof text - (size_t)said, "%s %s %.4f", i ? "," : "",
                         f.name, f.value);
    log_say(t->folder ? &t->folder->sink : t->s.env->log, LOG_INFO, "%s%s", text,
            t->state.best_step == t->state.step ? " (best so far)" : "");
}

static bool eval_to_events(trainer *t, const metrics_result *r, err *e)
{
    metrics_figure f;
    for (int i = 0; (f = metrics_at(r, i)).name; i++) {
        char tag[64];
        snprintf(tag, sizeof tag, "val/%s", f.name);
        if (!to_events(t, tag, f.value, e))
            return false;
    }
    for (int k = 0; k < r->n_groups; k++) {
        char tag[64];
        snprintf(tag, sizeof tag, "val/%s_accuracy", r->groups[k].name);
        if (r->group[k].items && !to_events(t, tag, r->group[k].accuracy, e))
            return false;
    }
    return !t->events || events_flush(t->events, e);
}

bool trainer_log_eval(trainer *t, const metrics_result *r, err *e)
{
    bool best = t->state.best_step == t->state.step;
    say_eval(t, r);
    say_groups(t, r);
    if (!t->folder)
        return true;
    strbuf *line = begin(t, "eval");
    add(line, "epoch", epochs_done(t));
    add_figures(line, r);
    add(line, "items", (double)r->items);
    if (best)
        strbuf_printf(line, ", \"best\": true");
    // so that the last line alone tells how the run stands
    if (t->state.best_step >= 0) {
        add(line, "best_value", t->state.best);
        add(line, "best_step", (double)t->state.best_step);
    }
    add_baseline(t, line);
    add_groups(t, line, r);
    add_confusion(line, r);
    if (best)
        add_worst(line, r);
    return end(t, line, e) && eval_to_events(t, r, e);
}
