// SPDX-License-Identifier: GPL-3.0-or-later
// runs_read.c: how one run stands: its lock and its marks, and the last lines of its record.
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "train/metrics.h"
#include "train/report.h"
#include "train/runs.h"

// Of a file that says how a run ended, or of environment.json; of the end of metrics.jsonl, which
// is read in larger and larger parts until an evaluation is in it.
enum { WORDS = 2000, RECORD = 1 << 20, TAIL = 16 << 10, TAIL_MOST = 64 << 20 };

const char *const run_states[RUN_STATES] = {"waiting", "running", "done",
                                            "ended",   "stopped", "failed"};

static const char *in(const char *run, const char *name, char out[4200])
{
    snprintf(out, 4200, "%s/%s", run, name);
    return out;
}

// ---- Whether it runs, and how it ended

static const struct {
    const char *file;
    run_state state;
} marks[] = {
    {"DONE", RUN_DONE}, {"ENDED", RUN_ENDED}, {"FAILED", RUN_FAILED}, {"STOPPED", RUN_STOPPED}};

static const char *first_line(const char *path, arena *a)
{
    char text[WORDS + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return NULL;
    ssize_t n = read(fd, text, WORDS);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    text[strcspn(text, "\n")] = 0;
    return arena_strdup(a, text);
}

// Without a mark, and without the process that would have made one.
static const char *describe_kill(const run_info *r, arena *a)
{
    char who[256];
    lock_describe(&r->owner, who);
    return arena_printf(a, "killed, or its machine went down%s%s%s", *who ? ": " : "", who,
                        *who ? " is gone" : "");
}

// The lock is looked at first: who has it may be at its end and make a mark meanwhile, and it
// counts from there on that it is done; a mark of old is removed by the next who has the lock.
static bool read_state(run_info *r, arena *a)
{
    char path[4200];
    lock_state lock = lock_look(r->path, &r->owner);
    r->state = lock == LOCK_HELD ? RUN_RUNNING : RUN_STOPPED;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        const char *why = first_line(in(r->path, marks[i].file, path), a);
        if (!why || (lock == LOCK_HELD && marks[i].state != RUN_DONE))
            continue;
        r->state = marks[i].state, r->why = why;
        return true;
    }
    if (r->state == RUN_STOPPED && lock == LOCK_FREE && !r->owner.pid &&
        access(in(r->path, "environment.json", path), F_OK))
        r->state = RUN_WAITING; // between its first two breaths
    else if (r->state == RUN_STOPPED)
        r->why = describe_kill(r, a);
    return lock != LOCK_NONE || !access(in(r->path, "metrics.jsonl", path), F_OK);
}

// ---- Figures

typedef struct tail {
    char *text; // ends with the last whole line
    size_t n;
    bool whole; // it is all there is
} tail;

static bool read_tail(const char *path, size_t window, tail *t, arena *a)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    bool ok = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if (ok) {
        size_t n = (uint64_t)st.st_size < window ? (size_t)st.st_size : window;
        t->text = arena_alloc(a, n + 1, 1);
        int64_t got = file_read_at(fd, t->text, n, (int64_t)st.st_size - (int64_t)n);
        t->n = got > 0 ? (size_t)got : 0;
        t->whole = (uint64_t)st.st_size <= window;
        while (t->n && t->text[t->n - 1] != '\n')
            t->n--;
        t->text[t->n] = 0;
    }
    if (fd >= 0)
        close(fd);
    return ok;
}

// The last line of that kind; NULL: none in this part.
static json *last_line(const tail *t, const char *kind)
{
    char head[40];
    size_t n = (size_t)snprintf(head, sizeof head, "{\"kind\": \"%s\"", kind), end = t->n;
    while (end) {
        size_t begin = end - 1;
        while (begin && t->text[begin - 1] != '\n')
            begin--;
        bool cut = !begin && !t->whole;
        if (!cut && end - begin > n && !memcmp(t->text + begin, head, n))
            return json_parse(t->text + begin, end - begin - 1, NULL);
        end = begin;
    }
    return NULL;
}

bool run_higher(const run_info *r)
{
    return metrics_higher_is_better(r->monitor);
}

// Records of older versions, whose last line does not tell the best: all of it is read.
static void search_best(run_info *r, arena *a)
{
    report_record record;
    if (!report_read(r->path, &record, a, NULL) || !record.has_best)
        return;
    r->best_step = (int64_t)record.best.v[REPORT_STEP];
    for (int f = 0; f < REPORT_FIGURES; f++)
        if (!strcmp(report_names[f], r->monitor))
            r->best = record.best.v[f];
}

static void read_evaluation(run_info *r, const json *eval, arena *a)
{
    r->last = json_num(json_get(eval, r->monitor), NAN);
    r->best = json_num(json_get(eval, "best_value"), NAN);
    r->best_step = json_int(json_get(eval, "best_step"), -1);
    if (r->best_step < 0)
        search_best(r, a);
}

static void read_step(run_info *r, const json *line)
{
    int64_t step = json_int(json_get(line, "step"), -1);
    r->step = step > r->step ? step : r->step;
}

// `a` is rewound: nothing of a record is kept.
static void read_figures(run_info *r, arena *a)
{
    char path[4200];
    tail t;
    json *eval = NULL, *train = NULL;
    arena_mark m = arena_save(a);
    in(r->path, "metrics.jsonl", path);
    for (size_t window = TAIL; window <= TAIL_MOST && read_tail(path, window, &t, a);
         window *= 16) {
        json_free(train);
        train = last_line(&t, "train"), eval = last_line(&t, "eval");
        if (eval || t.whole)
            break;
        arena_rewind(a, m);
    }
    read_step(r, train), read_step(r, eval);
    r->loss = json_num(json_get(train, "loss"), NAN);
    r->seconds = json_num(json_get(train, "seconds"), NAN);
    if (eval)
        read_evaluation(r, eval, a);
    json_free(train), json_free(eval);
    arena_rewind(a, m);
}

static void read_environment(run_info *r, arena *a)
{
    char path[4200];
    size_t n;
    arena_mark m = arena_save(a);
    in(r->path, "environment.json", path);
    char *text = access(path, F_OK) ? NULL : file_read(a, path, RECORD, &n, NULL);
    json *j = text ? json_parse(text, n, NULL) : NULL;
    arena_rewind(a, m);
    r->total = json_int(json_get(j, "steps"), -1);
    const char *started = json_str(json_get(j, "started"), NULL);
    r->started = started ? arena_strdup(a, started) : NULL;
    json_free(j);
}

bool run_read(run_info *r, const char *path, const char *monitor, arena *a)
{
    *r = (run_info){.path = path,
                    .name = path,
                    .monitor = monitor,
                    .step = -1,
                    .total = -1,
                    .best_step = -1,
                    .best = NAN,
                    .last = NAN,
                    .loss = NAN,
                    .seconds = NAN};
    if (!read_state(r, a))
        return false;
    read_environment(r, a);
    read_figures(r, a);
    return true;
}
