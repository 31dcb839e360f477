// SPDX-License-Identifier: GPL-3.0-or-later
// evaluate.c: one pass of a network over a source.
#include "train/evaluate.h"

#include <string.h>

evaluator *evaluator_plan(const model_def *m, params *p, const model_dims *d, const kit *k,
                          int max_threads, arena *a, err *e)
{
    evaluator *v = NEW(a, evaluator, 1);
    session_setup o = {.model = m,
                       .params = p,
                       .gives = SESSION_LOGITS,
                       .batch = d->batch,
                       .time = d->time,
                       .classes = d->classes,
                       .adapters = d->adapters,
                       .kit = k,
                       .threads = max_threads};
    v->session = session_plan(&o, a, e);
    if (!v->session)
        return NULL;
    v->metrics = metrics_open(m, (int)evaluator_width(v), a);
    v->labels = m->task == TASK_CLASSES || m->n_groups ? evaluator_width(v) : 0;
    v->every = m->n_groups ? m->n_groups : 1;
    return v;
}

bool evaluator_open(evaluator *v, threads *pool, err *e)
{
    return session_start(v->session, pool, e);
}

int64_t evaluator_width(const evaluator *v)
{
    const shape s = v->session->net->logits->shape;
    // of values a row is all that an item has
    return v->session->setup.model->target.type == DT_F32 ? shape_count(s) / s.d[0]
                                                          : s.d[s.rank - 1];
}

void evaluator_compare(evaluator *v, const float *row, arena *a)
{
    v->constant = metrics_open(v->session->setup.model, (int)evaluator_width(v), a);
    v->said = row;
}

void evaluator_close(evaluator *v)
{
    if (v)
        session_close(v->session);
}

static int64_t rows_of(const evaluator *v)
{
    return shape_count(v->session->net->logits->shape) / evaluator_width(v);
}

// What the network says to a batch of this process, beside what is right.
static bool run_batch(evaluator *v, const source *s, const env *world, metrics_rows *rows, err *e)
{
    session *own = v->session;
    const tensor *logits = own->net->logits;
    if (env_stop(world))
        return err_set(e, ERR_STOPPED, "asked to stop during evaluation");
    const batch *b = s->next(s->self, e);
    if (!b)
        return false;
    const batch_field *target = feed_find(b, "target"), *weight = feed_find(b, "weight"),
                      *more = feed_find(b, "more");
    if (!target || !weight)
        return err_set(e, ERR_SHAPE, "the data have no labels to compare with");
    if (!feed_copy(own->net, own->run, b, e))
        return false;
    if (!v->say)
        session_go(own);
    else if (!v->say(v->with, own, e))
        return false;
    *rows = (metrics_rows){.out = session_data(own, logits),
                           .classes = target->type == BATCH_I32 ? target->data : NULL,
                           .values = target->type == BATCH_F32 ? target->data : NULL,
                           .weight = weight->data,
                           .rows = rows_of(v),
                           .width = evaluator_width(v),
                           .every = v->every,
                           .more = more ? more->data : NULL,
                           .paths = b->paths,
                           .n_paths = b->paths ? b->n_paths : 0,
                           .per_path = rows_of(v) / logits->shape.d[0]};
    return true;
}

bool evaluator_run(evaluator *v, const source *s, const env *world, metrics_result *r, err *e)
{
    uint64_t size = (uint64_t)comm_size(v->comm), rank = (uint64_t)comm_rank(v->comm);
    metrics_clear(v->metrics);
    if (v->constant)
        metrics_clear(v->constant);
    s->seek(s->self, 0, 0);
    for (uint64_t i = 0; i < s->batches; i += size) {
        metrics_rows rows = {0};
        bool ok = i + rank >= s->batches || run_batch(v, s, world, &rows, e);
        if (!evaluator_add(v, ok && rows.out ? &rows : NULL, ok, e))
            return err_trail(e, "evaluation");
    }
    if (!evaluator_sum_up(v, e))
        return false;
    *r = metrics_close(v->metrics);
    return true;
}
