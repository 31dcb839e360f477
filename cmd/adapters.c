// SPDX-License-Identifier: GPL-3.0-or-later
// adapters.c: see adapters.h.
#include "cmd/adapters.h"

const lora_use *adapters_asked(cmd *c, int *n)
{
    lora_use *list = NEW(c->arena, lora_use, CMD_OPTIONS);
    const char *spec;
    for (*n = 0; (spec = option_each(c, "adapter", *n)); ++*n)
        list[*n] = lora_use_of(spec, c->arena);
    return list;
}

bool adapters_apply(cmd *c, deploy *d, err *e)
{
    int n;
    const lora_use *uses = adapters_asked(c, &n);
    if (n && !lora_apply(d->p, d->model, &d->file->meta, uses, n, e))
        return err_trail(e, "--adapter");
    for (int i = 0; i < n; i++)
        cmd_say(c, "adapter %s, weight %g", uses[i].folder, uses[i].weight);
    return true;
}
