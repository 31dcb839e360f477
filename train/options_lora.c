// SPDX-License-Identifier: GPL-3.0-or-later
// options_lora.c: the section `lora` of a training configuration (the rows are in options.c) as a lora_config.
#include <math.h>
#include <string.h>

#include "train/options.h"

static lora_names names_at(const config *c, const char *key)
{
    lora_names l;
    l.n = config_texts(c, key, &l.list);
    return l;
}

// A list holds names; a single text is a regular expression.
static lora_choice choice_at(const config *c, const char *key)
{
    lora_choice l = {.names = names_at(c, key)};
    if (l.names.n && !config_is_list(c, key))
        l.regex = l.names.list[0], l.names.n = 0;
    return l;
}

static lora_pattern pattern_at(const config *c, const char *key)
{
    lora_pattern p;
    p.n = config_map(c, key, &p.keys, &p.values);
    return p;
}

static bool check_lora(const config *c, const train_options *o, const lora_config *l, err *e)
{
    for (size_t i = 0; i < l->n_layers; i++)
        if (l->layers[i] != floor(l->layers[i]))
            return err_set(e, ERR_CONFIG, "%s: 'lora.layers_to_transform' holds whole numbers, not %g",
                           config_where(c, "lora.layers_to_transform"), l->layers[i]);
    for (size_t i = 0; i < l->ranks.n; i++)
        if (l->ranks.values[i] != floor(l->ranks.values[i]))
            return err_set(e, ERR_CONFIG, "%s: 'lora.rank_pattern' holds whole numbers, not %g", config_where(c, "lora.rank_pattern"),
                           l->ranks.values[i]);
    if (!o->lora_base)
        return err_set(e, ERR_CONFIG, "%s: adapters need the model that they adapt: lora.base=CHECKPOINT, or a run folder",
                       config_where(c, "lora.target_modules"));
    if (o->init_from)
        return err_set(e, ERR_CONFIG, "%s: with adapters the weights come from 'lora.base'; leave 'init_from' out",
                       config_where(c, "init_from"));
    bool numbered = l->layers_pattern.n != 1 || strcmp(l->layers_pattern.list[0], "layers");
    if (numbered && !l->n_layers)
        return err_set(e, ERR_CONFIG, "%s: 'lora.layers_pattern' says nothing without 'lora.layers_to_transform'; leave it out",
                       config_where(c, "lora.layers_pattern"));
    arena a = {.name = "layers"};
    bool ok = lora_match(l, o->model, true, &a, e) != NULL;
    arena_free(&a);
    if (!ok && e)
        e->code = ERR_CONFIG;
    return ok || err_trail(e, "%s: lora", config_where(c, "lora.target_modules"));
}

bool train_options_lora(const config *c, train_options *o, err *e)
{
    lora_config *l = &o->lora;
    o->lora_base = config_text(c, "lora.base");
    if (!config_given(c, "lora.target_modules"))
        return !o->lora_base || err_set(e, ERR_CONFIG, "%s: 'lora.base' needs 'lora.target_modules', the layers that get adapters",
                                        config_where(c, "lora.base"));
    *l = (lora_config){.r = config_int(c, "lora.r"),
                       .alpha = config_num(c, "lora.alpha"),
                       .dropout = config_num(c, "lora.dropout"),
                       .rslora = config_bool(c, "lora.rslora"),
                       .targets = choice_at(c, "lora.target_modules"),
                       .exclude = choice_at(c, "lora.exclude_modules"),
                       .together = true,
                       .save = names_at(c, "lora.modules_to_save"),
                       .ranks = pattern_at(c, "lora.rank_pattern"),
                       .alphas = pattern_at(c, "lora.alpha_pattern"),
                       .layers_pattern = names_at(c, "lora.layers_pattern")};
    l->all_linear = l->targets.regex && !strcasecmp(l->targets.regex, "all-linear");
    l->n_layers = config_nums(c, "lora.layers_to_transform", &l->layers);
    return check_lora(c, o, l, e);
}
