// SPDX-License-Identifier: GPL-3.0-or-later
// evaluate_file.c: a checkpoint on shards, for `kmidi eval`.
#include <string.h>

#include "infer/trained.h"
#include "train/evaluate.h"
#include "train/shards.h"

// The training data's baseline, where the checkpoint has it.
static bool compare(const trained *t, evaluator *v, arena *a, err *e)
{
    float *row;
    size_t n;
    if (!meta_floats(&t->file->meta, "baseline", a, &row, &n, e))
        return err_trail(e, "'%s'", t->path);
    if (!row)
        return true;
    if ((int64_t)n != evaluator_width(v))
        return err_set(e, ERR_DAMAGED,
                       "'%s': its baseline has %zu numbers where the model has %lld", t->path, n,
                       (long long)evaluator_width(v));
    evaluator_compare(v, row, a);
    return true;
}

static bool evaluate(trained *t, shards *s, const evaluate_request *r, const env *world, arena *a,
                     evaluation *out, err *e)
{
    model_dims d = {.batch = s->eval_batch, .time = s->window, .classes = t->classes};
    evaluator *v = evaluator_plan(t->model, t->p, &d, world->kit, threads_count(world->pool), a, e);
    if (v)
        v->say = r->say, v->with = r->with;
    bool ok = v && evaluator_open(v, world->pool, e) && compare(t, v, a, e) &&
              evaluator_run(v, &s->val_source, world, &out->result, e);
    if (ok && v->constant)
        out->baseline = metrics_close(v->constant);
    evaluator_close(v);
    return ok;
}

// Of the confusion matrix.
static const char *const *labels_of(const trained *t, const metrics_result *r)
{
    const hear_group *g = r->n_groups ? hear_find_group(&t->hear, r->groups[r->main].name) : NULL;
    return g && g->group.n == r->classes ? g->group.classes : t->labels;
}

bool evaluate_checkpoint(const evaluate_request *r, const env *world, arena *a, evaluation *out,
                         err *e)
{
    *out = (evaluation){0};
    trained *t = trained_open(r->checkpoint, a, e);
    shards *s = t ? shards_open_for(t, r->patterns, r->n_patterns, r->rows, a, e) : NULL;
    if (s && r->weights)
        memcpy(t->p->weights, r->weights->weights, sizeof(float) * (size_t)t->p->weights_len);
    bool ok = s && trained_adapt(t, r->uses, r->n_uses, e) && quantise_params(t->p, r->form, e) &&
              evaluate(t, s, r, world, a, out, e);
    if (ok && !out->result.items)
        ok = err_set(e, ERR_EMPTY, "none of the items of '%s' has a label to compare with",
                     r->patterns[0]);
    if (ok)
        out->items = out->result.items, out->labels = labels_of(t, &out->result);
    shards_close(s);
    trained_close(t);
    return ok;
}
