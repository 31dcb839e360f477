// SPDX-License-Identifier: GPL-3.0-or-later
// config_read.c: adapter_config.json read, as PEFT does it (peft/tuners/lora/config.py, version
// 0.21).
//
// PEFT drops keys that it does not know; so do we, except where a key says that the adapter is not
// LoRA or DoRA: what it computes would then be another thing, and a wrong model is worse than none.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lora/match_internal.h"

// The largest part of a layer's input that may be dropped.
#define BELOW_ONE 0.9999999999999999

typedef struct reader {
    const char *path;
    const json *root;
    arena *a;
    err *e;
} reader;

static bool is_null(const json *v)
{
    return json_type(v) == JSON_NONE || json_type(v) == JSON_NULL;
}

// As Python's bool() has it.
static bool is_set(const json *v)
{
    switch (json_type(v)) {
    case JSON_BOOL:
        return json_bool(v, false);
    case JSON_NUMBER:
        return json_num(v, 0) != 0;
    case JSON_STRING:
        return *json_str(v, "");
    case JSON_ARRAY:
    case JSON_OBJECT:
        return json_len(v) > 0;
    default:
        return false;
    }
}

// Keys that make it another method, and what that is called. Of a method with settings, {} is all
// of them at their defaults.
static const struct {
    const char *key, *method;
    bool settings;
} methods[] = {
    {"use_qalora", "QALoRA (use_qalora)", false},
    {"alora_invocation_tokens", "activated LoRA (alora_invocation_tokens)", false},
    {"megatron_config", "Megatron layers (megatron_config)", false},
    {"layer_replication", "layer replication (layer_replication)", false},
    {"lora_bias", "LoRA with a bias of its own (lora_bias)", false},
    {"trainable_token_indices", "trained tokens (trainable_token_indices)", false},
    {"use_bdlora", "block-diagonal LoRA (use_bdlora)", true},
    {"velora_config", "VeLoRA (velora_config)", true},
    {"monteclora_config", "MonteCLoRA (monteclora_config)", true},
    {"kasa_config", "KaSA (kasa_config)", true},
    {"arrow_config", "Arrow routing (arrow_config)", true},
};

// Ways to begin that leave the base's weights and what an adapter computes alone. The others
// ("pissa", "olora", "corda", "loftq", "lora_ga", "mica") change one of them: B A is then not what
// is to be added to the base as it was.
static const char *const beginnings[] = {"gaussian", "eva", "orthogonal", "true", "false"};

static bool refuse(const reader *r, const char *method)
{
    return err_set(r->e, ERR_MISMATCH,
                   "'%s' is of the method %s, which kmidi does not have: it takes LoRA and DoRA",
                   r->path, method);
}

static bool check_beginning(const reader *r)
{
    const char *begin = json_str(json_get(r->root, "init_lora_weights"), NULL);
    bool known = !begin;
    for (size_t i = 0; !known && i < sizeof beginnings / sizeof *beginnings; i++)
        known = !strcasecmp(begin, beginnings[i]);
    return known ||
           refuse(r, arena_printf(r->a, "%s (init_lora_weights), whose base is another than before",
                                  begin));
}

static bool check_method(const reader *r)
{
    const char *type = json_str(json_get(r->root, "peft_type"), NULL),
               *bias = json_str(json_get(r->root, "bias"), "none");
    if (json_type(r->root) != JSON_OBJECT || !type)
        return err_set(r->e, ERR_FORMAT,
                       "'%s' is no adapter configuration of PEFT: it has no 'peft_type'", r->path);
    if (strcmp(type, "LORA"))
        return refuse(r, type);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        const json *v = json_get(r->root, methods[i].key);
        if (is_set(v) || (methods[i].settings && json_type(v) == JSON_OBJECT))
            return refuse(r, methods[i].method);
    }
    if (strcmp(bias, "none"))
        return refuse(r, arena_printf(r->a, "trained biases (bias: %s)", bias));
    return check_beginning(r);
}

static bool wrong(const reader *r, const char *key, const char *what)
{
    return err_set(r->e, ERR_VALUE, "'%s': '%s' is not %s; correct it, or save the adapter again",
                   r->path, key, what);
}

// ---- Keys that are values

#define AT(member) KEY_AT(lora_config, member)
static const config_key keys[] = {
    {"r", CONFIG_INT, "8", 1, LORA_RANK_MOST, AT(r)},
    {"lora_alpha", CONFIG_NUMBER, "8", -1e6, 1e6, AT(alpha)},
    {"lora_dropout", CONFIG_NUMBER, "0", 0, BELOW_ONE, AT(dropout)},
    {"use_rslora", CONFIG_BOOL, "false", AT(rslora)},
    {"use_dora", CONFIG_BOOL, "false", AT(dora)},
    {"target_modules", CONFIG_TEXTS, AT(targets)},
    {"exclude_modules", CONFIG_TEXTS, AT(exclude)},
    {"target_parameters", CONFIG_TEXTS, AT(parameters)},
    {"modules_to_save", CONFIG_TEXTS, AT(save)},
    {"rank_pattern", CONFIG_MAP, AT(ranks)},
    {"alpha_pattern", CONFIG_MAP, AT(alphas)},
    {"layers_pattern", CONFIG_TEXTS, AT(layers_pattern)},
    // PEFT knows nothing of tokens, and lets nobody write metadata; but it leaves keys alone that
    // it does not know
    {"dialect", CONFIG_TEXT, AT(dialect)},
};

static bool read_number(const reader *r, const config_key *k, const json *v, key_value *out)
{
    out->d = is_null(v) ? strtod(k->value, NULL) : json_num(v, NAN);
    if (!(out->d >= k->min && out->d <= k->max))
        return wrong(r, k->name, "a number in its range");
    out->i = (int64_t)out->d;
    return k->type == CONFIG_NUMBER || out->d == (double)out->i ||
           wrong(r, k->name, "a whole number");
}

// A list of texts; a single text is a list of one. null: none.
static bool read_texts(const reader *r, const config_key *k, const json *v, key_value *out)
{
    out->list = json_type(v) != JSON_STRING;
    out->n = out->list ? json_len(v) : 1;
    out->texts = NEW(r->a, const char *, out->n + 1);
    if (out->list && json_type(v) != JSON_ARRAY && is_set(v))
        return wrong(r, k->name, "a list of names");
    for (size_t i = 0; i < out->n; i++) {
        const char *name = json_str(out->list ? json_at(v, i) : v, NULL);
        if (!name)
            return wrong(r, k->name, "a list of names");
        out->texts[i] = arena_strdup(r->a, name);
    }
    return true;
}

static bool read_map(const reader *r, const config_key *k, const json *v, key_value *out)
{
    size_t i = 0;
    out->n = json_len(v);
    out->texts = NEW(r->a, const char *, out->n + 1);
    out->nums = NEW(r->a, double, out->n + 1);
    if (is_set(v) && json_type(v) != JSON_OBJECT)
        return wrong(r, k->name, "a map of names to numbers");
    for (void *it = json_type(v) == JSON_OBJECT ? json_first(v) : NULL; it;
         it = json_next(v, it), i++) {
        out->texts[i] = arena_strdup(r->a, json_key(it));
        out->nums[i] = json_num(json_value(it), NAN);
        if (!(fabs(out->nums[i]) < 1e9))
            return wrong(r, k->name, "a map of names to numbers");
    }
    return true;
}

static bool read_text(const reader *r, const config_key *k, const json *v, key_value *out)
{
    out->s = json_type(v) == JSON_STRING ? arena_strdup(r->a, json_str(v, "")) : NULL;
    return out->s || !is_set(v) || wrong(r, k->name, "the name of a dialect of tokens");
}

static bool read_key(const reader *r, const config_key *k, lora_config *c)
{
    const json *v = json_get(r->root, k->name);
    key_value value = {.b = is_set(v)};
    bool ok = k->type == CONFIG_BOOL    ? true
              : k->type == CONFIG_TEXT  ? read_text(r, k, v, &value)
              : k->type == CONFIG_TEXTS ? read_texts(r, k, v, &value)
              : k->type == CONFIG_MAP   ? read_map(r, k, v, &value)
                                        : read_number(r, k, v, &value);
    if (ok)
        key_store(k, &value, c);
    return ok;
}

static bool read_layers(const reader *r, lora_config *c)
{
    const json *v = json_get(r->root, "layers_to_transform");
    bool one = json_type(v) == JSON_NUMBER;
    size_t n = one ? 1 : json_type(v) == JSON_ARRAY ? json_len(v) : 0;
    double *list = NEW(r->a, double, n + 1);
    if (!one && json_type(v) != JSON_ARRAY && is_set(v))
        return wrong(r, "layers_to_transform", "a list of numbers");
    for (size_t i = 0; i < n; i++) {
        list[i] = json_num(one ? v : json_at(v, i), NAN);
        // PEFT counts nothing below 0, but takes it
        if (!(fabs(list[i]) < 1e6 && list[i] == floor(list[i])))
            return wrong(r, "layers_to_transform", "a list of numbers");
    }
    c->layers = list, c->n_layers = n;
    return true;
}

// What PEFT's LoraConfig refuses (__post_init__), and transposed weights, which it takes back at
// the first linear layer, not at a parameter.
static bool check_together(const reader *r, const lora_config *c)
{
    bool text = c->targets.regex != NULL,
         layers = !is_null(json_get(r->root, "layers_to_transform"));
    const json *parameters = json_get(r->root, "target_parameters"),
               *pattern = json_get(r->root, "layers_pattern");
    const char *why =
        text && layers ? "layers_to_transform does not go with a target_modules that is one text"
        : text && !is_null(pattern)
            ? "layers_pattern does not go with a target_modules that is one text"
        : c->layers_pattern.n && !layers ? "layers_pattern says nothing without layers_to_transform"
        : json_type(parameters) == JSON_STRING
            ? "target_parameters is a list of names, not one text"
        : c->parameters.n && !text && !c->targets.names.n &&
                is_set(json_get(r->root, "fan_in_fan_out"))
            ? "fan_in_fan_out does not go with target_parameters"
            : NULL;
    return !why ||
           err_set(r->e, ERR_VALUE,
                   "'%s': %s: PEFT refuses it too; write the names of the modules as a list",
                   r->path, why);
}

static bool read_all(const reader *r, lora_config *c)
{
    *c = (lora_config){0};
    if (!check_method(r))
        return false;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!read_key(r, &keys[i], c))
            return false;
    c->all_linear = c->targets.regex && !strcasecmp(c->targets.regex, "all-linear");
    return read_layers(r, c) && check_together(r, c);
}

bool lora_config_read(const char *path, const char *text, size_t n, arena *a, lora_config *c,
                      err *e)
{
    json *root = json_parse(text, n, e);
    if (!root) {
        if (e)
            e->code = ERR_FORMAT;
        return err_trail(e, "'%s'", path);
    }
    bool ok = read_all(&(reader){path, root, a, e}, c);
    json_free(root);
    return ok;
}
