// SPDX-License-Identifier: GPL-3.0-or-later
// profile_print.c: a profile as tables for people, as JSON lines, and as a trace for a browser.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/profile.h"
#include "base/json.h"

// Rows of one op and phase taken together.
typedef struct total {
    const char *op;
    profile_phase phase;
    int nodes, threads;                 // the most of any node
    double seconds, busy, flops, bytes; // busy: the part of them in which its threads did not wait
} total;

static int longest_first(const void *x, const void *y)
{
    double a = ((const total *)x)->seconds, b = ((const total *)y)->seconds;
    return a < b ? 1 : a > b ? -1 : 0;
}

static total *total_of(total *list, int *n, const profile_row *r)
{
    for (int i = 0; i < *n; i++)
        if (list[i].phase == r->phase && !strcmp(list[i].op, r->op))
            return &list[i];
    list[*n] = (total){.op = r->op, .phase = r->phase};
    return &list[(*n)++];
}

// Seconds, FLOP and bytes of a step, by op; *n of them, malloc'd.
static total *totals_of(const profile *f, int *n)
{
    int rows, steps = profile_steps(f);
    const profile_row *r = profile_rows(f, &rows);
    size_t bytes = (size_t)rows * sizeof(total);
    total *list = base_checked(malloc(bytes), bytes);
    *n = 0;
    for (int i = 0; i < rows; i++) {
        if (!r[i].calls)
            continue;
        total *t = total_of(list, n, &r[i]);
        double calls = (double)r[i].calls / steps;
        t->nodes++;
        t->threads = r[i].threads > t->threads ? r[i].threads : t->threads;
        t->busy += profile_busy(&r[i]) * r[i].seconds / steps;
        t->seconds += r[i].seconds / steps, t->flops += r[i].flops * calls,
            t->bytes += r[i].bytes * calls;
    }
    qsort(list, (size_t)*n, sizeof *list, longest_first);
    return list;
}

// A rate in thousand millions a second, or "-" for what has none.
static const char *rate_text(double amount, double seconds, char out[32])
{
    if (amount > 0 && seconds > 0)
        snprintf(out, 32, "%.1f", amount / seconds * 1e-9);
    else
        snprintf(out, 32, "-");
    return out;
}

static double part_of(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static void print_head(const profile *f, strbuf *out)
{
    double least, most, mean = profile_seconds(f, &least, &most);
    strbuf_printf(out, "a step takes %.3f ms, the mean of %d (%.3f to %.3f)\n", mean * 1e3,
                  profile_steps(f), least * 1e3, most * 1e3);
}

void profile_ops(const profile *f, strbuf *out)
{
    int n;
    double least, most, whole = profile_seconds(f, &least, &most);
    total *list = totals_of(f, &n);
    print_head(f, out);
    strbuf_printf(out, "\n%-18s %-10s %5s %3s %5s %10s %6s %9s %8s\n", "op", "phase", "nodes",
                  "thr", "busy", "ms", "share", "GFLOP/s", "GB/s");
    for (int i = 0; i < n; i++) {
        const total *t = &list[i];
        char flops[32], bytes[32];
        strbuf_printf(out, "%-18s %-10s %5d %3d %4.0f%% %10.3f %5.1f%% %9s %8s\n", t->op,
                      profile_phase_name(t->phase), t->nodes, t->threads,
                      100 * part_of(t->busy, t->seconds), t->seconds * 1e3,
                      100 * t->seconds / whole, rate_text(t->flops, t->seconds, flops),
                      rate_text(t->bytes, t->seconds, bytes));
    }
    free(list);
}

void profile_table(const profile *f, strbuf *out)
{
    int n, steps = profile_steps(f);
    double least, most, whole = profile_seconds(f, &least, &most);
    const profile_row *r = profile_rows(f, &n);
    profile_ops(f, out);
    strbuf_printf(out, "\n%4s  %-18s %-10s %3s %5s %10s %6s %9s %8s  %s\n", "step", "op", "phase",
                  "thr", "busy", "ms", "share", "GFLOP/s", "GB/s", "output, weight");
    for (int i = 0; i < n; i++) {
        char flops[32], bytes[32], s[64];
        double calls = (double)r[i].calls, seconds = r[i].seconds;
        if (calls > 0)
            strbuf_printf(out, "%4d  %-18s %-10s %3d %4.0f%% %10.3f %5.1f%% %9s %8s  %s %s\n", i,
                          r[i].op, profile_phase_name(r[i].phase), r[i].threads,
                          100 * profile_busy(&r[i]), seconds / steps * 1e3,
                          100 * seconds / steps / whole,
                          rate_text(r[i].flops * calls, seconds, flops),
                          rate_text(r[i].bytes * calls, seconds, bytes),
                          r[i].out ? shape_text(r[i].out->shape, s) : "", r[i].what);
    }
}

// ---- JSON lines

static void add_line(json *j, strbuf *out)
{
    json_dump(j, 0, out);
    strbuf_printf(out, "\n");
    json_free(j);
}

static json *figures(const char *kind, const total *t)
{
    json *j = json_object();
    json_set_str(j, "kind", kind);
    json_set_str(j, "op", t->op);
    json_set_str(j, "phase", profile_phase_name(t->phase));
    json_set_int(j, "threads", t->threads);
    json_set_num(j, "busy", part_of(t->busy, t->seconds));
    json_set_num(j, "ms", t->seconds * 1e3);
    json_set_num(j, "flops", t->flops);
    json_set_num(j, "bytes", t->bytes);
    json_set_num(j, "gflops_per_s", t->seconds > 0 ? t->flops / t->seconds * 1e-9 : 0);
    json_set_num(j, "gb_per_s", t->seconds > 0 ? t->bytes / t->seconds * 1e-9 : 0);
    return j;
}

static void step_line(const profile *f, strbuf *out)
{
    double least, most, mean = profile_seconds(f, &least, &most);
    json *j = json_object();
    json_set_str(j, "kind", "step");
    json_set_int(j, "steps", profile_steps(f));
    json_set_num(j, "ms", mean * 1e3);
    json_set_num(j, "least_ms", least * 1e3);
    json_set_num(j, "most_ms", most * 1e3);
    add_line(j, out);
}

static void node_line(const profile *f, const profile_row *r, int index, strbuf *out)
{
    char s[64];
    double calls = (double)r->calls / profile_steps(f);
    total t = {.op = r->op,
               .phase = r->phase,
               .threads = r->threads,
               .seconds = r->seconds / profile_steps(f)};
    t.flops = r->flops * calls, t.bytes = r->bytes * calls, t.busy = profile_busy(r) * t.seconds;
    json *j = figures("node", &t);
    json_set_int(j, "step", index);
    json_set_str(j, "weight", r->what);
    json_set_str(j, "output", r->out ? shape_text(r->out->shape, s) : "");
    json_set_num(j, "calls", calls);
    add_line(j, out);
}

void profile_lines(const profile *f, strbuf *out)
{
    int n;
    total *list = totals_of(f, &n);
    step_line(f, out);
    for (int i = 0; i < n; i++)
        add_line(figures("op", &list[i]), out);
    free(list);
    const profile_row *r = profile_rows(f, &n);
    for (int i = 0; i < n; i++)
        if (r[i].calls)
            node_line(f, &r[i], i, out);
}

// The trace: complete events ("ph": "X"). On the main thread a phase is an event that its nodes lie
// in, so a browser draws them below it; the threads of the pool, that one's own part among them,
// have a row each with what they did of a node.

enum { MAIN_ROW = 1, POOL_ROW = 2 };

static void add_event(json *list, int row, const char *name, const char *phase, double begin,
                      double end, json *args)
{
    json *j = json_object();
    json_set_str(j, "name", name);
    json_set_str(j, "cat", phase);
    json_set_str(j, "ph", "X");
    json_set_num(j, "ts", begin * 1e6);
    json_set_num(j, "dur", (end - begin) * 1e6);
    json_set_int(j, "pid", 1);
    json_set_int(j, "tid", row);
    if (args)
        json_set(j, "args", args);
    json_push(list, j);
}

static void add_row_event(json *list, const profile_row *r, const profile_event *v)
{
    char flops[32], bytes[32], s[64];
    json *args = json_object();
    json_set_str(args, "weight", r->what);
    json_set_str(args, "output", r->out ? shape_text(r->out->shape, s) : "");
    json_set_int(args, "threads", r->threads);
    json_set_str(args, "GFLOP/s", rate_text(r->flops, v->end - v->begin, flops));
    json_set_str(args, "GB/s", rate_text(r->bytes, v->end - v->begin, bytes));
    add_event(list, MAIN_ROW, r->op, profile_phase_name(r->phase), v->begin, v->end, args);
}

// Events of one phase that follow each other.
static void add_phases(json *list, const profile *f)
{
    int n, rows;
    const profile_event *v = profile_events(f, &n);
    const profile_row *r = profile_rows(f, &rows);
    for (int i = 0, first = 0; i < n; i++) {
        profile_phase p = r[v[i].row].phase;
        if (i + 1 < n && r[v[i + 1].row].phase == p)
            continue;
        add_event(list, MAIN_ROW, profile_phase_name(p), profile_phase_name(p), v[first].begin,
                  v[i].end, NULL);
        first = i + 1;
    }
}

static void add_name(json *list, int row, const char *what, const char *name)
{
    json *j = json_object(), *args = json_object();
    json_set_str(args, "name", name);
    json_set_str(j, "name", what);
    json_set_str(j, "ph", "M");
    json_set_int(j, "pid", 1);
    json_set_int(j, "tid", row);
    json_set(j, "args", args);
    json_push(list, j);
}

static void add_work(json *list, const profile *f)
{
    int rows, named = 0;
    profile_event v;
    const profile_row *r = profile_rows(f, &rows);
    for (int64_t i = 0; i < profile_parts(f); i++) {
        if (!profile_work(f, i, &v))
            continue;
        for (char name[32]; named <= v.thread; named++) {
            snprintf(name, sizeof name, "thread %d of the pool", named);
            add_name(list, POOL_ROW + named, "thread_name", name);
        }
        add_event(list, POOL_ROW + v.thread, r[v.row].op, profile_phase_name(r[v.row].phase),
                  v.begin, v.end, NULL);
    }
}

void profile_trace(const profile *f, strbuf *out)
{
    int n, rows;
    const profile_event *v = profile_events(f, &n);
    const profile_row *r = profile_rows(f, &rows);
    json *j = json_object(), *list = json_array();
    add_name(list, MAIN_ROW, "process_name", "kmidi, a training step");
    add_name(list, MAIN_ROW, "thread_name", "main");
    add_phases(list, f);
    for (int i = 0; i < n; i++)
        add_row_event(list, &r[v[i].row], &v[i]);
    add_work(list, f);
    json_set_str(j, "displayTimeUnit", "ms");
    json_set(j, "traceEvents", list);
    json_dump(j, 0, out);
    strbuf_printf(out, "\n");
    json_free(j);
}
