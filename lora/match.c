// SPDX-License-Identifier: GPL-3.0-or-later
// match.c: names against a model's layers, by PEFT's rules (peft/tuners/tuners_utils.py: check_target_module_exists, _inject_parameters;
// peft/utils/other.py: get_pattern_key, _set_trainable), read in version 0.21.
//
//     a name fits a path      path = name, or path ends with "." + name
//     modules_to_save fits    path ends with name (PEFT asks for no dot there), and keeps the module from being a target
//     layers_to_transform     counts only for names that are not whole paths: the number behind layers_pattern, or the first number that is
//                             at least the third part of the path; a target without such a number is out
//
// Matrices of LSTMs are matched as PEFT matches parameters: by their own paths, nothing else counts.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "autograd/op.h"
#include "base/regex.h"
#include "lora/lora.h"

static bool fits_name(const char *path, const char *name)
{
    size_t n = strlen(path), m = strlen(name);
    return m && n >= m && !strcmp(path + n - m, name) && (n == m || path[n - m - 1] == '.');
}

static bool fits_names(const char *path, const lora_names *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (fits_name(path, l->list[i]))
            return true;
    return false;
}

static bool fits_choice(const lora_choice *c, const char *path, bool *fits, err *e)
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
        ok = regex_test(arena_printf(&a, "(^|.*\\.)%s($|\\..*)", save->list[i]), path, REGEX_BEGIN, saved, e);
    arena_free(&a);
    return ok;
}

// The index of the layer that a path lies in; -1: in none.
static bool layer_index(const lora_config *c, const char *path, long *index, err *e)
{
    arena a = {.name = "patterns"};
    bool ok = true;
    *index = -1;
    if (!c->layers_pattern.n)
        ok = regex_number(".*?\\.[^.]*\\.(\\d+)\\.", path, REGEX_BEGIN, index, e);
    for (size_t i = 0; ok && *index < 0 && i < c->layers_pattern.n; i++)
        ok = regex_number(arena_printf(&a, "(?:^|.*?\\.)%s\\.(\\d+)\\.", c->layers_pattern.list[i]), path, REGEX_BEGIN, index, e);
    arena_free(&a);
    return ok;
}

static bool in_layers(const lora_config *c, const char *path, bool *in, err *e)
{
    long index;
    bool whole = false;
    for (size_t i = 0; i < c->targets.names.n; i++)
        whole = whole || !strcmp(c->targets.names.list[i], path);
    *in = !c->n_layers || c->targets.regex || c->all_linear || whole;
    if (*in)
        return true;
    if (!layer_index(c, path, &index, e))
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

static bool is_target(const lora_config *c, const network *n, const layer_info *l, bool *is, err *e)
{
    bool out = false, saved = false, in = false;
    *is = false;
    if (l->kind == LAYER_RECURRENT && c->together)
        return c->all_linear || fits_choice(&c->targets, l->name, is, e);
    if (l->kind == LAYER_RECURRENT) {
        *is = fits_names(l->name, &c->parameters);
        return true;
    }
    if ((c->exclude.regex || c->exclude.names.n) && !fits_choice(&c->exclude, l->name, &out, e))
        return false;
    if (!is_saved(&c->save, l->name, &saved, e))
        return false;
    if (c->all_linear)
        *is = behind_views(n->out) != l->y;
    else if (!fits_choice(&c->targets, l->name, is, e) || !in_layers(c, l->name, &in, e))
        return false;
    *is = *is && !out && !saved && (in || c->all_linear);
    return true;
}

static bool pattern_value(const lora_pattern *p, const char *path, double fallback, double *value, err *e)
{
    arena a = {.name = "patterns"};
    bool ok = true, found = false;
    *value = fallback;
    for (size_t i = 0; ok && !found && i < p->n; i++) {
        ok = regex_test(arena_printf(&a, "(.*\\.)?(%s)", p->keys[i]), path, REGEX_WHOLE, &found, e);
        if (found)
            *value = p->values[i];
    }
    arena_free(&a);
    return ok;
}

static bool make_site(const lora_config *c, const layer_info *l, arena *a, adapter_site *s, err *e)
{
    double rank, alpha;
    if (!pattern_value(&c->ranks, l->name, (double)c->r, &rank, e) || !pattern_value(&c->alphas, l->name, c->alpha, &alpha, e))
        return false;
    if (rank < 1 || rank != floor(rank) || rank > (double)(l->in < l->out ? l->in : l->out))
        return err_set(e, ERR_VALUE, "a rank of %g does not fit '%s', a matrix [%lld, %lld]: 1 to %lld is possible", rank, l->name,
                       (long long)l->out, (long long)l->in, (long long)(l->in < l->out ? l->in : l->out));
    *s = (adapter_site){.weight = arena_strdup(a, l->weight),
                        .a = arena_printf(a, "%s.lora_A.weight", l->name),
                        .b = arena_printf(a, "%s.lora_B.weight", l->name),
                        .rank = (int64_t)rank,
                        .scale = (float)(alpha / (c->rslora ? sqrt(rank) : rank)),
                        .dropout = l->kind == LAYER_LINEAR ? (float)c->dropout : 0};
    return true;
}

// ---- What was asked for and is not there

static void list_layers(const network *n, strbuf *out)
{
    enum { SHOWN = 24 };
    for (int i = 0; i < n->n_layers && i < SHOWN; i++)
        strbuf_printf(out, "%s%s", i ? ", " : "", n->layers[i].name);
    if (n->n_layers > SHOWN)
        strbuf_printf(out, " and %d more", n->n_layers - SHOWN);
}

static const char *last_part(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

static bool matches_nothing(const network *n, const char *what, const char *name, err *e)
{
    arena a = {.name = "names"};
    strbuf there = {0};
    const char **names = NEW(&a, const char *, 2 * MODEL_LAYERS);
    size_t k = 0;
    for (int i = 0; i < n->n_layers; i++) {
        names[k++] = n->layers[i].name;
        names[k++] = last_part(n->layers[i].name);
    }
    const char *near = name ? str_nearest(name, names, k) : NULL;
    list_layers(n, &there);
    (void)err_set(e, ERR_VALUE, "%s%s%s%s matches no layer of %s%s%s%s; there are %s", what, name ? " '" : "", name ? name : "",
                  name ? "'" : "", n->model->name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "",
                  there.s ? there.s : "none");
    strbuf_free(&there);
    arena_free(&a);
    return false;
}

static bool check_names(const lora_config *c, const network *n, err *e)
{
    for (size_t i = 0; i < c->targets.names.n; i++) {
        bool any = false;
        for (int k = 0; k < n->n_layers; k++)
            any = any || fits_name(n->layers[k].name, c->targets.names.list[i]);
        if (!any)
            return matches_nothing(n, "target_modules:", c->targets.names.list[i], e);
    }
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

static bool find_whole(const lora_config *c, const network *n, bool strict, adapters *l, arena *a, err *e)
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
            return matches_nothing(n, "modules_to_save:", c->save.list[k], e);
    return true;
}

static bool find_sites(const lora_config *c, const network *n, adapters *l, arena *a, err *e)
{
    adapter_site *sites = NEW(a, adapter_site, (size_t)n->n_layers + 1);
    for (int i = 0; i < n->n_layers; i++) {
        bool is;
        if (!is_target(c, n, &n->layers[i], &is, e))
            return false;
        if (is && !make_site(c, &n->layers[i], a, &sites[l->n++], e))
            return false;
    }
    l->site = sites;
    return l->n || matches_nothing(n, c->targets.regex ? "target_modules: the expression" : "target_modules with the other choices",
                                   c->targets.regex, e);
}

const adapters *lora_match(const lora_config *c, const model_def *m, bool strict, arena *a, err *e)
{
    arena bare = {.name = "layers"};
    adapters *l = NEW(a, adapters, 1);
    const network *n = model_build(m, params_open(&bare), &(model_dims){.batch = 1, .time = 1}, &bare, e);
    bool ok = n && (!strict || check_names(c, n, e)) && find_sites(c, n, l, a, e) && find_whole(c, n, strict, l, a, e);
    arena_free(&bare);
    return ok ? l : NULL;
}
