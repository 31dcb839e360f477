// SPDX-License-Identifier: GPL-3.0-or-later
// evaluate_file.c: a checkpoint on shards, for `kmidi eval`.
#include "train/evaluate.h"
#include "train/shards.h"

// The training data's baseline, where the checkpoint has it.
static bool compare(const checkpoint *k, evaluator *v, arena *a, err *e)
{
    float *row;
    size_t n;
    if (!meta_get(&k->meta, "baseline"))
        return true;
    if (!meta_floats(&k->meta, "baseline", a, &row, &n, e))
        return false;
    if ((int64_t)n != evaluator_width(v))
        return err_set(e, ERR_DAMAGED,
                       "'%s': its baseline has %zu numbers where the model has %lld", k->path, n,
                       (long long)evaluator_width(v));
    evaluator_compare(v, row, a);
    return true;
}

static bool evaluate(const evaluate_request *r, checkpoint *k, shards *s, const env *world,
                     arena *a, evaluation *out, err *e)
{
    params *p = params_open(a);
    model_dims d = {.batch = s->eval_batch, .time = s->window, .classes = k->classes};
    evaluator *v = evaluator_plan(k->model, p, &d, threads_count(world->pool), a, e);
    bool ok = v && params_allocate(p, 0, e) && checkpoint_weights(k, p, e) &&
              (!r->n_uses || lora_apply(p, k->model, &k->meta, r->uses, r->n_uses, e)) &&
              evaluator_open(v, world->pool, e) && compare(k, v, a, e) &&
              evaluator_run(v, &s->val_source, world, &out->result, e);
    if (ok && v->constant)
        out->baseline = metrics_close(v->constant);
    evaluator_close(v);
    params_release(p);
    return ok;
}

bool evaluate_checkpoint(const evaluate_request *r, const env *world, arena *a, evaluation *out,
                         err *e)
{
    size_t n_labels;
    *out = (evaluation){0};
    checkpoint *k = checkpoint_open(r->checkpoint, a, e);
    if (!k)
        return false;
    shards *s = shards_open_for(k, r->patterns, r->n_patterns, r->rows, a, e);
    bool ok = s && evaluate(r, k, s, world, a, out, e);
    if (ok && !out->result.items)
        ok = err_set(e, ERR_EMPTY, "none of the items of '%s' has a label to compare with",
                     r->patterns[0]);
    if (ok) {
        out->items = out->result.items;
        ok = !k->classes || meta_texts(&k->meta, "labels", a, &out->labels, &n_labels, e);
    }
    shards_close(s);
    checkpoint_close(k);
    return ok;
}
