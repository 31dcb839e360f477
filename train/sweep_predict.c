// SPDX-License-Identifier: GPL-3.0-or-later
// sweep_predict.c: runs by what they need.
#include "train/sweep_predict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/child.h"
#include "base/json.h"

// Keys, or beginnings of keys, that change neither memory nor time nor disk.
static const char *const indifferent[] = {"train.seed=",
                                          "optim.lr=",
                                          "optim.betas=",
                                          "optim.eps=",
                                          "optim.weight_decay=",
                                          "schedule.",
                                          "train.grad_clip=",
                                          "train.label_smoothing=",
                                          "run_name=",
                                          "train.early_stopping.min_delta=",
                                          "train.early_stopping.monitor=",
                                          "train.affect_weight=",
                                          "lora.alpha=",
                                          "train.min_epochs="};

static bool matters(const char *set)
{
    for (size_t i = 0; i < sizeof indifferent / sizeof *indifferent; i++)
        if (str_starts(set, indifferent[i]))
            return false;
    return true;
}

// Runs with the same text need the same.
static const char *kind_of(const sweep_run *r, arena *a)
{
    strbuf text = {0};
    for (int i = 0; i < r->n_set; i++)
        if (matters(r->set[i]))
            strbuf_printf(&text, "%s\n", r->set[i]);
    return strbuf_keep(&text, a);
}

typedef struct entry {
    const char *kind;
    sweep_run *run;
} entry;

static int by_kind(const void *x, const void *y)
{
    const entry *a = x, *b = y;
    int order = strcmp(a->kind, b->kind);
    return order ? order : a->run < b->run ? -1 : 1;
}

static bool take(sweep_plan *p, sweep_run *r, const char *text, size_t n, err *e)
{
    json *j = json_parse(text, n, e);
    r->micro_batch = json_int(json_get(j, "micro_batch"), 0);
    r->peak = (uint64_t)json_int(json_get(j, "peak_bytes"), 0);
    r->disk = (uint64_t)json_int(json_get(j, "checkpoint_bytes"), 0);
    r->seconds = json_num(json_get(j, "total_seconds"), 0);
    if (!p->budget)
        p->budget = (uint64_t)json_int(json_get(j, "budget_bytes"), 0);
    bool ok = j && r->micro_batch > 0;
    json_free(j);
    return ok || err_trail(e, "what 'kmidi plan' says");
}

// A plan without data tells only half of it.
static bool without_data(const sweep_run *r, const child_output *o, arena *a, err *e)
{
    static const char mark[] = "planned without data";
    const char *words = o->said.s ? strstr(o->said.s, mark) : NULL;
    words = words ? strchr(words, ':') : NULL;
    return err_set(e, ERR_MISSING, "run %s (%s) could not begin: %s", r->name,
                   sweep_run_describe(r, a),
                   words ? arena_printf(a, "%.*s", (int)strcspn(words + 2, "\n"), words + 2)
                         : "its data are not there");
}

static bool ask(sweep_plan *p, sweep_run *r, const sweep_predict *o, arena *a, err *e)
{
    const char **argv = NEW(a, const char *, (size_t)(r->n_set + p->n_fixed) + 12);
    int n = 0;
    child_output out;
    argv[n++] = "kmidi", argv[n++] = "plan";
    argv[n++] = p->written ? arena_printf(a, "%s/config.yaml", p->dir) : p->config;
    argv[n++] = "--json";
    argv[n++] = "--threads", argv[n++] = arena_printf(a, "%d", o->threads);
    if (o->budget) {
        argv[n++] = "--budget";
        argv[n++] = arena_printf(a, "%llu", (unsigned long long)o->budget);
    }
    for (int i = 0; !p->written && i < p->n_fixed; i++)
        argv[n++] = p->fixed[i];
    for (int i = 0; i < r->n_set; i++)
        argv[n++] = r->set[i];
    bool ok = child_run(argv, p->folder, o->env, &out, e);
    if (ok && out.status != 0) {
        const char *words = child_last_words(out.said.s, a);
        ok = err_set(e, out.status == err_status(ERR_USAGE) ? ERR_CONFIG : ERR_VALUE,
                     "run %s (%s) could not begin: %s", r->name, sweep_run_describe(r, a),
                     words ? words : "'kmidi plan' failed on it without a word");
    }
    if (ok && !strstr(out.out.s ? out.out.s : "", "\"steps\": "))
        ok = without_data(r, &out, a, e);
    ok = ok && take(p, r, out.out.s ? out.out.s : "", out.out.len, e);
    strbuf_free(&out.out), strbuf_free(&out.said);
    return ok;
}

static size_t gather(sweep_plan *p, entry *list, int *kinds, arena *a)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        if (!p->runs[i].micro_batch)
            list[n++] = (entry){kind_of(&p->runs[i], a), &p->runs[i]};
    qsort(list, n, sizeof *list, by_kind);
    for (size_t i = *kinds = 0; i < n; i++)
        *kinds += !i || strcmp(list[i].kind, list[i - 1].kind);
    return n;
}

bool sweep_predict_all(sweep_plan *p, const sweep_predict *o, arena *a, err *e)
{
    arena scratch = {.name = "predict"};
    entry *list = NEW(a, entry, p->n + 1);
    int kinds, done = 0;
    size_t n = gather(p, list, &kinds, a);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        sweep_run *r = list[i].run;
        if (i && !strcmp(list[i].kind, list[i - 1].kind)) {
            const sweep_run *like = list[i - 1].run;
            r->micro_batch = like->micro_batch, r->peak = like->peak;
            r->disk = like->disk, r->seconds = like->seconds;
            continue;
        }
        if (o->tick)
            o->tick(o->user, done++, kinds);
        ok = ask(p, r, o, &scratch, e);
        arena_reset(&scratch);
    }
    arena_free(&scratch);
    return ok;
}
