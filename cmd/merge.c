// SPDX-License-Identifier: GPL-3.0-or-later
// merge.c: a base and its adapters as one checkpoint, with a report of what changed, and a check
// that the sum is what was trained: on a probe batch the merged network and the network with
// adapters beside its weights must agree.
#include <math.h>
#include <string.h>

#include "base/larger.h"
#include "cmd/adapters.h"
#include "cmd/cmd.h"
#include "infer/session.h"
#include "infer/trained.h"
#include "train/products.h"
#include "train/sample.h"

static const option options[] = {
    {"out", 'o', OPT_OUT_H5, "OUT.h5", "the checkpoint to write", true},
    {"force", 0, OPT_FLAG, NULL, "write it although merged and unmerged disagree", false},
    {0},
};

enum { PROBE_ROWS = 4, PROBE_TIME = 16, PROBE_SEED = 7 };
static const double TOLERANCE = 1e-5; // of the largest output

typedef struct merging {
    cmd *c;
    trained *base;
    lora_use *uses;
    double *weight;
    const lora_adapter **list;
    int n;
    float *before, *merged, *apart; // outputs on the probe batch
    int64_t outputs;
    double largest, weight_change; // of all weights
    const char *where;
} merging;

// The output of the model on the probe batch with the weights of `p` (built with `l`) into a new
// array.
static float *probe(merging *m, const adapters *l, params *p, err *e)
{
    arena *a = m->c->arena;
    session_setup o = {.model = m->base->model,
                       .params = p,
                       .gives = SESSION_OUT,
                       .batch = PROBE_ROWS,
                       .time = PROBE_TIME,
                       .adapters = l,
                       .kit = m->c->env.kit};
    session *s = session_open(&o, a, e);
    float *out = NULL;
    if (s && feed_copy(s->net, s->run,
                       sample_batch(m->base->model, &s->net->dims, PROBE_SEED, 0, a), e)) {
        const tensor *y = s->net->out;
        session_go(s);
        m->outputs = shape_count(y->shape);
        out = NEW(a, float, (size_t)m->outputs);
        memcpy(out, session_data(s, y), sizeof *out * (size_t)m->outputs);
    }
    session_close(s);
    return out;
}

// The network as it was trained: what is adapted as in the base (`kept`), factors beside it; all
// else, also what was trained whole, as merged.
static bool probe_unmerged(merging *m, const float *kept, err *e)
{
    arena *a = m->c->arena;
    const adapters *l = lora_unmerged(m->list, m->weight, m->n, a);
    params *p = params_open(a), *from = m->base->p;
    model_dims d = {.batch = 1, .time = 1, .adapters = l};
    bool ok = model_build(m->base->model, p, &d, a, e) && params_allocate(p, 0, e);
    for (int i = 0; ok && i < p->n; i++) {
        int at = params_find(from, p->list[i].name);
        bool adapted = false;
        for (int k = 0; k < l->n; k++)
            adapted = adapted || !strcmp(l->site[k].weight, p->list[i].name);
        const float *w = at < 0    ? NULL
                         : adapted ? kept + from->list[at].offset
                                   : params_at(from, at);
        if (w)
            memcpy(params_at(p, i), w, sizeof *w * (size_t)p->list[i].count);
    }
    if (ok)
        lora_fill(p, l, m->list, m->n);
    ok = ok && (m->apart = probe(m, l, p, e));
    params_release(p);
    return ok;
}

static double difference(const float *x, const float *y, int64_t n)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++)
        worst = larger(worst, fabs((double)x[i] - (double)y[i]));
    return worst;
}

static double largest(const float *x, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = larger(most, fabs((double)x[i]));
    return most;
}

static json *report_weights(merging *m, const float *kept)
{
    json *list = json_object();
    const params *p = m->base->p;
    for (int i = 0; i < p->n; i++) {
        double change = difference(params_at(p, i), kept + p->list[i].offset, p->list[i].count);
        if (change > 0) {
            json_set_num(list, p->list[i].name, change);
            cmd_print(m->c, "  %-40s changed by at most %.3g of %.3g", p->list[i].name, change,
                      largest(kept + p->list[i].offset, p->list[i].count));
        }
        if (change > m->weight_change)
            m->weight_change = change, m->where = p->list[i].name;
    }
    return list;
}

static bool judge(merging *m, const float *kept, const char *out, err *e)
{
    double scale = largest(m->merged, m->outputs),
           change = difference(m->merged, m->before, m->outputs);
    double apart = difference(m->merged, m->apart, m->outputs) / (scale > 0 ? scale : 1);
    json *o = json_object();
    json_set_str(o, "file", out);
    json_set_str(o, "model", m->base->model->name);
    json_set(o, "weights", report_weights(m, kept));
    json_set_num(o, "largest_weight_change", m->weight_change);
    json_set_num(o, "largest_output_change", change);
    json_set_num(o, "unmerged_difference", apart);
    cmd_print(m->c,
              "largest change of a weight %.3g (%s), of an output on a probe batch %.3g of %.3g",
              m->weight_change, m->where ? m->where : "none", change, scale);
    cmd_print(m->c, "merged and unmerged differ by %.2g of the largest output", apart);
    cmd_json(m->c, o);
    if (apart <= TOLERANCE || option_given(m->c, "force"))
        return true;
    return err_set(e, ERR_NUMERIC,
                   "merged and unmerged networks differ by %.2g of the largest output, more than "
                   "%g: the adapter's values are "
                   "too large for f32; --force writes it all the same",
                   apart, TOLERANCE);
}

// All but what spoke of an adapter that is now part of the weights.
static bool write_merged(const merging *m, const char *out, err *e)
{
    const checkpoint *k = m->base->file;
    model_meta meta = {.arena = m->c->arena};
    for (int i = 0; i < k->meta.n; i++)
        if (!str_starts(k->meta.keys[i], "adapter"))
            meta_set(&meta, k->meta.keys[i], k->meta.values[i]);
    strbuf names = {0};
    for (int i = 0; i < m->n; i++)
        strbuf_printf(&names, "%s%s:%g", i ? " " : "", m->uses[i].folder, m->uses[i].weight);
    meta_set(&meta, "merged", names.s);
    strbuf_free(&names);
    return checkpoint_save(
        out,
        &(checkpoint_content){
            .model = k->model, .config = k->config, .meta = &meta, .params = m->base->p},
        e);
}

static bool merge(merging *m, err *e)
{
    cmd *c = m->c;
    params *p = m->base->p;
    const char *out = option_text(c, "out", "");
    float *kept = NEW(c->arena, float, (size_t)p->weights_len + 1);
    memcpy(kept, p->weights, sizeof *kept * (size_t)p->weights_len);
    return (m->before = probe(m, NULL, p, e)) &&
           lora_apply(p, m->base->model, &m->base->file->meta, m->uses, m->n, e) &&
           (m->merged = probe(m, NULL, p, e)) && probe_unmerged(m, kept, e) &&
           judge(m, kept, out, e) && write_merged(m, out, e);
}

static bool merge_run(cmd *c, err *e)
{
    merging m = {.c = c, .n = c->n_args - 1};
    m.uses = NEW(c->arena, lora_use, (size_t)c->n_args);
    m.weight = NEW(c->arena, double, (size_t)c->n_args);
    m.list = NEW(c->arena, const lora_adapter *, (size_t)c->n_args);
    m.base = products_open(&c->env, c->arena, e) ? trained_open(c->args[0], c->arena, e) : NULL;
    bool ok = m.base != NULL;
    lora_adapter **opened = NEW(c->arena, lora_adapter *, (size_t)c->n_args);
    for (int i = 0; ok && i < m.n; i++) {
        m.uses[i] = lora_use_of(c->args[i + 1], c->arena);
        m.weight[i] = m.uses[i].weight;
        m.list[i] = opened[i] = lora_load(m.uses[i].folder, m.base->model, c->arena, e);
        ok = opened[i] != NULL;
    }
    ok = ok && merge(&m, e);
    for (int i = 0; i < m.n; i++)
        lora_unload(opened[i]);
    trained_close(m.base);
    return ok;
}

const command cmd_merge = {
    .name = "merge",
    .summary = "Adds adapters to the model that they adapt",
    .usage = "BASE ADAPTER[:WEIGHT] ... -o OUT.h5",
    .options = options,
    .args_min = 2,
    .args_max = -1,
    .details = "BASE is a checkpoint or a run folder (its best checkpoint), ADAPTER a folder "
               "with adapter_config.json and adapter_model.safetensors, from `kmidi export "
               "--format adapter` or from Hugging Face PEFT. The sum is made in f64, rounded "
               "once.",
    .example = "kmidi merge runs/melody adapters/mine -o melody-mine.h5",
    .run = merge_run,
};
