// SPDX-License-Identifier: GPL-3.0-or-later
// runs.c: finding runs in folders of folders.
#include "train/runs.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/str.h"
#include "train/config_lines.h"
#include "train/sweep_plan.h"

// Folders within folders: runs/SWEEP/RUN, and a few more of whoever keeps order. Bytes of a
// config.yaml.
enum { DEPTH = 6, CONFIG = 1 << 18 };

static run_info *more(runs *r)
{
    if (r->n == r->room) {
        size_t room = r->room ? 2 * r->room : 256;
        run_info *list = NEW(r->a, run_info, room);
        if (r->n)
            memcpy(list, r->list, r->n * sizeof *list);
        r->list = list, r->room = room;
    }
    return &r->list[r->n];
}

static char *read_yaml(const char *path, arena *a)
{
    size_t n;
    char *file = arena_printf(a, "%s/config.yaml", path);
    return file_exists(file) ? file_read(a, file, CONFIG, &n, NULL) : NULL;
}

static bool add_run(runs *r, const char *path, const char *name)
{
    arena scratch = {.name = "run"};
    run_info *run = more(r);
    char *yaml = read_yaml(path, &scratch);
    const char *monitor =
        config_lines_value(yaml, "train.early_stopping.monitor", "loss", &scratch);
    bool is = run_read(run, arena_strdup(r->a, path), monitor, r->a);
    if (is) {
        run->name = arena_strdup(r->a, name), run->monitor = arena_strdup(r->a, run->monitor);
        if (yaml)
            runs_compare(r, run, yaml, NULL, 0);
        r->n++;
    }
    arena_free(&scratch);
    return is;
}

static bool is_folder(const struct dirent *f, const char *path)
{
    struct stat st;
    if (f->d_type == DT_LNK || f->d_type == DT_UNKNOWN)
        return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    return f->d_type == DT_DIR;
}

static run_info *find_run(const runs *r, size_t from, size_t end, const char *path)
{
    for (size_t i = from; i < end; i++)
        if (!strcmp(r->list[i].path, path))
            return &r->list[i];
    return NULL;
}

// Keys as the run will have them, or would have had them.
static void compare_planned(runs *r, run_info *run, const sweep_plan *p, const sweep_run *planned)
{
    const char **set = NEW(r->a, const char *, (size_t)planned->n_set + 1);
    size_t n = (size_t)planned->n_set;
    memcpy(set, planned->set, n * sizeof *set);
    if (planned->micro_batch)
        set[n++] =
            arena_printf(r->a, "memory.micro_batch=\"%lld\"", (long long)planned->micro_batch);
    runs_compare(r, run, p->config_text, set, n);
}

static void add_waiting(runs *r, const sweep_plan *p, const sweep_run *planned, const char *path,
                        const char *name)
{
    run_info *run = more(r);
    *run = (run_info){.path = path,
                      .name = arena_printf(r->a, "%s%s%s", name, *name ? "/" : "", planned->name),
                      .state = RUN_WAITING,
                      .step = -1,
                      .total = -1,
                      .monitor = "loss",
                      .best = NAN,
                      .last = NAN,
                      .loss = NAN,
                      .best_step = -1,
                      .seconds = NAN};
    compare_planned(r, run, p, planned);
    r->n++;
}

// Those of a sweep that have no folder yet, and keys of those that failed before they had written
// theirs. `from`: its others stand from there on, by name.
static void add_planned(runs *r, size_t from, const char *path, const char *name)
{
    sweep_plan p;
    size_t end = r->n;
    if (!sweep_plan_there(path) || !sweep_plan_read(&p, path, r->a, NULL))
        return;
    for (size_t i = 0; i < p.n; i++) {
        const char *run = arena_printf(r->a, "%s/%s", path, p.runs[i].name);
        run_info *there = file_is_folder(run) ? find_run(r, from, end, run) : NULL;
        if (!there)
            add_waiting(r, &p, &p.runs[i], run, name);
        else if (!there->configured)
            compare_planned(r, there, &p, &p.runs[i]);
    }
}

// `name` is the path below the folder that was asked for, "" there.
static void walk(runs *r, const char *path, const char *name, int depth)
{
    size_t from = r->n;
    bool run = !sweep_plan_there(path) && add_run(r, path, *name ? name : path);
    DIR *d = run || depth > DEPTH ? NULL : opendir(path);
    for (const struct dirent *f; d && (f = readdir(d));) {
        char below[4096], full[4096];
        int n = snprintf(full, sizeof full, "%s/%s", path, f->d_name);
        snprintf(below, sizeof below, "%s%s%s", name, *name ? "/" : "", f->d_name);
        if (f->d_name[0] != '.' && n < (int)sizeof full && is_folder(f, full))
            walk(r, full, below, depth + 1);
    }
    if (!d)
        return;
    closedir(d);
    add_planned(r, from, path, name);
}

// run-9 before run-10
static int compare_names(const char *x, const char *y)
{
    for (; *x && *y; x++, y++) {
        size_t m = strspn(x, "0123456789"), n = strspn(y, "0123456789");
        if (m && n && m != n && *x != '0' && *y != '0')
            return m < n ? -1 : 1;
        if (*x != *y)
            return (unsigned char)*x < (unsigned char)*y ? -1 : 1;
    }
    return (*x != 0) - (*y != 0);
}

static int by_name(const void *x, const void *y)
{
    return compare_names(((const run_info *)x)->name, ((const run_info *)y)->name);
}

bool runs_open(runs *r, const char *folder, arena *a, err *e)
{
    *r = (runs){.a = a};
    if (!file_is_folder(folder))
        return err_set(e, ERR_MISSING, "'%s' is no folder; name one that holds runs", folder);
    walk(r, folder, "", 0);
    if (r->n)
        qsort(r->list, r->n, sizeof *r->list, by_name);
    return true;
}

// Those that an earlier folder of the list has brought already.
static void drop_known(runs *r, size_t from)
{
    size_t kept = from;
    for (size_t i = from; i < r->n; i++)
        if (!find_run(r, 0, from, r->list[i].path))
            r->list[kept++] = r->list[i];
    r->n = kept;
}

static const char *without_slash(const char *path, arena *a)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    return arena_printf(a, "%.*s", (int)n, path);
}

bool runs_open_list(runs *r, const char *const *paths, size_t n, arena *a, err *e)
{
    *r = (runs){.a = a};
    for (size_t i = 0; i < n; i++) {
        const char *path = without_slash(paths[i], a);
        size_t from = r->n;
        if (file_is_folder(path))
            walk(r, path, n > 1 ? path : "", 0);
        if (r->n == from)
            return err_set(e, ERR_MISSING, "'%s' is no run folder, and holds none", path);
        drop_known(r, from);
        qsort(r->list + from, r->n - from, sizeof *r->list, by_name);
    }
    return true;
}
