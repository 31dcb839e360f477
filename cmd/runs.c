// SPDX-License-Identifier: GPL-3.0-or-later
// runs.c: a list of runs: how they stand, how good they are, and the keys by which they differ.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/runs_columns.h"

static const option options[] = {
    {"sort", 's', OPT_TEXT, "COLUMN",
     "by a column or a key (best: the best first); default: by name", false},
    {"reverse", 'r', OPT_FLAG, NULL, "the other way round", false},
    {"filter", 'f', OPT_TEXTS, "EXPR",
     "only runs for which it holds: state=failed, best>0.8, optim.lr=0.001 (= != < <= > >=)",
     false},
    {"csv", 0, OPT_FLAG, NULL, "a table with commas, every column and differing key", false},
    {0},
};

// ---- Filter

typedef struct filter {
    int column;
    char op[3];
    const char *value;
} filter;

static bool parse_filter(cmd *c, const runs *r, const char *text, filter *f, err *e)
{
    size_t n = strcspn(text, "=!<>"), m = strspn(text + n, "=!<>");
    static const char *const ops[] = {"=", "!=", "<", "<=", ">", ">="};
    f->op[0] = 0;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (m == strlen(ops[i]) && !strncmp(ops[i], text + n, m))
            snprintf(f->op, sizeof f->op, "%s", ops[i]);
    if (!n || !*f->op)
        return err_set(e, ERR_USAGE,
                       "--filter takes COLUMN=VALUE (or != < <= > >=), like best>0.8, not '%s'",
                       text);
    f->column = runs_column(c, r, arena_printf(c->arena, "%.*s", (int)n, text), e);
    f->value = text + n + m;
    return f->column >= 0;
}

static bool passes(const runs *r, size_t i, const filter *f)
{
    cell is, want;
    runs_cell(r, i, f->column, &is), cell_text(&want, f->value);
    bool numbers = !isnan(want.number) && !isnan(is.number);
    if (!numbers && *f->op != '=' && *f->op != '!' && !isnan(want.number))
        return false; // a run that has no such number yet
    double d = numbers ? is.number - want.number : strcmp(is.text, want.text);
    bool equal = strchr(f->op, '=') && d == 0;
    return *f->op == '!'   ? d != 0
           : *f->op == '<' ? d < 0 || equal
           : *f->op == '>' ? d > 0 || equal
                           : d == 0;
}

static bool apply_filters(cmd *c, runs *r, err *e)
{
    filter f;
    const char *text;
    for (int k = 0; (text = option_each(c, "filter", k)); k++) {
        size_t kept = 0;
        if (!parse_filter(c, r, text, &f, e))
            return false;
        for (size_t i = 0; i < r->n; i++)
            if (passes(r, i, &f))
                r->list[kept++] = r->list[i];
        r->n = kept;
    }
    return true;
}

// ---- Order

typedef struct place {
    cell value;
    size_t i;
    int sign;
} place;

// What has no value stands last either way.
static int by_value(const void *x, const void *y)
{
    const place *a = x, *b = y;
    bool none_a = !*a->value.text, none_b = !*b->value.text;
    if (none_a || none_b)
        return none_a != none_b ? none_a - none_b : a->i < b->i ? -1 : 1;
    double d = isnan(a->value.number) || isnan(b->value.number)
                   ? strcmp(a->value.text, b->value.text)
                   : a->value.number - b->value.number;
    return d != 0 ? (d < 0 ? -a->sign : a->sign) : a->i < b->i ? -1 : 1;
}

static bool sort(cmd *c, runs *r, err *e)
{
    const char *by = option_text(c, "sort", NULL);
    int column = by ? runs_column(c, r, by, e) : 0;
    place *list = NEW(c->arena, place, r->n + 1);
    run_info *sorted = NEW(c->arena, run_info, r->n + 1);
    if (column < 0)
        return false;
    for (size_t i = 0; i < r->n; i++) {
        bool best = by && (!strcmp(by, "best") || !strcmp(by, "last"));
        list[i].i = i;
        list[i].sign =
            (best && run_higher(&r->list[i]) ? -1 : 1) * (option_given(c, "reverse") ? -1 : 1);
        if (by)
            runs_cell(r, i, column, &list[i].value);
        else
            cell_number(&list[i].value, (double)i, 15); // by name already
    }
    qsort(list, r->n, sizeof *list, by_value);
    for (size_t i = 0; i < r->n; i++)
        sorted[i] = r->list[list[i].i];
    r->list = sorted;
    return true;
}

static void say_sum(cmd *c, const runs *r)
{
    size_t count[RUN_STATES] = {0};
    strbuf text = {0};
    for (size_t i = 0; i < r->n; i++)
        count[r->list[i].state]++;
    strbuf_printf(&text, "%zu run%s", r->n, r->n == 1 ? "" : "s");
    for (int s = 0, said = 0; s < RUN_STATES; s++)
        if (count[s])
            strbuf_printf(&text, "%s%zu %s", said++ ? ", " : ": ", count[s], run_states[s]);
    cmd_say(c, "%s", text.s);
    strbuf_free(&text);
}

static bool runs_run(cmd *c, err *e)
{
    runs r;
    if (option_given(c, "csv") && c->json)
        return err_set(e, ERR_USAGE, "--csv and --json do not go together");
    if (!runs_open(&r, c->n_args ? c->args[0] : "runs", c->arena, e) || !apply_filters(c, &r, e) ||
        !sort(c, &r, e))
        return false;
    runs_recount(&r);
    if (c->json)
        runs_print_json(c, &r);
    else if (option_given(c, "csv"))
        runs_print_csv(c, &r);
    else
        runs_print_table(c, &r);
    say_sum(c, &r);
    return true;
}

const command cmd_runs = {
    .name = "runs",
    .summary = "Lists runs: how they stand, how good they are, what differs",
    .usage = "[FOLDER] [--sort COLUMN] [--filter EXPR ...] [--csv]",
    .options = options,
    .args_max = 1,
    .details = "FOLDER (default: runs) is looked through with all below it. A run is waiting, "
               "running (a process has its lock), done, ended (early, by a sweep), stopped "
               "(it can be gone on with) or failed. Columns: run state step steps monitor "
               "best best_step last loss seconds started host pid restarts why; and every key "
               "of a configuration. Numbers are compared as numbers.",
    .example = "kmidi runs\nkmidi runs runs/sweep --sort best --filter state=done "
               "--filter 'optim.lr<=0.001'\nkmidi runs --csv",
    .run = runs_run,
};
