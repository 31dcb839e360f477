// SPDX-License-Identifier: GPL-3.0-or-later
// evaluate_file.c: a checkpoint on shards, for `kmidi eval`.
#include "train/evaluate.h"
#include "train/shards.h"

static bool evaluate(checkpoint *k, shards *s, const env *world, arena *a, params *p, evaluation *out, err *e)
{
    model_dims d = {.batch = s->eval_batch, .time = s->window, .classes = k->classes};
    evaluator *v = evaluator_plan(k->model, p, &d, threads_count(world->pool), a, e);
    bool ok = v && params_allocate(p, 0, e) && checkpoint_weights(k, p, e) && evaluator_open(v, world->pool, a, e) &&
              evaluator_run(v, &s->val_source, world, &out->result, e);
    evaluator_close(v);
    params_release(p);
    return ok;
}

bool evaluate_checkpoint(const char *path, const char *const *patterns, size_t n, int64_t rows, const env *world, arena *a, evaluation *out,
                         err *e)
{
    size_t n_labels;
    *out = (evaluation){0};
    checkpoint *k = checkpoint_open(path, a, e);
    if (!k)
        return false;
    shards *s = shards_open_for(k, patterns, n, rows, a, e);
    bool ok = s && evaluate(k, s, world, a, params_open(a), out, e);
    if (ok && !out->result.items)
        ok = err_set(e, ERR_EMPTY, "none of the items of '%s' has a label to compare with", patterns[0]);
    if (ok) {
        out->items = out->result.items;
        ok = !k->classes || meta_texts(&k->meta, "labels", a, &out->labels, &n_labels, e);
    }
    shards_close(s);
    checkpoint_close(k);
    return ok;
}
