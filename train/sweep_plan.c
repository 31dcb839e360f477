// SPDX-License-Identifier: GPL-3.0-or-later
// sweep_plan.c: the plan of a sweep made, written and read.
#include "train/sweep_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/hw.h"
#include "base/json.h"
#include "base/str.h"
#include "train/config_lines.h"
#include "train/options.h"

// Bytes of a plan; of a config.yaml; overrides of a line; runs after which a configuration is read
// anew, so that what its values took is given back; digits of a check.
enum { PLAN = 1 << 30, CONFIG = 1 << 18, SET_MOST = 256, AGAIN = 512, CHECK_DIGITS = 12 };

#define MONITOR "train.early_stopping.monitor"

bool sweep_plan_there(const char *dir)
{
    arena a = {.name = "plan"};
    bool there = file_exists(arena_printf(&a, "%s/plan.jsonl", dir));
    arena_free(&a);
    return there;
}

const char *sweep_run_dir(const sweep_plan *p, const sweep_run *r, arena *a)
{
    return arena_printf(a, "%s/%s", p->dir, r->name);
}

const char *sweep_monitor(const sweep_plan *p, const sweep_run *r)
{
    size_t n = strlen(MONITOR);
    const char *monitor = p->monitor;
    for (int i = 0; i < r->n_set; i++)
        if (str_starts(r->set[i], MONITOR) && r->set[i][n] == '=')
            monitor = r->set[i] + n + 1;
    return monitor;
}

const char *sweep_run_describe(const sweep_run *r, arena *a)
{
    strbuf out = {0};
    for (int i = 0; i < r->n_set; i++)
        strbuf_printf(&out, "%s%s", i ? " " : "", r->set[i]);
    return strbuf_keep(&out, a);
}

// ---- Configurations of runs

typedef struct reader {
    const char *text, *where;
    uint64_t memory_limit;
    arena scratch;
    config *c;
    int used;
} reader;

static bool reader_again(reader *r, err *e)
{
    arena_reset(&r->scratch);
    r->c = config_open(&train_table, &r->scratch);
    r->used = 0;
    return config_parse(r->c, r->text, strlen(r->text), r->where, e);
}

// Reads the run's keys as `kmidi train` will, and gives them as the table writes them: 1e-3 is
// 0.001.
static bool read_run(reader *r, const char **set, int n, bool fresh, arena *a, err *e)
{
    train_options o;
    char value[2048];
    if ((fresh || !r->c || r->used++ >= AGAIN) && !reader_again(r, e))
        return false;
    for (int i = 0; i < n; i++)
        if (!config_override(r->c, set[i], e))
            return false;
    arena_mark m = arena_save(&r->scratch);
    bool ok =
        config_finish(r->c, e) && train_options_read(r->c, r->memory_limit, &o, &r->scratch, e);
    arena_rewind(&r->scratch, m);
    for (int i = 0; ok && a && i < n; i++) {
        const char *key = arena_printf(a, "%.*s", (int)strcspn(set[i], "="), set[i]);
        config_show(r->c, key, value, sizeof value);
        set[i] = arena_printf(a, "%s=%s", key, value);
    }
    return ok;
}

static reader reader_open(const char *text, const char *where)
{
    hw machine;
    hw_read(&machine);
    return (reader){.text = text,
                    .where = where,
                    .memory_limit = machine.memory_limit,
                    .scratch = {.name = "sweep"}};
}

// ---- Making one

static bool resolve(sweep_plan *p, const char *name, const sweep_spaces *s, uint64_t memory_limit,
                    arena *a, err *e)
{
    train_options o;
    strbuf text = {0};
    config *c = config_open(&train_table, a);
    if (!config_load(c, name, e))
        return false;
    for (int i = 0; i < s->n_fixed; i++)
        if (!config_override(c, s->fixed[i], e))
            return false;
    config_print(c, &text);
    p->config_text = strbuf_keep(&text, a);
    p->monitor = config_lines_value(p->config_text, MONITOR, "loss", a);
    // what is missing or does not go together may be mended by what runs set
    if (config_finish(c, NULL) && train_options_read(c, memory_limit, &o, a, NULL))
        p->budget = o.budget;
    return true;
}

static bool make_runs(sweep_plan *p, const sweep_spaces *s, reader *r, arena *a, err *e)
{
    const char *set[SWEEP_AXES];
    int digits = snprintf(NULL, 0, "%zu", p->n), before = -1;
    for (size_t i = 0; i < p->n; i++) {
        sweep_run *run = &p->runs[i];
        run->n_set = sweep_spaces_at(s, i, set, a);
        // keys of another set must not stay
        if (!read_run(r, set, run->n_set, s->n > 1 || run->n_set != before, a, e))
            return false;
        const char **kept = NEW(a, const char *, (size_t)run->n_set + 1);
        memcpy(kept, set, sizeof *set * (size_t)run->n_set);
        run->set = kept, before = run->n_set;
        run->name = arena_printf(a, "%0*zu", digits < 4 ? 4 : digits, i + 1);
    }
    return true;
}

bool sweep_plan_make(sweep_plan *p, const char *dir, const char *name, const sweep_spaces *s,
                     arena *a, err *e)
{
    char here[4096];
    if (!getcwd(here, sizeof here))
        return err_errno(e, "the folder that this was started in is gone");
    *p = (sweep_plan){.dir = dir, .config = name, .folder = arena_strdup(a, here)};
    p->n = (size_t)sweep_spaces_count(s);
    p->fixed = s->fixed, p->n_fixed = s->n_fixed;
    reader r = reader_open(NULL, name);
    bool ok = resolve(p, name, s, r.memory_limit, a, e);
    if (ok) {
        r.text = p->config_text;
        p->runs = NEW(a, sweep_run, p->n);
        ok = make_runs(p, s, &r, a, e);
    }
    arena_free(&r.scratch);
    return ok;
}

bool sweep_plan_same(const sweep_plan *x, const sweep_plan *y)
{
    bool same = x->n == y->n && !strcmp(x->config_text, y->config_text);
    for (size_t i = 0; same && i < x->n; i++) {
        const sweep_run *r = &x->runs[i], *q = &y->runs[i];
        same = r->n_set == q->n_set && !strcmp(r->name, q->name);
        for (int k = 0; same && k < r->n_set; k++)
            same = !strcmp(r->set[k], q->set[k]);
    }
    return same;
}

// ---- The file

static void put_check(json *line)
{
    strbuf text = {0};
    char hex[65];
    json_dump(line, 0, &text);
    digest_of(text.s, text.len, hex);
    hex[CHECK_DIGITS] = 0;
    json_set_str(line, "check", hex);
    strbuf_free(&text);
}

static void add_line(strbuf *out, json *line)
{
    put_check(line);
    json_dump(line, 0, out);
    strbuf_add(out, "\n", 1);
    json_free(line);
}

static json *head_json(const sweep_plan *p)
{
    char hex[65];
    json *j = json_object();
    digest_of(p->config_text, strlen(p->config_text), hex);
    json_set_int(j, "sweep", 1);
    json_set_str(j, "config", p->config);
    json_set_str(j, "folder", p->folder);
    json_set_int(j, "budget_bytes", (int64_t)p->budget);
    json_set_str(j, "config_digest", hex);
    return j;
}

json *sweep_run_json(const sweep_run *r)
{
    json *j = json_object(), *set = json_array();
    for (int i = 0; i < r->n_set; i++)
        json_push_str(set, r->set[i]);
    json_set_str(j, "run", r->name);
    json_set(j, "set", set);
    if (r->micro_batch) {
        json_set_int(j, "micro_batch", r->micro_batch);
        json_set_int(j, "peak_bytes", (int64_t)r->peak);
        json_set_int(j, "disk_bytes", (int64_t)r->disk);
        json_set_num(j, "seconds", r->seconds);
    }
    return j;
}

bool sweep_plan_write(sweep_plan *p, err *e)
{
    arena a = {.name = "plan"};
    strbuf text = {0};
    add_line(&text, head_json(p));
    for (size_t i = 0; i < p->n; i++)
        add_line(&text, sweep_run_json(&p->runs[i]));
    bool ok = file_make_dirs(p->dir, e) &&
              file_write(arena_printf(&a, "%s/config.yaml", p->dir), p->config_text,
                         strlen(p->config_text), e) &&
              file_write(arena_printf(&a, "%s/plan.jsonl", p->dir), text.s, text.len, e);
    strbuf_free(&text);
    arena_free(&a);
    return p->written = ok;
}

// True for a line as it was written.
static bool is_written(const char *line, size_t n, const json *j)
{
    static const char mark[] = ", \"check\": \"";
    char hex[65], want[CHECK_DIGITS + 1];
    const char *check = json_str(json_get(j, "check"), "");
    size_t tail = sizeof mark - 1 + CHECK_DIGITS + 2;
    if (strlen(check) != CHECK_DIGITS || n < tail || memcmp(line + n - tail, mark, sizeof mark - 1))
        return false;
    char *text = base_checked(malloc(n), n);
    memcpy(text, line, n - tail);
    text[n - tail] = '}';
    digest_of(text, n - tail + 1, hex);
    free(text);
    snprintf(want, sizeof want, "%.*s", CHECK_DIGITS, hex);
    return !strcmp(want, check);
}

static bool good_name(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return n && n <= 64 && !s[n] && strcmp(s, "output");
}

static bool read_line(sweep_run *r, const char *line, size_t n, const json *j, arena *a, err *e)
{
    const json *set = json_get(j, "set");
    const char *name = json_str(json_get(j, "run"), "");
    size_t count = json_len(set);
    if (!good_name(name) || json_type(set) != JSON_ARRAY || count > SET_MOST)
        return err_set(e, ERR_FORMAT,
                       "a run has a name of letters and digits and a list of key=value: {\"run\": "
                       "\"0007\", \"set\": [\"optim.lr=0.001\"]}");
    const char **list = NEW(a, const char *, count + 1);
    for (size_t i = 0; i < count; i++) {
        const char *text = json_str(json_at(set, i), "");
        if (!config_is_override(text) || *text == '~')
            return err_set(e, ERR_FORMAT, "'%s' is no key=value", text);
        list[i] = arena_strdup(a, text);
    }
    *r = (sweep_run){.name = arena_strdup(a, name), .set = list, .n_set = (int)count};
    r->edited = !is_written(line, n, j);
    if (r->edited)
        return true;
    r->micro_batch = json_int(json_get(j, "micro_batch"), 0);
    r->peak = (uint64_t)json_int(json_get(j, "peak_bytes"), 0);
    r->disk = (uint64_t)json_int(json_get(j, "disk_bytes"), 0);
    r->seconds = json_num(json_get(j, "seconds"), 0);
    return true;
}

static bool read_head(sweep_plan *p, const json *j, arena *a, err *e)
{
    char hex[65];
    size_t n;
    if (json_int(json_get(j, "sweep"), 0) != 1)
        return err_set(e, ERR_FORMAT, "this is no plan of a sweep");
    p->config = arena_strdup(a, json_str(json_get(j, "config"), "config.yaml"));
    p->folder = arena_strdup(a, json_str(json_get(j, "folder"), "."));
    p->budget = (uint64_t)json_int(json_get(j, "budget_bytes"), 0);
    p->config_text = file_read(a, arena_printf(a, "%s/config.yaml", p->dir), CONFIG, &n, e);
    if (!p->config_text)
        return false;
    p->monitor = config_lines_value(p->config_text, MONITOR, "loss", a);
    digest_of(p->config_text, n, hex);
    p->config_edited = strcmp(hex, json_str(json_get(j, "config_digest"), "")) != 0;
    return true;
}

static size_t count_lines(const char *text)
{
    size_t n = 0;
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        n++;
    return n;
}

bool sweep_plan_read(sweep_plan *p, const char *dir, arena *a, err *e)
{
    size_t n, number = 0;
    *p = (sweep_plan){.dir = dir, .written = true};
    const char *path = arena_printf(a, "%s/plan.jsonl", dir);
    char *text = file_read(a, path, PLAN, &n, e);
    if (!text)
        return false;
    if (!*text || *text == '\n' || strlen(text) < n)
        return err_set(e, ERR_FORMAT, "'%s' %s; this is no plan of a sweep", path,
                       !n                 ? "is empty"
                       : strlen(text) < n ? "has a byte of 0"
                                          : "begins with an empty line");
    p->runs = NEW(a, sweep_run, count_lines(text) + 1);
    for (char *line = text; *line; number++) {
        size_t length = strcspn(line, "\n");
        json *j = length ? json_parse(line, length, e) : NULL;
        bool ok = !length || (j && (number ? read_line(&p->runs[p->n], line, length, j, a, e)
                                           : read_head(p, j, a, e)));
        json_free(j);
        if (!ok)
            return err_trail(e, "%s:%zu", path, number + 1);
        p->n += number && length;
        line += length + (line[length] == '\n');
    }
    return true;
}

static int by_name(const void *x, const void *y)
{
    return strcmp((*(const sweep_run *const *)x)->name, (*(const sweep_run *const *)y)->name);
}

static bool names_differ(const sweep_plan *p, arena *a, err *e)
{
    const sweep_run **sorted = NEW(a, const sweep_run *, p->n + 1);
    for (size_t i = 0; i < p->n; i++)
        sorted[i] = &p->runs[i];
    qsort(sorted, p->n, sizeof *sorted, by_name);
    for (size_t i = 1; i < p->n; i++)
        if (!strcmp(sorted[i]->name, sorted[i - 1]->name))
            return err_set(e, ERR_FORMAT, "'%s/plan.jsonl' has two runs '%s'", p->dir,
                           sorted[i]->name);
    return true;
}

bool sweep_plan_check(const sweep_plan *p, arena *a, err *e)
{
    reader r = reader_open(p->config_text, arena_printf(a, "%s/config.yaml", p->dir));
    bool ok = names_differ(p, a, e);
    for (size_t i = 0; ok && i < p->n; i++) {
        sweep_run *run = &p->runs[i];
        if (!run->edited && !p->config_edited)
            continue;
        const char **set = NEW(a, const char *, (size_t)run->n_set + 1);
        memcpy(set, run->set, sizeof *set * (size_t)run->n_set);
        ok = read_run(&r, set, run->n_set, true, a, e) ||
             err_trail(e, "%s/plan.jsonl: run '%s'", p->dir, run->name);
        run->set = set;
    }
    arena_free(&r.scratch);
    return ok;
}
