// SPDX-License-Identifier: GPL-3.0-or-later
// adapter.c: the low-rank factors as PEFT keeps them, a format of `kmidi export`.
#include "export/formats/adapter.h"

#include <string.h>

#include "export/formats/again.h"
#include "lora/adapter.h"

// The checkpoint keeps the factors apart from the base, so its network is built anew, adapted, into
// `p`; *sites are what is adapted.
static bool open_adapted(const export_task *t, params *p, const adapters **sites, err *e)
{
    const trained *d = t->from;
    const checkpoint *k = d->file;
    lora_config lora;
    if (!k->adapter)
        return err_set(e, ERR_MISMATCH,
                       "'%s' has no adapter: it was not trained with lora.target_modules", d->path);
    model_dims dims = {.batch = 1, .time = 1, .classes = d->classes};
    if (!lora_config_read(d->path, k->adapter, strlen(k->adapter), t->arena, &lora, e) ||
        !(dims.adapters = *sites = lora_match(&lora, d->model, false, t->arena, e)))
        return false;
    return model_build(d->model, p, &dims, t->arena, e) && params_allocate(p, 0, e) &&
           checkpoint_weights(d->file, p, e);
}

static model_meta meta_of(const export_task *t)
{
    const trained *d = t->from;
    static const char *const kept[][2] = {{"adapter_base", "base_fingerprint"},
                                          {"settings", "settings"},
                                          {"adapter_dropout", "dropout"}};
    model_meta meta = {.arena = t->arena};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (meta_get(&d->file->meta, kept[i][0]))
            meta_set(&meta, kept[i][1], meta_get(&d->file->meta, kept[i][0]));
    if (d->classes && meta_get(&d->file->meta, "labels"))
        meta_set(&meta, "labels", meta_get(&d->file->meta, "labels"));
    meta_set(&meta, "model", d->model->name);
    if (d->model->n_options)
        meta_set(&meta, "sizes", model_sizes(d->model, t->arena));
    return meta;
}

// The factors by themselves, for Hugging Face PEFT or another base of the same weights.
bool export_adapter_by(export_task *t, adapter_save *save, err *e)
{
    const adapters *sites;
    params *p = params_open(t->arena);
    model_meta meta = meta_of(t);
    bool ok =
        open_adapted(t, p, &sites, e) && save(t->out, p, sites, t->from->file->adapter, &meta, e);
    for (int i = 0; ok && i < p->n; i++)
        t->count += p->list[i].adapter || (p->list[i].counted && p->list[i].trainable)
                        ? p->list[i].count
                        : 0;
    params_release(p);
    return ok;
}

static bool write(export_task *t, err *e)
{
    return export_adapter_by(t, lora_save, e);
}

// The base's weights, with what is in the folder added to them; those of the probe are the run's.
bool export_check_adapter(export_task *t, adapter_add *add, err *e)
{
    const trained *d = t->from;
    const adapters *sites;
    params *p = params_open(t->arena);
    bool ok = open_adapted(t, p, &sites, e) && export_copy_weights(t, e);
    for (int i = 0; ok && i < d->p->n; i++) {
        int at = params_find(p, d->p->list[i].name);
        if (at >= 0 && d->p->list[i].counted)
            memcpy(params_at(t->again, i), params_at(p, at),
                   sizeof(float) * (size_t)d->p->list[i].count);
    }
    params_release(p);
    if (!ok || !add(t, t->again, e) || !export_run_again(t, e))
        return false;
    t->checked = "folder read again, added to the base's weights, and run in the network";
    return true;
}

static bool add_peft(const export_task *t, params *p, err *e)
{
    lora_adapter *l = lora_load(t->out, t->from->model, t->arena, e);
    bool ok = l && lora_add_whole(p, l, e);
    lora_unload(l);
    return ok;
}

static bool check(export_task *t, err *e)
{
    return export_check_adapter(t, add_peft, e);
}

const export_def export_adapter = {
    .name = "adapter", .folder = true, .runs = true, .write = write, .check = check};
