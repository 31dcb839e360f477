// SPDX-License-Identifier: GPL-3.0-or-later
// evaluate_share.c: an evaluation in several processes, a batch each in turns.
//
// An item of TASK_CLASSES or TASK_GROUPS may have its rows in several batches, so these rows go to
// everyone, and everyone adds up all of them in the order of batches: the figures are those of one
// process, to the bit. Of the other tasks, whose rows are wide, each adds up its own, and sums are
// put together in the order of ranks.
#include <stdio.h>
#include <string.h>

#include "train/evaluate.h"

// One process's part of a turn.
typedef struct turn {
    int32_t failed;
    int32_t rows; // that follow: all logits, weights, classes, `more`, and paths
} turn;

static size_t row_bytes(const evaluator *v)
{
    return ((size_t)(v->labels + 2 * v->every) + 1) * sizeof(float) + METRICS_PATH;
}

static size_t rows_most(const evaluator *v)
{
    return v->labels ? (size_t)shape_rows(v->session->net->logits->shape) : 0;
}

static size_t turn_bytes(const evaluator *v)
{
    return sizeof(turn) + row_bytes(v) * rows_most(v);
}

uint64_t evaluator_share_bytes(const evaluator *v, const comm *c)
{
    size_t size = (size_t)comm_size(c), sums = size * sizeof(metrics_sums),
           paths = rows_most(v) * sizeof(char *);
    return size > 1 ? (size + 1) * turn_bytes(v) + sums + paths : 0;
}

void evaluator_share(evaluator *v, comm *c, arena *a)
{
    size_t size = (size_t)comm_size(c);
    if (size == 1)
        return;
    v->comm = c;
    v->shared = arena_alloc(a, (size + 1) * turn_bytes(v), sizeof(int32_t));
    v->sums = NEW(a, metrics_sums, size);
    v->paths = NEW(a, const char *, rows_most(v) + 1);
}

static void add(evaluator *v, metrics_rows rows)
{
    metrics_add(v->metrics, &rows);
    if (v->constant) {
        rows.out = v->said, rows.same = true, rows.paths = NULL;
        metrics_add(v->constant, &rows);
    }
}

static char *put(char *to, const void *from, size_t bytes)
{
    if (from)
        memcpy(to, from, bytes);
    else
        memset(to, 0, bytes);
    return to + bytes;
}

static void pack(const evaluator *v, const metrics_rows *r, char *to)
{
    size_t n = (size_t)r->rows, one = n * sizeof(float), targets = one * (size_t)v->every;
    to = put(to, r->out, one * (size_t)v->labels);
    to = put(put(put(to, r->weight, targets), r->classes, targets), r->more, one);
    for (size_t i = 0; i < n; i++)
        snprintf(to + i * METRICS_PATH, METRICS_PATH, "%s",
                 r->paths && (int64_t)i < r->n_paths ? r->paths[i] : "");
}

static metrics_rows unpack(const evaluator *v, const turn *t)
{
    const float *at = (const float *)(t + 1);
    const float *weight = at + t->rows * v->labels, *classes = weight + t->rows * v->every,
                *more = classes + t->rows * v->every;
    int64_t n = t->rows;
    for (int64_t i = 0; i < n; i++)
        v->paths[i] = (const char *)(more + n) + i * METRICS_PATH;
    return (metrics_rows){.out = at,
                          .weight = weight,
                          .classes = (const int32_t *)classes,
                          .more = (const int32_t *)more,
                          .rows = n,
                          .width = v->labels,
                          .every = v->every,
                          .paths = v->paths,
                          .n_paths = n,
                          .per_path = 1};
}

static const turn *turn_of(const evaluator *v, int rank)
{
    return (const turn *)(const void *)(v->shared + (size_t)(rank + 1) * turn_bytes(v));
}

bool evaluator_add(evaluator *v, const metrics_rows *rows, bool ok, err *e)
{
    bool alone = !v->shared, any = false;
    if (rows && (alone || !v->labels))
        add(v, *rows);
    if (alone)
        return ok;
    turn *mine = (turn *)(void *)v->shared;
    *mine = (turn){!ok, rows && v->labels ? (int32_t)rows->rows : 0};
    if (mine->rows)
        pack(v, rows, v->shared + sizeof *mine);
    if (!comm_gather(v->comm, mine, turn_bytes(v), v->shared + turn_bytes(v), e))
        return false;
    for (int i = 0; i < comm_size(v->comm); i++)
        any = any || turn_of(v, i)->failed;
    for (int i = 0; !any && i < comm_size(v->comm); i++)
        if (turn_of(v, i)->rows)
            add(v, unpack(v, turn_of(v, i)));
    return !any || comm_agree(v->comm, ok, e);
}

static bool put_together(evaluator *v, metrics *m, err *e)
{
    metrics_sums mine = metrics_take(m);
    if (!comm_gather(v->comm, &mine, sizeof mine, v->sums, e))
        return false;
    metrics_put(m, v->sums, comm_size(v->comm));
    return true;
}

bool evaluator_sum_up(evaluator *v, err *e)
{
    return !v->shared || v->labels ||
           (put_together(v, v->metrics, e) && (!v->constant || put_together(v, v->constant, e)));
}
