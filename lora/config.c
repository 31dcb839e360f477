// SPDX-License-Identifier: GPL-3.0-or-later
// config.c: adapter_config.json, as PEFT writes and reads it (peft/tuners/lora/config.py, version
// 0.21).
//
// PEFT drops keys that it does not know; so do we, except where a key says that the adapter is not
// plain LoRA: what it computes would then be another thing, and a wrong model is worse than none.
#include <math.h>
#include <string.h>

#include "lora/match_internal.h"

// ---- Reading

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

static bool is_set(const json *v)
{
    switch (json_type(v)) {
    case JSON_BOOL:
        return json_bool(v, false);
    case JSON_NUMBER:
        return json_num(v, 0) != 0;
    case JSON_STRING:
    case JSON_ARRAY:
    case JSON_OBJECT:
        return json_len(v) > 0 || json_type(v) == JSON_STRING;
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
    {"use_dora", "DoRA (use_dora)", false},
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
                   "'%s' is of the method %s, which kmidi does not have: it takes plain LoRA",
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

static bool read_number(const reader *r, const char *key, double fallback, double least,
                        double below, double *out)
{
    const json *v = json_get(r->root, key);
    *out = is_null(v) ? fallback : json_num(v, NAN);
    return (*out >= least && *out < below) || wrong(r, key, "a number in its range");
}

// A list of texts; a single text is a list of one. null: none.
static bool read_names(const reader *r, const char *key, lora_names *out)
{
    const json *v = json_get(r->root, key);
    size_t n = json_type(v) == JSON_STRING ? 1 : json_len(v);
    const char **list = NEW(r->a, const char *, n + 1);
    *out = (lora_names){list, n};
    if (json_type(v) != JSON_STRING && json_type(v) != JSON_ARRAY && is_set(v))
        return wrong(r, key, "a list of names");
    for (size_t i = 0; i < n; i++) {
        const char *name = json_str(json_type(v) == JSON_STRING ? v : json_at(v, i), NULL);
        if (!name)
            return wrong(r, key, "a list of names");
        list[i] = arena_strdup(r->a, name);
    }
    return true;
}

// A single text is a regular expression.
static bool read_choice(const reader *r, const char *key, lora_choice *out)
{
    if (!read_names(r, key, &out->names))
        return false;
    if (json_type(json_get(r->root, key)) == JSON_STRING)
        out->regex = out->names.list[0], out->names.n = 0;
    return true;
}

static bool read_pattern(const reader *r, const char *key, lora_pattern *out)
{
    const json *v = json_get(r->root, key);
    size_t n = json_len(v), i = 0;
    const char **keys = NEW(r->a, const char *, n + 1);
    double *values = NEW(r->a, double, n + 1);
    if (is_set(v) && json_type(v) != JSON_OBJECT)
        return wrong(r, key, "a map of names to numbers");
    for (void *it = json_type(v) == JSON_OBJECT ? json_first(v) : NULL; it;
         it = json_next(v, it), i++) {
        keys[i] = arena_strdup(r->a, json_key(it));
        values[i] = json_num(json_value(it), NAN);
        if (!(fabs(values[i]) < 1e9))
            return wrong(r, key, "a map of names to numbers");
    }
    *out = (lora_pattern){keys, values, n};
    return true;
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

// PEFT knows nothing of tokens, and lets nobody write metadata; but it leaves keys alone that it
// does not know.
static bool read_dialect(const reader *r, lora_config *c)
{
    const json *v = json_get(r->root, "dialect");
    c->dialect = json_type(v) == JSON_STRING ? arena_strdup(r->a, json_str(v, "")) : NULL;
    return c->dialect || !is_set(v) || wrong(r, "dialect", "the name of a dialect of tokens");
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
    double rank;
    *c = (lora_config){.rslora = json_bool(json_get(r->root, "use_rslora"), false)};
    if (!check_method(r) || !read_number(r, "r", 8, 1, LORA_RANK_MOST + 1, &rank) ||
        !read_number(r, "lora_alpha", 8, -1e6, 1e6, &c->alpha) ||
        !read_number(r, "lora_dropout", 0, 0, 1, &c->dropout) ||
        !read_choice(r, "target_modules", &c->targets) ||
        !read_choice(r, "exclude_modules", &c->exclude) ||
        !read_names(r, "target_parameters", &c->parameters) ||
        !read_names(r, "modules_to_save", &c->save) ||
        !read_pattern(r, "rank_pattern", &c->ranks) ||
        !read_pattern(r, "alpha_pattern", &c->alphas) || !read_layers(r, c) ||
        !read_names(r, "layers_pattern", &c->layers_pattern) || !read_dialect(r, c) ||
        !check_together(r, c))
        return false;
    c->r = (int64_t)rank;
    c->all_linear = c->targets.regex && !strcasecmp(c->targets.regex, "all-linear");
    return c->r == rank || wrong(r, "r", "a whole number");
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

// ---- Writing

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
    static const char *const falses[] = {"fan_in_fan_out", "use_dora"}, *const trues[] = {
                                                                            "inference_mode",
                                                                            "init_lora_weights"};
    for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++)
        json_set(o, nulls[i], NULL);
    for (size_t i = 0; i < sizeof falses / sizeof *falses; i++)
        json_set_bool(o, falses[i], false), json_set_bool(o, trues[i], true);
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
