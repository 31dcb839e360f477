// SPDX-License-Identifier: GPL-3.0-or-later
// match_check.c: what a configuration asks for and the model has not.
//
// PEFT passes over most of it with a warning. Of a configuration that a person wrote, a choice that
// changes nothing is a mistake, and the error says what there is. Of an adapter that was saved,
// what PEFT would refuse is refused, and what it would adapt and we cannot (embeddings) is named.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/names.h"
#include "lora/match_internal.h"

enum { SHOWN = 24 };

static void list_layers(const network *n, strbuf *out)
{
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

bool lora_matches_nothing(const network *n, const char *what, const char *name, err *e)
{
    arena a = {.name = "names"};
    strbuf there = {0};
    const char **names = NEW(&a, const char *, 2 * MODEL_LAYERS);
    size_t k = 0;
    for (int i = 0; i < n->n_layers; i++) {
        names[k++] = n->layers[i].name;
        names[k++] = last_part(n->layers[i].name);
    }
    char guess[NAME_GUESS] = "";
    if (name)
        (void)name_guess(guess, name, names, k);
    list_layers(n, &there);
    (void)err_set(e, ERR_VALUE, "%s%s%s%s matches no layer of %s%s; there are %s", what,
                  name ? " '" : "", name ? name : "", name ? "'" : "", n->model->name, guess,
                  there.s ? there.s : "none");
    strbuf_free(&there);
    arena_free(&a);
    return false;
}

// ---- Names and expressions

static bool check_names(const lora_names *l, const char *what, const network *n, err *e)
{
    for (size_t i = 0; i < l->n; i++) {
        bool any = false;
        for (int k = 0; k < n->n_layers; k++)
            any = any || lora_fits_name(n->layers[k].name, l->list[i]);
        if (!any)
            return lora_matches_nothing(n, what, l->list[i], e);
    }
    return true;
}

static bool check_excluded(const lora_config *c, const network *n, err *e)
{
    bool any = !c->exclude.regex;
    for (int k = 0; !any && k < n->n_layers; k++)
        if (!lora_fits_choice(&c->exclude, n->layers[k].name, &any, e))
            return false;
    return any ? check_names(&c->exclude.names, "exclude_modules:", n, e)
               : lora_matches_nothing(n, "exclude_modules: the expression", c->exclude.regex, e);
}

// ---- Patterns of ranks and alphas

static const layer_info *layer_of(const network *n, const adapter_site *s)
{
    for (int i = 0; i < n->n_layers; i++)
        if (!strcmp(n->layers[i].weight, s->weight))
            return &n->layers[i];
    CHECK(false);
    return NULL;
}

static bool pattern_fits_none(const lora_config *c, const network *n, const adapters *l,
                              const char *what, const char *key, err *e)
{
    arena a = {.name = "names"};
    strbuf there = {0};
    const char **names = NEW(&a, const char *, 2 * (size_t)l->n + 1);
    for (int i = 0; i < l->n; i++) {
        names[2 * i] = lora_target_path(c, layer_of(n, &l->site[i]));
        names[2 * i + 1] = last_part(names[2 * i]);
        if (i < SHOWN)
            strbuf_printf(&there, "%s%s", i ? ", " : "", names[2 * i]);
    }
    char guess[NAME_GUESS];
    (void)err_set(e, ERR_VALUE, "%s: '%s' matches none of the targets%s; they are %s%s", what, key,
                  name_guess(guess, key, names, 2 * (size_t)l->n), there.s,
                  l->n > SHOWN ? " and more" : "");
    strbuf_free(&there);
    arena_free(&a);
    return false;
}

static bool check_pattern(const lora_config *c, const network *n, const adapters *l,
                          const char *what, const lora_pattern *p, err *e)
{
    for (size_t k = 0; k < p->n; k++) {
        bool any = false;
        for (int i = 0; !any && i < l->n; i++)
            if (!lora_fits_pattern(p->keys[k], lora_target_path(c, layer_of(n, &l->site[i])), &any,
                                   e))
                return false;
        if (!any)
            return pattern_fits_none(c, n, l, what, p->keys[k], e);
    }
    return true;
}

// ---- Numbered layers

// The largest index by `patterns`, over all layers; -1: none is numbered. `used`: those of layers
// that hold a target, as bits below `most`.
static bool find_indices(const lora_names *patterns, const network *n, const adapters *l,
                         long *last, bool *used, long most, err *e)
{
    *last = -1;
    for (int i = 0; i < n->n_layers; i++) {
        long index;
        if (!lora_layer_index(patterns, n->layers[i].name, &index, e))
            return false;
        *last = index > *last ? index : *last;
        for (int k = 0; index >= 0 && index < most && k < l->n; k++)
            used[index] = used[index] || !strcmp(l->site[k].weight, n->layers[i].weight);
    }
    return true;
}

static bool check_layers(const lora_config *c, const network *n, const adapters *l, err *e)
{
    enum { MOST = MODEL_LAYERS };
    bool used[MOST] = {false};
    long last = -1;
    for (size_t i = 0; i < c->layers_pattern.n; i++) {
        const lora_names one = {&c->layers_pattern.list[i], 1};
        if (!find_indices(&one, n, l, &last, used, MOST, e))
            return false;
        if (last < 0)
            return lora_matches_nothing(n, "layers_pattern:", c->layers_pattern.list[i], e);
    }
    if (!find_indices(&c->layers_pattern, n, l, &last, used, MOST, e))
        return false;
    if (last < 0)
        return err_set(e, ERR_VALUE,
                       "layers_to_transform counts numbered layers, and %s has none; leave it out",
                       n->model->name);
    for (size_t i = 0; i < c->n_layers; i++) {
        double k = c->layers[i];
        if (!(k >= 0 && k <= (double)last))
            return err_set(e, ERR_VALUE,
                           "layers_to_transform: %s has no layer %g; there are 0 to %ld",
                           n->model->name, k, last);
        if (k < MOST && !used[(int)k])
            return err_set(
                e, ERR_VALUE,
                "layers_to_transform: layer %g of %s has none of the target_modules; leave it out",
                k, n->model->name);
    }
    return true;
}

bool lora_check_found(const lora_config *c, const network *n, const adapters *l, err *e)
{
    return l->n || lora_matches_nothing(n,
                                        c->targets.regex ? "target_modules: the expression"
                                                         : "target_modules with the other choices",
                                        c->targets.regex, e);
}

bool lora_check_written(const lora_config *c, const network *n, const adapters *l, err *e)
{
    return check_names(&c->targets.names, "target_modules:", n, e) && check_excluded(c, n, e) &&
           (!c->n_layers || check_layers(c, n, l, e)) && lora_check_found(c, n, l, e) &&
           check_pattern(c, n, l, "rank_pattern", &c->ranks, e) &&
           check_pattern(c, n, l, "alpha_pattern", &c->alphas, e);
}

// ---- What an adapter asks for that is no matrix of ours

static bool is_layer(const network *n, const char *path, size_t length)
{
    for (int i = 0; i < n->n_layers; i++)
        if (n->layers[i].kind != LAYER_RECURRENT && strlen(n->layers[i].name) == length &&
            !strncmp(n->layers[i].name, path, length))
            return true;
    return false;
}

// Each module on the way to a parameter: PEFT adapts linear layers and embeddings, and stops at all
// others.
static bool check_modules(const lora_config *c, const network *n, const char *parameter, err *e)
{
    arena a = {.name = "modules"};
    bool ok = true, is = false;
    for (const char *dot = parameter; ok && (dot = strchr(dot, '.')); dot++) {
        size_t length = (size_t)(dot - parameter);
        const char *path = arena_printf(&a, "%.*s", (int)length, parameter);
        if (is_layer(n, parameter, length))
            continue;
        ok = lora_is_named(c, path, &is, e);
        if (ok && is)
            ok = err_set(e, ERR_VALUE,
                         "target_modules fit '%s' of %s, which is no linear layer: adapters change "
                         "those, and matrices of an LSTM that "
                         "target_parameters name",
                         path, n->model->name);
    }
    arena_free(&a);
    return ok;
}

static bool check_parameter(const lora_config *c, const network *n, const char *parameter, err *e)
{
    bool named = false;
    if (!lora_by_parameter(c, parameter))
        return true;
    for (int i = 0; i < n->n_layers; i++) {
        const layer_info *l = &n->layers[i];
        if (strcmp(l->weight, parameter))
            continue;
        if (!lora_is_module(c, n, l, &named, e))
            return false;
        if (named)
            return err_set(e, ERR_VALUE,
                           "'%s' is named by target_modules and, as '%s', by target_parameters; "
                           "one of them does",
                           l->name, parameter);
        return c->dropout <= 0 ||
               err_set(e, ERR_VALUE,
                       "there is no lora_dropout beside target_parameters ('%s'); set it to 0",
                       parameter);
    }
    return err_set(e, ERR_VALUE,
                   "target_parameters: '%s' of %s is no matrix of a linear layer or an LSTM",
                   parameter, n->model->name);
}

bool lora_check_read(const lora_config *c, const network *n, err *e)
{
    if (c->n_layers && (c->targets.regex || c->all_linear))
        return err_set(e, ERR_VALUE,
                       "layers_to_transform counts for a list of names, and target_modules is one "
                       "text ('%s'), where PEFT refuses it; write "
                       "the numbers into the expression, or the names as a list",
                       c->all_linear ? "all-linear" : c->targets.regex);
    for (int i = 0; !c->together && i < n->p->n; i++)
        if (!(c->all_linear || check_modules(c, n, n->p->list[i].name, e)) ||
            !check_parameter(c, n, n->p->list[i].name, e))
            return false;
    return true;
}
