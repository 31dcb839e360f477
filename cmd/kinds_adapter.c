// SPDX-License-Identifier: GPL-3.0-or-later
// kinds_adapter.c: what there is to say about an adapter's folder (kinds.h).
#include "cmd/kinds.h"
#include "lora/adapter.h"

static json *site_json(const adapter_site *s, const lora_adapter *l, int i)
{
    json *o = json_object();
    json_set_int(o, "rank", s->rank);
    json_set_num(o, "scale", (double)s->scale);
    json_set_int(o, "in", l->p->list[2 * i].shape.d[1]);
    json_set_int(o, "out", l->p->list[2 * i + 1].shape.d[0]);
    return o;
}

static bool describe_adapter(const char *path, json *o, arena *a, err *e)
{
    lora_adapter *l = lora_load_any(path, a, e);
    if (!l)
        return false;
    const char *base = meta_get(&l->meta, "base_fingerprint");
    json *targets = json_object(), *whole = json_array();
    json_set_str(o, "model", l->model->name);
    if (base)
        json_set_str(o, "base_fingerprint", base);
    json_set_int(o, "parameters", params_count(l->p, false));
    json_set_int(o, "of", l->model->params);
    json_set_int(o, "r", l->config.r);
    json_set_num(o, "alpha", l->config.alpha);
    json_set_bool(o, "dora", l->config.dora);
    for (int i = 0; i < l->sites->n; i++)
        json_set(targets, l->sites->site[i].weight, site_json(&l->sites->site[i], l, i));
    for (int i = 0; i < l->sites->n_whole; i++)
        json_push_str(whole, l->sites->whole[i]);
    json_set(o, "changes", targets);
    json_set(o, "replaces", whole);
    lora_unload(l);
    return true;
}

// Loading reads and checks all there is.
static bool verify_adapter(const char *path, arena *a, err *e)
{
    lora_adapter *l = lora_load_any(path, a, e);
    lora_unload(l);
    return l != NULL;
}

const file_kind kind_adapter = {
    .name = "adapter", .describe = describe_adapter, .verify = verify_adapter};
