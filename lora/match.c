// SPDX-License-Identifier: GPL-3.0-or-later
// match.c: names against a model's layers, by PEFT's rules (peft/tuners/tuners_utils.py:
// check_target_module_exists, _inject_parameters;
// peft/utils/other.py: get_pattern_key, _set_trainable), read in version 0.21.
//
//     a name fits a path      path = name, or path ends with "." + name
//     modules_to_save fits    path ends with name (PEFT asks for no dot there), and keeps the
//                             module from being a target
//     layers_to_transform     counts only for names that are not whole paths: the number behind
//                             layers_pattern, or the first number that is at least the third part
//                             of the path; a target without such a number is out
//
// Matrices named in `parameters` (target_parameters) are matched as PEFT matches parameters: by
// their own paths, nothing else counts. Where names mean modules and matrices together (a
// configuration of ours), exclude_modules and modules_to_save keep either from being a target.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "autograd/op.h"
#include "base/regex.h"
#include "lora/match_internal.h"

bool lora_fits_name(const char *path, const char *name)
{
    size_t n = strlen(path), m = strlen(name);
    return m && n >= m && !strcmp(path + n - m, name) && (n == m || path[n - m - 1] == '.');
}

static bool fits_names(const char *path, const lora_names *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (lora_fits_name(path, l->list[i]))
            return true;
    return false;
}

bool lora_fits_choice(const lora_choice *c, const char *path, bool *fits, err *e)
{
    if (c->regex)
        return regex_test(c->regex, path, REGEX_WHOLE, fits, e);
    *fits = fits_names(path, &c->names);
    return true;
}

// A module that is saved whole, or lies within one: re.match("(^|.*\.)NAME($|\..*)", path).
static bool is_saved(const lora_names *save, const char *path, bool *saved, err *e)
{
    arena a = {.name = "patterns"};
    bool ok = true;
    *saved = false;
    for (size_t i = 0; ok && !*saved && i < save->n; i++)
        ok = regex_test(arena_printf(&a, "(^|.*\\.)%s($|\\..*)", save->list[i]), path, REGEX_BEGIN,
                        saved, e);
    arena_free(&a);
    return ok;
}

// The index of the layer that a path lies in; -1: in none.
bool lora_layer_index(const lora_names *patterns, const char *path, long *index, err *e)
{
    arena a = {.name = "patterns"};
    bool ok = true;
    *index = -1;
    if (!patterns->n)
        ok = regex_number(".*?\\.[^.]*\\.(\\d+)\\.", path, REGEX_BEGIN, index, e);
    for (size_t i = 0; ok && *index < 0 && i < patterns->n; i++)
        ok = regex_number(arena_printf(&a, "(?:^|.*?\\.)%s\\.(\\d+)\\.", patterns->list[i]), path,
                          REGEX_BEGIN, index, e);
    arena_free(&a);
    return ok;
}

static bool in_layers(const lora_config *c, const char *path, bool *in, err *e)
{
    long index;
    bool whole = false;
    for (size_t i = 0; i < c->targets.names.n; i++)
        whole = whole || !strcmp(c->targets.names.list[i], path);
    *in = !c->n_layers || whole;
    if (*in)
        return true;
    if (!lora_layer_index(&c->layers_pattern, path, &index, e))
        return false;
    for (size_t i = 0; i < c->n_layers; i++)
        *in = *in || (index >= 0 && c->layers[i] == (double)index);
    return true;
}

static const tensor *behind_views(const tensor *t)
{
    while (t->from && (t->from->op->flags & OP_VIEW))
        t = t->from->in[0];
    return t;
}

// exclude_modules and modules_to_save leave `path` alone.
static bool is_free(const lora_config *c, const char *path, bool *is, err *e)
{
    bool out = false, saved = false;
    if ((c->exclude.regex || c->exclude.names.n) && !lora_fits_choice(&c->exclude, path, &out, e))
        return false;
    if (!is_saved(&c->save, path, &saved, e))
        return false;
    *is = !out && !saved;
    return true;
}

// As a module, or a matrix that is named like one.
bool lora_is_named(const lora_config *c, const char *path, bool *is, err *e)
{
    bool in = false, may = false;
    if (!lora_fits_choice(&c->targets, path, is, e) || !in_layers(c, path, &in, e) ||
        !is_free(c, path, &may, e))
        return false;
    *is = *is && in && may;
    return true;
}

// By all-linear we leave the model's output alone; of a bare network PEFT takes every linear layer,
// and no convolution.
bool lora_is_module(const lora_config *c, const network *n, const layer_info *l, bool *is, err *e)
{
    *is = false;
    if ((l->kind == LAYER_RECURRENT && !c->together) || (l->kind != LAYER_LINEAR && c->all_linear))
        return true;
    if (!c->all_linear)
        return lora_is_named(c, l->name, is, e);
    if (!is_free(c, l->name, is, e))
        return false;
    *is = *is && (!c->together || behind_views(n->out) != l->y);
    return true;
}

bool lora_by_parameter(const lora_config *c, const char *weight)
{
    return !c->together && fits_names(weight, &c->parameters);
}

const char *lora_target_path(const lora_config *c, const layer_info *l)
{
    return lora_by_parameter(c, l->weight) ? l->weight : l->name;
}

bool lora_fits_pattern(const char *pattern, const char *path, bool *fits, err *e)
{
    arena a = {.name = "patterns"};
    bool ok = regex_test(arena_printf(&a, "(.*\\.)?(%s)", pattern), path, REGEX_WHOLE, fits, e);
    arena_free(&a);
    return ok;
}

static bool pattern_value(const lora_pattern *p, const char *path, double fallback, double *value,
                          err *e)
{
    bool ok = true, found = false;
    *value = fallback;
    for (size_t i = 0; ok && !found && i < p->n; i++) {
        ok = lora_fits_pattern(p->keys[i], path, &found, e);
        if (found)
            *value = p->values[i];
    }
    return ok;
}

static bool make_site(const lora_config *c, const layer_info *l, arena *a, adapter_site *s, err *e)
{
    double rank, alpha;
    const char *key = lora_target_path(c, l);
    if (!pattern_value(&c->ranks, key, (double)c->r, &rank, e) ||
        !pattern_value(&c->alphas, key, c->alpha, &alpha, e))
        return false;
    if (rank < 1 || rank != floor(rank) || rank > LORA_RANK_MOST)
        return err_set(e, ERR_VALUE,
                       "a rank of %g does not fit '%s': whole numbers from 1 to %d do", rank,
                       l->name, LORA_RANK_MOST);
    if (c->dora && (l->kind == LAYER_RECURRENT || key != l->name))
        return err_set(e, ERR_VALUE,
                       "'%s' is adapted as a parameter, and DoRA is of linear layers and "
                       "convolutions alone, as in PEFT; leave %s out, or it",
                       l->weight, c->together ? "dora" : "use_dora");
    *s = (adapter_site){.weight = arena_strdup(a, l->weight),
                        .a = arena_printf(a, "%s.lora_A.weight", l->name),
                        .b = arena_printf(a, "%s.lora_B.weight", l->name),
                        .m = c->dora ? arena_printf(a, "%s.lora_magnitude_vector", l->name) : NULL,
                        .share = 1,
                        .rank = (int64_t)rank,
                        .scale = (float)(alpha / (c->rslora ? sqrt(rank) : rank)),
                        .dropout =
                            l->kind != LAYER_RECURRENT && key == l->name ? (float)c->dropout : 0};
    return true;
}

// ---- Modules that are trained whole

// One of the modules that the parameter lies in has a path that ends with `name`.
static bool saves(const char *name, const char *path)
{
    size_t m = strlen(name);
    for (const char *p = path; (p = strchr(p, '.')); p++)
        if (m && (size_t)(p - path) >= m && !strncmp(p - m, name, m))
            return true;
    return false;
}

static bool find_whole(const lora_config *c, const network *n, bool strict, adapters *l, arena *a,
                       err *e)
{
    const char **whole = NEW(a, const char *, (size_t)n->p->n + 1);
    bool *used = NEW(a, bool, c->save.n + 1);
    for (int i = 0; i < n->p->n; i++) {
        bool any = false;
        for (size_t k = 0; k < c->save.n; k++)
            if (saves(c->save.list[k], n->p->list[i].name))
                any = used[k] = true;
        if (any)
            whole[l->n_whole++] = arena_strdup(a, n->p->list[i].name);
    }
    l->whole = whole;
    for (size_t k = 0; strict && k < c->save.n; k++)
        if (!used[k])
            return lora_matches_nothing(n, "modules_to_save:", c->save.list[k], e);
    return true;
}

static bool find_sites(const lora_config *c, const network *n, adapters *l, arena *a, err *e)
{
    adapter_site *sites = NEW(a, adapter_site, (size_t)n->n_layers + 1);
    for (int i = 0; i < n->n_layers; i++) {
        bool is = lora_by_parameter(c, n->layers[i].weight);
        if (!is && !lora_is_module(c, n, &n->layers[i], &is, e))
            return false;
        if (is && !make_site(c, &n->layers[i], a, &sites[l->n++], e))
            return false;
    }
    l->site = sites;
    return true;
}

const adapters *lora_match(const lora_config *c, const model_def *m, bool strict, arena *a, err *e)
{
    arena bare = {.name = "layers"};
    adapters *l = NEW(a, adapters, 1);
    const network *n =
        model_build(m, params_open(&bare), &(model_dims){.batch = 1, .time = 1}, &bare, e);
    bool ok = n && lora_check_read(c, n, e) && find_sites(c, n, l, a, e) &&
              find_whole(c, n, strict, l, a, e) &&
              (strict ? lora_check_written(c, n, l, e) : lora_check_found(c, n, l, e));
    arena_free(&bare);
    return ok ? l : NULL;
}
