// SPDX-License-Identifier: GPL-3.0-or-later
// adapters.c: see adapters.h.
#include "cmd/adapters.h"

#include <string.h>

const lora_use *adapters_asked(cmd *c, int *n)
{
    lora_use *list = NEW(c->arena, lora_use, CMD_OPTIONS);
    const char *spec;
    for (*n = 0; (spec = option_each(c, "adapter", *n)); ++*n)
        list[*n] = lora_use_of(spec, c->arena);
    return list;
}

// An adapter has no probe over labels: classes that were learnt beside it are not among those that
// are said.
static void tell_labels(cmd *c, const trained *d, const char *folder)
{
    lora_adapter *l = d->classes ? lora_load(folder, d->model, c->arena, NULL) : NULL;
    const char *theirs = l ? meta_get(&l->meta, "labels") : NULL,
               *ours = meta_get(&d->file->meta, "labels");
    if (theirs && ours && strcmp(theirs, ours))
        cmd_say(c,
                "adapter %s was trained on the labels %s; labels are said by the base, %s: take "
                "the adapter's own run for others",
                folder, theirs, ours);
    lora_unload(l);
}

bool adapters_apply(cmd *c, trained *d, err *e)
{
    int n;
    const lora_use *uses = adapters_asked(c, &n);
    if (!trained_adapt(d, uses, n, e))
        return err_trail(e, "--adapter");
    for (int i = 0; i < n; i++)
        cmd_say(c, "adapter %s, weight %g", uses[i].folder, uses[i].weight),
            tell_labels(c, d, uses[i].folder);
    return true;
}

bool model_asked(cmd *c, const char *name, model_makes makes, trained **out, err *e)
{
    const char *from = option_text(c, name, NULL);
    const trained *d = *out = from ? trained_open(from, c->arena, e) : NULL;
    return !from || (d && (d->model->makes == makes ||
                           err_set(e, ERR_MISMATCH, "'%s' is of %s, and --%s is for %s", d->path,
                                   d->model->name, name, model_making(makes)->name)));
}

bool adapters_of_music(cmd *c, trained *player, trained *melody, err *e)
{
    trained *of = player ? player : melody;
    if (option_each(c, "adapter", 0) && !of)
        return err_set(e, ERR_USAGE,
                       "--adapter changes a player or a melody_transformer; name one");
    return !of || adapters_apply(c, of, e);
}
