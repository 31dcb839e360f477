// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_targets.c: which questions a config has answered for every item (data/labels/labels.h),
// and the answers: by what the index says, its label put into the set's words by a table, and what
// was measured in the sound.
#include <string.h>

#include "base/json.h"
#include "data/prepare/prepare_internal.h"

bool prepare_targets_read(prepare *p, err *e)
{
    const char *name =
        config_given(p->config, "targets.set") ? config_text(p->config, "targets.set") : NULL;
    if (!name)
        return !p->target_map.n || err_set(e, ERR_CONFIG,
                                           "%s: targets.map is for the labels of a set; name it: "
                                           "targets.set",
                                           config_where(p->config, "targets.map"));
    p->targets = label_set_find(name, e);
    if (!p->targets)
        return false;
    if (!p->feature)
        return err_set(e, ERR_CONFIG,
                       "%s: targets are told of sound; set features: [mel], or take them out",
                       config_where(p->config, "targets.set"));
    p->info.groups = p->targets->groups, p->info.n_groups = p->targets->n_groups;
    return true;
}

bool prepare_hears(const prepare *p)
{
    return p->targets && p->targets->hears;
}

static const char *mapped(const prepare *p, const char *label)
{
    for (size_t i = 0; label && i < p->target_map.n; i++)
        if (!strcmp(label, p->target_map.keys[i]))
            return p->target_map.values[i];
    return label;
}

bool prepare_targets_tell(const prepare *p, const reader_item *item, const sound_shape *sound,
                          const clip_change *by, int32_t *classes, err *e)
{
    if (!p->targets)
        return true;
    const char *text = item->attributes;
    json *j = text ? json_parse(text, strlen(text), NULL) : NULL;
    label_item it = {mapped(p, item->label), j, sound, by ? by->semitones : 0,
                     by ? by->velocity : 1};
    bool ok = label_set_tell(p->targets, &it, classes, e);
    json_free(j);
    return ok || err_trail(e, "'%s'", item->path);
}
