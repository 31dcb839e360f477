// SPDX-License-Identifier: GPL-3.0-or-later
// mlx.c: low-rank factors turned to how MLX has them (mlx_lm/tuner/lora.py, utils.py, version
// 0.32).
#include "lora/mlx.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "export/safetensors.h"
#include "lora/lora.h"
#include "lora/merge.h"

#define TENSORS "adapters.safetensors"
#define CONFIG  "adapter_config.json"

enum { CONFIG_MOST = 1 << 20 };

// The path of the layer, "fc1"; NULL where MLX has no adapter for it.
static const char *linear_path(const params *p, const adapter_site *s, arena *a)
{
    static const char tail[] = ".lora_A.weight";
    int at = params_find(p, s->weight);
    CHECK(at >= 0);
    const char *path = arena_printf(a, "%.*s", (int)(strlen(s->a) - strlen(tail)), s->a);
    bool is = p->list[at].shape.rank == 2 && !strcmp(arena_printf(a, "%s.weight", path), s->weight);
    return is ? path : NULL;
}

// factor w^T, w a matrix of `rows` rows of PEFT's; behind it zeros: -> [columns, wide] where it is
// B [out, r], or [tall, columns] where it is A [r, in].
static weights_source turned(const params *p, const char *from, const char *name, float factor,
                             int64_t height, int64_t width, arena *a)
{
    int at = params_find(p, from);
    CHECK(at >= 0);
    int64_t rows = p->list[at].shape.d[0], columns = p->list[at].shape.d[1];
    const float *w = params_at(p, at);
    float *y = NEW(a, float, (size_t)(height * width));
    for (int64_t i = 0; i < columns; i++)
        for (int64_t k = 0; k < rows; k++)
            y[i * width + k] = factor * w[k * columns + i];
    return (weights_source){.name = name, .rank = 2, .dim = {height, width}, .data = y};
}

static weights_source lengths(const params *p, const char *from, const char *name)
{
    int at = params_find(p, from);
    CHECK(at >= 0);
    return (weights_source){
        .name = name, .rank = 1, .dim = {p->list[at].count}, .data = params_at(p, at)};
}

// The one scale of the folder: the first that is none of 0, which no lora_b could make up for.
static float shared_scale(const adapters *sites)
{
    for (int i = 0; i < sites->n; i++)
        if (sites->site[i].scale != 0)
            return sites->site[i].scale;
    return 1;
}

static bool write_config(const char *path, const adapters *sites, int64_t rank, json *keys,
                         const model_meta *meta, err *e)
{
    const adapter_site *first = &sites->site[0];
    json *j = json_object(), *lora = json_object();
    strbuf text = {0};
    json_set_int(lora, "rank", rank);
    json_set_num(lora, "scale", (double)shared_scale(sites));
    json_set_num(lora, "dropout", (double)first->dropout);
    json_set(lora, "keys", keys);
    json_set_str(j, "fine_tune_type", first->m ? "dora" : "lora");
    json_set_int(j, "num_layers", -1);
    json_set(j, "lora_parameters", lora);
    json_set_str(j, "model", meta_get(meta, "model"));
    json_dump(j, 4, &text);
    bool ok = file_write(path, text.s, text.len, e);
    strbuf_free(&text);
    json_free(j);
    return ok;
}

static bool check_sites(const params *p, const adapters *sites, arena *a, err *e)
{
    if (sites->n_whole)
        return err_set(e, ERR_VALUE,
                       "an adapter of MLX holds factors alone, and '%s' was trained whole; export "
                       "as adapter",
                       sites->whole[0]);
    for (int i = 0; i < sites->n; i++)
        if (!linear_path(p, &sites->site[i], a))
            return err_set(e, ERR_VALUE,
                           "MLX adapts linear layers, and '%s' is of none; export as adapter",
                           sites->site[i].weight);
    return true;
}

static bool write_folder(const char *folder, const params *p, const adapters *sites,
                         const model_meta *meta, arena *a, err *e)
{
    weights_source *list = NEW(a, weights_source, 3 * (size_t)sites->n + 1);
    const char *config = path_join(a, folder, CONFIG);
    json *keys = json_array();
    float scale = shared_scale(sites);
    int64_t rank = 0;
    int n = 0;
    for (int i = 0; i < sites->n; i++)
        rank = sites->site[i].rank > rank ? sites->site[i].rank : rank;
    for (int i = 0; i < sites->n; i++) {
        const adapter_site *s = &sites->site[i];
        const char *path = linear_path(p, s, a);
        const shape w = p->list[params_find(p, s->weight)].shape;
        json_push_str(keys, path);
        list[n++] = turned(p, s->a, arena_printf(a, "%s.lora_a", path), 1, w.d[1], rank, a);
        list[n++] =
            turned(p, s->b, arena_printf(a, "%s.lora_b", path), s->scale / scale, rank, w.d[0], a);
        if (s->m)
            list[n++] = lengths(p, s->m, arena_printf(a, "%s.m", path));
    }
    bool ok = file_make_dirs(folder, e);
    if (ok && unlink(config) && file_exists(config))
        ok = err_errno(e, "cannot replace '%s'", config);
    ok = ok && safetensors_write(path_join(a, folder, TENSORS), list, n, meta, e);
    if (ok)
        return write_config(config, sites, rank, keys, meta, e);
    json_free(keys);
    return false;
}

bool lora_save_mlx(const char *folder, const params *p, const adapters *sites, const char *config,
                   const model_meta *meta, err *e)
{
    arena a = {.name = "adapter"};
    (void)config;
    CHECK(sites->n > 0);
    bool ok = check_sites(p, sites, &a, e) && write_folder(folder, p, sites, meta, &a, e);
    arena_free(&a);
    return ok;
}

// ---- Back

typedef struct reading {
    safetensors *file;
    const char *path; // of the layer
    int64_t rank;
    double scale;
    bool dora;
} reading;

// One of its tensors of height x width numbers (width 0: a row of them); NULL: `e` says what is
// wrong.
static float *read_factor(const reading *r, const char *leaf, int64_t height, int64_t width,
                          arena *a, err *e)
{
    const char *name = arena_printf(a, "%s.%s", r->path, leaf);
    int at = safetensors_find(r->file, name), rank = width ? 2 : 1;
    const weights_entry *t = at < 0 ? NULL : &safetensors_listing(r->file)->list[at];
    float *x = NEW(a, float, (size_t)(width ? height * width : height));
    if (!t || t->rank != rank || t->dim[0] != height || (width && t->dim[1] != width))
        return (void)err_set(
                   e, ERR_MISMATCH,
                   "there is no '%s' of %s numbers in it; export it again, or take it from where "
                   "it is whole",
                   name,
                   width ? arena_printf(a, "%lld x %lld", (long long)height, (long long)width)
                         : arena_printf(a, "%lld", (long long)height)),
               NULL;
    return safetensors_read(r->file, at, x, e) ? x : NULL;
}

// As adapters of PEFT lie: what was turned, turned back.
static float *turned_back(const float *x, int64_t height, int64_t width, arena *a)
{
    float *y = NEW(a, float, (size_t)(height * width));
    for (int64_t i = 0; i < height; i++)
        for (int64_t k = 0; k < width; k++)
            y[k * height + i] = x[i * width + k];
    return y;
}

static bool add_path(const reading *r, params *p, arena *a, err *e)
{
    int at = params_find(p, arena_printf(a, "%s.weight", r->path));
    if (at < 0 || p->list[at].shape.rank != 2)
        return err_set(e, ERR_MISMATCH, "the model has no linear layer '%s'", r->path);
    lora_matrix w = lora_matrix_of(p, at);
    const float *x = read_factor(r, "lora_a", w.in, r->rank, a, e),
                *y = x ? read_factor(r, "lora_b", r->rank, w.out, a, e) : NULL,
                *m = y && r->dora ? read_factor(r, "m", w.out, 0, a, e) : NULL;
    if (!y || (r->dora && !m))
        return false;
    const lora_factors f = {.from = TENSORS,
                            .a = turned_back(x, w.in, r->rank, a),
                            .b = turned_back(y, r->rank, w.out, a),
                            .m = m,
                            .rank = r->rank,
                            .scale = r->scale,
                            .weight = 1};
    return lora_add(w, &f, 1, e);
}

static bool add_all(const char *folder, const json *config, params *p, arena *a, err *e)
{
    const json *lora = json_get(config, "lora_parameters"), *keys = json_get(lora, "keys");
    const char *type = json_str(json_get(config, "fine_tune_type"), "");
    reading r = {.rank = json_int(json_get(lora, "rank"), 0),
                 .scale = json_num(json_get(lora, "scale"), NAN),
                 .dora = !strcmp(type, "dora")};
    if ((!r.dora && strcmp(type, "lora") != 0) || r.rank < 1 || r.rank > LORA_RANK_MOST ||
        !isfinite(r.scale) || !json_len(keys))
        return err_set(e, ERR_FORMAT, "its " CONFIG " is not one of LoRA as MLX writes it");
    bool ok = (r.file = safetensors_open(path_join(a, folder, TENSORS), a, e)) != NULL;
    for (size_t i = 0; ok && i < json_len(keys); i++) {
        r.path = json_str(json_at(keys, i), "");
        ok = add_path(&r, p, a, e);
    }
    size_t each = r.dora ? 3 : 2;
    if (ok && (size_t)safetensors_listing(r.file)->n != each * json_len(keys))
        ok = err_set(e, ERR_MISMATCH, "there are more tensors in it than its " CONFIG " names");
    safetensors_close(r.file);
    return ok;
}

bool lora_add_mlx(const char *folder, params *p, err *e)
{
    arena a = {.name = "adapter"};
    size_t n;
    char *text = file_read(&a, path_join(&a, folder, CONFIG), CONFIG_MOST, &n, e);
    json *config = text ? json_parse(text, n, e) : NULL;
    bool ok = config && add_all(folder, config, p, &a, e);
    json_free(config);
    arena_free(&a);
    return ok || err_trail(e, "'%s'", folder);
}
