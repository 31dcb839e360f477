// SPDX-License-Identifier: GPL-3.0-or-later
// profile.c: what a profile says of a step: its products counted by hand, rows that add up, a trace
// that a browser can read.
#include "autograd/profile.h"

#include <math.h>
#include <string.h>

#include "autograd/op.h"
#include "tests/test.h"
#include "tests/train/small.h"

// ---- FLOP of the products that the forward of one node makes

static double flops_of(const tensor *t)
{
    return t->from->op->flops ? t->from->op->flops(t->from) : 0;
}

TEST(profile_counts_two_flop_a_multiply_add)
{
    arena a = {.name = "flops"};
    err e = {0};
    graph *g = graph_open(&a);
    tensor *x = graph_input(g, "x", DT_F32, shape_of(3, 2, 5, 48)),
           *w = graph_input(g, "w", DT_F32, shape_of(2, 7, 48));
    EXPECT_NEAR(flops_of(op_linear(g, x, w, NULL, ACT_NONE)), 2.0 * 10 * 7 * 48, 0);
    EXPECT_NEAR(flops_of(op_matmul(g, x, w, false, true)), 2.0 * 10 * 7 * 48, 0);
    EXPECT_NEAR(flops_of(op_add(g, x, x)), 0, 0);
    // Scores and the sum over values, 2 d each: 5 x 5 pairs a head, or 1 + 2 + 3 + 4 + 5 where each
    // query sees what is before it.
    EXPECT_NEAR(flops_of(op_attention(g, x, x, x, NULL, 4, false)), 2 * 4 * (5 * 5) * (2 * 2 * 12),
                0);
    EXPECT_NEAR(flops_of(op_attention(g, x, x, x, NULL, 4, true)),
                2 * 4 * (5 * 6 / 2) * (2 * 2 * 12), 0);
    EXPECT_OK(graph_ok(g, &e), e);
    arena_free(&a);
}

// ---- A profile of steps of a small run

typedef struct profiled {
    small_run s;
    trainer *t;
    const profile *f;
} profiled;

static void profiled_open_on(profiled *q, threads *pool, const char *model, int steps,
                             int64_t accum)
{
    err e = {0};
    small_open(&q->s, model, 16, 4);
    q->s.env.pool = pool;
    q->s.o.grad_accum = accum;
    q->s.setup.profile_steps = steps;
    q->t = trainer_open(&q->s.setup, &q->s.a, &e);
    EXPECT_OK(q->t != NULL, e);
    q->f = trainer_profile(q->t);
    for (int i = 0; i < PROFILE_WARM_UP + steps + 1; i++)
        EXPECT_OK(trainer_step(q->t, &e), e);
}

static void profiled_open(profiled *q, const char *model, int steps, int64_t accum)
{
    profiled_open_on(q, NULL, model, steps, accum);
}

static void profiled_close(profiled *q)
{
    trainer_close(q->t);
    small_close(&q->s);
}

static const profile_row *find_row(const profile *f, const char *op, const char *weight,
                                   profile_phase phase)
{
    int n;
    const profile_row *r = profile_rows(f, &n);
    for (int i = 0; i < n; i++)
        if (!strcmp(r[i].op, op) && !strcmp(r[i].what, weight) && r[i].phase == phase)
            return &r[i];
    return NULL;
}

TEST(profile_rows_add_up_to_the_step)
{
    profiled q;
    profiled_open(&q, "emotion_recognizer", 5, 1);
    int n;
    double least, most, sum = 0, mean = profile_seconds(q.f, &least, &most);
    const profile_row *r = profile_rows(q.f, &n);
    EXPECT_INT(profile_steps(q.f), 5);
    EXPECT(profile_complete(q.f));
    for (int i = 0; i < n; i++)
        sum += r[i].seconds / 5;
    EXPECT_NEAR(sum, mean, 1e-6 * mean);
    EXPECT(r[n - 1].phase == PHASE_REST && r[n - 1].seconds >= 0);
    EXPECT_BELOW(r[n - 1].seconds / 5, 0.05 * mean); // what no row accounts for
    EXPECT(least > 0 && least <= mean && mean <= most);
    profiled_close(&q);
}

TEST(profile_rows_know_products_weights_and_calls)
{
    profiled q;
    profiled_open(&q, "emotion_recognizer", 2, 2);
    // fc1 is 128 to 512, over 16 rows of 4 frames; its weight's gradient is the same product the
    // other way round.
    const profile_row *forward = find_row(q.f, "linear", "fc1.weight", PHASE_FORWARD);
    const profile_row *back = find_row(q.f, "matmul", "fc1.weight", PHASE_BACKWARD);
    if (EXPECT(forward && back)) {
        EXPECT_NEAR(forward->flops, 2.0 * 64 * 512 * 128, 0);
        EXPECT_NEAR(back->flops, forward->flops, 0);
        EXPECT_NEAR(forward->bytes, 4.0 * (64 * 128 + 512 * 128 + 512 + 64 * 512), 0);
        EXPECT_INT(forward->calls, 4); // two steps of two batches
    }
    const profile_row *optim = find_row(q.f, "optimiser", "", PHASE_OPTIMISER);
    if (EXPECT(optim != NULL)) {
        EXPECT_INT(optim->calls, 2);
        EXPECT_NEAR(optim->bytes, 7.0 * sizeof(float) * (double)trainer_params(q.t)->grads_len, 0);
    }
    EXPECT_INT(find_row(q.f, "waiting for data", "", PHASE_DATA)->calls, 4);
    EXPECT_INT(find_row(q.f, "(add gradient)", "fc1.weight", PHASE_BACKWARD)->calls, 4);
    EXPECT(profile_complete(q.f));
    profiled_close(&q);
}

// Work of the step's threads lies inside the rows that asked for it, and one thread does one thing
// at a time.
static void check_work(const profile *f, bool seen[2])
{
    int n, events;
    double end[2] = {0};
    profile_event w;
    const profile_row *r = profile_rows(f, &n);
    const profile_event *v = profile_events(f, &events);
    for (int64_t i = 0; i < profile_parts(f); i++) {
        int at = 0;
        if (!EXPECT(profile_work(f, i, &w) && (w.thread == 0 || w.thread == 1)))
            return;
        while (at < events && (v[at].row != w.row || v[at].end < w.begin))
            at++;
        if (!EXPECT(at < events))
            return;
        EXPECT_INT(r[w.row].threads, 2);
        EXPECT(w.begin >= v[at].begin && w.end <= v[at].end);
        EXPECT(w.begin >= end[w.thread]);
        end[w.thread] = w.end;
        seen[w.thread] = true;
    }
}

TEST(profile_gives_the_work_of_each_thread_to_its_row)
{
    profiled q;
    err e = {0};
    bool seen[2] = {0};
    threads *pool = threads_open(2, &e);
    profiled_open_on(&q, pool, "emotion_recognizer", 4, 2);
    check_work(q.f, seen);
    EXPECT(seen[0] && seen[1]);
    const profile_row *fc1 = find_row(q.f, "linear", "fc1.weight", PHASE_FORWARD),
                      *feed = find_row(q.f, "copying the batch", "", PHASE_DATA);
    EXPECT(fc1->busy > 0 && fc1->busy <= 2 * fc1->seconds);
    EXPECT_NEAR(profile_busy(fc1), fc1->busy / (2 * fc1->seconds), 1e-12);
    EXPECT_NEAR(feed->busy, 0, 0);
    EXPECT_NEAR(profile_busy(feed), 1, 1e-12);
    profiled_close(&q);
    threads_close(pool);
}

// Every event lies in the one of its phase before it, and none begins before the last one of its
// level ended.
static void check_events(const json *list)
{
    double phase_end = 0, node_end = 0, total = 0;
    int phases = 0, nodes = 0;
    for (size_t i = 0; i < json_len(list); i++) {
        const json *v = json_at(list, i);
        if (strcmp(json_str(json_get(v, "ph"), ""), "X"))
            continue;
        double ts = json_num(json_get(v, "ts"), -1), dur = json_num(json_get(v, "dur"), -1);
        bool phase = !json_get(v, "args");
        EXPECT(ts >= 0 && dur >= 0);
        EXPECT_BELOW((phase ? phase_end : node_end) - 0.01, ts);
        *(phase ? &phase_end : &node_end) = ts + dur;
        phases += phase, nodes += !phase, total += phase ? 0 : dur;
    }
    EXPECT_INT(phases, 4); // data, forward, backward, optimiser
    EXPECT(nodes > 20);
    EXPECT_BELOW(total, phase_end + 0.01);
}

TEST(profile_trace_is_complete_events_in_order)
{
    profiled q;
    err e = {0};
    strbuf text = {0};
    profiled_open(&q, "melody_transformer", 2, 1);
    profile_trace(q.f, &text);
    json *j = json_parse(text.s, text.len, &e);
    EXPECT_OK(j != NULL, e);
    check_events(json_get(j, "traceEvents"));
    json_free(j);
    strbuf_free(&text);
    profiled_close(&q);
}

TEST(profile_lines_are_json_whose_ops_add_up)
{
    profiled q;
    strbuf text = {0};
    profiled_open(&q, "melody_transformer", 2, 1);
    profile_lines(q.f, &text);
    double step = 0, sum[2] = {0};
    for (char *at = text.s, *line; (line = strsep(&at, "\n")) && *line;) {
        err e = {0};
        json *j = json_parse(line, strlen(line), &e);
        EXPECT_OK(j != NULL, e);
        const char *kind = json_str(json_get(j, "kind"), "");
        double ms = json_num(json_get(j, "ms"), NAN);
        if (!strcmp(kind, "step"))
            step = ms;
        else
            sum[!strcmp(kind, "op")] += ms;
        json_free(j);
    }
    EXPECT_NEAR(sum[0], step, 1e-3 * step);
    EXPECT_NEAR(sum[1], step, 1e-3 * step);
    strbuf_free(&text);
    profiled_close(&q);
}

TEST(profile_changes_no_bit_of_a_step)
{
    profiled with;
    small_run plain;
    err e = {0};
    profiled_open(&with, "emotion_recognizer", 2, 1);
    small_open(&plain, "emotion_recognizer", 16, 4);
    trainer *t = trainer_open(&plain.setup, &plain.a, &e);
    EXPECT_OK(t != NULL, e);
    EXPECT(trainer_profile(t) == NULL);
    for (int i = 0; i < PROFILE_WARM_UP + 3; i++)
        EXPECT_OK(trainer_step(t, &e), e);
    const params *p = trainer_params(t), *q = trainer_params(with.t);
    EXPECT_INT(memcmp(p->weights, q->weights, sizeof(float) * (size_t)p->weights_len), 0);
    trainer_close(t);
    small_close(&plain);
    profiled_close(&with);
}
