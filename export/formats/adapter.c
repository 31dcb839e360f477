// SPDX-License-Identifier: GPL-3.0-or-later
// adapter.c: the low-rank factors as PEFT keeps them, a format of `kmidi export`.
#include "export/formats/adapter.h"

#include <string.h>

#include "lora/adapter.h"

// The factors by themselves, for Hugging Face PEFT or another base of the same weights. The
// checkpoint keeps them apart from the base, so its network is built anew, adapted.
bool export_adapter_by(export_task *t, adapter_save *save, err *e)
{
    trained *d = t->from;
    const checkpoint *k = d->file;
    lora_config lora;
    if (!k->adapter)
        return err_set(e, ERR_MISMATCH,
                       "'%s' has no adapter: it was not trained with lora.target_modules", d->path);
    model_dims dims = {.batch = 1, .time = 1, .classes = d->classes};
    if (!lora_config_read(d->path, k->adapter, strlen(k->adapter), t->arena, &lora, e) ||
        !(dims.adapters = lora_match(&lora, d->model, false, t->arena, e)))
        return false;
    params *p = params_open(t->arena);
    model_meta meta = {.arena = t->arena};
    static const char *const kept[][2] = {{"adapter_base", "base_fingerprint"},
                                          {"settings", "settings"},
                                          {"adapter_dropout", "dropout"}};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (meta_get(&k->meta, kept[i][0]))
            meta_set(&meta, kept[i][1], meta_get(&k->meta, kept[i][0]));
    if (d->classes && meta_get(&k->meta, "labels"))
        meta_set(&meta, "labels", meta_get(&k->meta, "labels"));
    meta_set(&meta, "model", d->model->name);
    if (d->model->n_options)
        meta_set(&meta, "sizes", model_sizes(d->model, t->arena));
    bool ok = model_build(d->model, p, &dims, t->arena, e) && params_allocate(p, 0, e) &&
              checkpoint_weights(d->file, p, e) &&
              save(t->out, p, dims.adapters, k->adapter, &meta, e);
    for (int i = 0; i < p->n; i++)
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

const export_def export_adapter = {.name = "adapter", .folder = true, .write = write};
