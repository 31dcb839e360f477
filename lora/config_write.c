// SPDX-License-Identifier: GPL-3.0-or-later
// config_write.c: adapter_config.json written, so that PEFT reads it (peft/tuners/lora/config.py,
// version 0.21).
#include <math.h>
#include <string.h>

#include "lora/match_internal.h"

static json *names_json(const lora_names *l)
{
    json *list = l->n ? json_array() : NULL;
    for (size_t i = 0; i < l->n; i++)
        json_push_str(list, l->list[i]);
    return list;
}

// Whole numbers without a point, as Python's int.
static void set_number(json *o, const char *key, double v)
{
    if (v == floor(v) && fabs(v) < 1e15)
        json_set_int(o, key, (int64_t)v);
    else
        json_set_num(o, key, v);
}

// A path as a regular expression.
static const char *escaped(const char *path, arena *a)
{
    // room for a backslash before each character
    char *out = arena_printf(a, "%s%s", path, path), *to = out;
    for (; *path; path++) {
        if (*path == '.')
            *to++ = '\\';
        *to++ = *path;
    }
    *to = 0;
    return out;
}

// A site's path: its A without the tail.
static const char *site_path(const adapter_site *s, arena *a)
{
    return arena_printf(a, "%.*s", (int)(strlen(s->a) - strlen(".lora_A.weight")), s->a);
}

static bool is_linear(const adapter_site *s, arena *a)
{
    return !strcmp(arena_printf(a, "%s.weight", site_path(s, a)), s->weight);
}

static lora_names paths_of(const adapters *l, bool linear, arena *a)
{
    const char **list = NEW(a, const char *, (size_t)l->n + 1);
    size_t n = 0;
    for (int k = 0; k < l->n; k++)
        if (is_linear(&l->site[k], a) == linear)
            list[n++] = site_path(&l->site[k], a);
    return (lora_names){list, n};
}

// The names of the configuration that fit a linear layer.
static lora_names names_of(const lora_config *c, const adapters *l, arena *a)
{
    size_t n = 0;
    const char **list = NEW(a, const char *, c->targets.names.n + 1);
    for (size_t i = 0; i < c->targets.names.n; i++) {
        bool any = false;
        for (int k = 0; k < l->n; k++)
            any = any || (is_linear(&l->site[k], a) &&
                          lora_fits_name(site_path(&l->site[k], a), c->targets.names.list[i]));
        if (any)
            list[n++] = c->targets.names.list[i];
    }
    return (lora_names){list, n};
}

// PEFT, too, would find these layers and nothing else by the expression: it tries it on all
// modules, and stops at those of other kinds.
static bool regex_holds(const lora_config *c, const model_def *m, size_t linear, arena *a)
{
    lora_config theirs = *c;
    theirs.together = false, theirs.parameters = (lora_names){0};
    const adapters *k =
        c->targets.regex && !c->all_linear ? lora_match(&theirs, m, false, a, NULL) : NULL;
    return k && (size_t)k->n == linear;
}

static void set_targets(json *o, const lora_config *c, const model_def *m, const adapters *l,
                        arena *a)
{
    lora_names paths = paths_of(l, true, a),
               matrices = c->together ? paths_of(l, false, a) : c->parameters;
    lora_names modules = c->together && c->targets.names.n ? names_of(c, l, a) : c->targets.names;
    if (c->all_linear || (c->together && !c->targets.names.n))
        modules = paths;
    if (regex_holds(c, m, paths.n, a) || (c->targets.regex && !c->together && !c->all_linear))
        json_set_str(o, "target_modules", c->targets.regex);
    else
        json_set(o, "target_modules", modules.n ? names_json(&modules) : json_array());
    json_set(o, "target_parameters", names_json(&matrices));
    // PEFT refuses dropout beside target_parameters
    json_set_num(o, "lora_dropout", matrices.n ? 0.0 : c->dropout);
}

static void set_patterns(json *o, const lora_config *c, const adapters *l, arena *a)
{
    json *ranks = json_object(), *alphas = json_object();
    for (int i = 0; i < l->n; i++) {
        const adapter_site *s = &l->site[i];
        double rank = (double)s->rank, alpha = (double)s->scale * (c->rslora ? sqrt(rank) : rank);
        const char *key = escaped(lora_by_parameter(c, s->weight) ? s->weight : site_path(s, a), a);
        if (s->rank != c->r)
            json_set_int(ranks, key, s->rank);
        if (fabs(alpha - c->alpha) > 1e-5 * fabs(c->alpha))
            set_number(alphas, key,
                       fabs(alpha - round(alpha)) < 1e-5 * fabs(alpha) ? round(alpha) : alpha);
    }
    json_set(o, "rank_pattern", ranks);
    json_set(o, "alpha_pattern", alphas);
}

static void set_layers(json *o, const lora_config *c)
{
    json *list = c->n_layers ? json_array() : NULL;
    for (size_t i = 0; i < c->n_layers; i++)
        json_push_int(list, (int64_t)c->layers[i]);
    json_set(o, "layers_to_transform", list);
    json_set(o, "layers_pattern", c->n_layers ? names_json(&c->layers_pattern) : NULL);
}

// What never differs here.
static void set_fixed(json *o)
{
    static const char *const nulls[] = {"auto_mapping", "megatron_config", "layer_replication",
                                        "revision", "task_type"};
    static const char *const trues[] = {"inference_mode", "init_lora_weights"};
    for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++)
        json_set(o, nulls[i], NULL);
    for (size_t i = 0; i < sizeof trues / sizeof *trues; i++)
        json_set_bool(o, trues[i], true);
    json_set_bool(o, "fan_in_fan_out", false);
    json_set_str(o, "peft_type", "LORA");
    json_set_str(o, "bias", "none");
    json_set_str(o, "megatron_core", "megatron.core");
    json_set(o, "loftq_config", json_object());
}

bool lora_config_write(const lora_config *c, const model_def *m, const char *base, strbuf *out,
                       err *e)
{
    arena a = {.name = "adapter_config"};
    const adapters *l = lora_match(c, m, false, &a, e);
    if (l) {
        json *o = json_object();
        set_fixed(o);
        if (base)
            json_set_str(o, "base_model_name_or_path", base);
        else
            json_set(o, "base_model_name_or_path", NULL);
        json_set_int(o, "r", c->r);
        set_number(o, "lora_alpha", c->alpha);
        json_set_bool(o, "use_rslora", c->rslora);
        json_set_bool(o, "use_dora", c->dora);
        set_targets(o, c, m, l, &a);
        json_set(o, "modules_to_save", names_json(&c->save));
        if (c->exclude.regex)
            json_set_str(o, "exclude_modules", c->exclude.regex);
        else
            json_set(o, "exclude_modules", names_json(&c->exclude.names));
        set_patterns(o, c, l, &a);
        set_layers(o, c);
        json_dump(o, 2, out);
        strbuf_add(out, "\n", 1);
        json_free(o);
    }
    arena_free(&a);
    return l != NULL;
}
