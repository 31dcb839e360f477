// SPDX-License-Identifier: GPL-3.0-or-later
// evaluate.c: one pass of a network over a source.
#include "train/evaluate.h"

#include <string.h>

evaluator *evaluator_plan(const model_def *m, params *p, const model_dims *d, int max_threads,
                          arena *a, err *e)
{
    evaluator *v = NEW(a, evaluator, 1);
    v->net = model_build(m, p, d, a, e);
    if (!v->net)
        return NULL;
    params_layout(p);
    tensor **outputs = NEW(a, tensor *, 1);
    outputs[0] = v->net->logits;
    plan_options o = {.threads = max_threads, .outputs = outputs, .n_outputs = 1, .params = p};
    shape s = v->net->logits->shape;
    v->metrics = metrics_open(m->task, (int)s.d[s.rank - 1], a);
    v->plan = plan_make(v->net->g, &o, a, e);
    return v->plan ? v : NULL;
}

bool evaluator_open(evaluator *v, threads *pool, arena *a, err *e)
{
    const params *p = v->net->p;
    v->run = run_open(v->plan, p, pool, a, e);
    return v->run != NULL;
}

static int64_t width_of(const evaluator *v)
{
    const tensor *t = v->net->logits;
    return t->shape.d[t->shape.rank - 1];
}

void evaluator_compare(evaluator *v, const float *row, arena *a)
{
    v->constant = metrics_open(v->net->model->task, (int)width_of(v), a);
    v->said = row;
}

void evaluator_close(evaluator *v)
{
    if (v)
        run_close(v->run), v->run = NULL;
}

static bool add_batch(evaluator *v, const batch *b, err *e)
{
    const tensor *logits = v->net->logits;
    const batch_field *target = feed_find(b, "target"), *weight = feed_find(b, "weight"),
                      *more = feed_find(b, "more");
    if (!target || !weight)
        return err_set(e, ERR_SHAPE, "the data have no labels to compare with");
    if (!feed_copy(v->net, v->run, b, e))
        return false;
    run_step(v->run, 0, 0, false);
    metrics_rows rows = {.out = run_data(v->run, logits),
                         .classes = target->type == BATCH_I32 ? target->data : NULL,
                         .values = target->type == BATCH_F32 ? target->data : NULL,
                         .weight = weight->data,
                         .rows = shape_rows(logits->shape),
                         .width = width_of(v),
                         .more = more ? more->data : NULL};
    metrics_add(v->metrics, &rows);
    if (v->constant) {
        rows.out = v->said, rows.same = true;
        metrics_add(v->constant, &rows);
    }
    return true;
}

bool evaluator_run(evaluator *v, const source *s, const env *world, metrics_result *r, err *e)
{
    metrics_clear(v->metrics);
    if (v->constant)
        metrics_clear(v->constant);
    s->seek(s->self, 0, 0);
    for (uint64_t i = 0; i < s->batches; i++) {
        if (env_stop(world))
            return err_set(e, ERR_STOPPED, "asked to stop during evaluation");
        const batch *b = s->next(s->self, e);
        if (!b || !add_batch(v, b, e))
            return err_trail(e, "evaluation");
    }
    *r = metrics_close(v->metrics);
    return true;
}
