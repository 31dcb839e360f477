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

static bool write_config(const char *path, const adapter_site *first, int64_t rank, json *keys,
                         const model_meta *meta, err *e)
{
    json *j = json_object(), *lora = json_object();
    strbuf text = {0};
    json_set_int(lora, "rank", rank);
    json_set_num(lora, "scale", (double)first->scale);
    json_set_num(lora, "dropout", (double)first->dropout);
    json_set(lora, "keys", keys);
    json_set_str(j, "fine_tune_type", "lora");
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
    weights_source *list = NEW(a, weights_source, 2 * (size_t)sites->n + 1);
    const adapter_site *first = &sites->site[0];
    const char *config = path_join(a, folder, CONFIG);
    json *keys = json_array();
    int64_t rank = 0;
    for (int i = 0; i < sites->n; i++)
        rank = sites->site[i].rank > rank ? sites->site[i].rank : rank;
    for (int i = 0; i < sites->n; i++) {
        const adapter_site *s = &sites->site[i];
        const char *path = linear_path(p, s, a);
        const shape w = p->list[params_find(p, s->weight)].shape;
        json_push_str(keys, path);
        list[2 * i] = turned(p, s->a, arena_printf(a, "%s.lora_a", path), 1, w.d[1], rank, a);
        list[2 * i + 1] = turned(p, s->b, arena_printf(a, "%s.lora_b", path),
                                 s->scale / first->scale, rank, w.d[0], a);
    }
    bool ok = file_make_dirs(folder, e);
    if (ok && unlink(config) && file_exists(config))
        ok = err_errno(e, "cannot replace '%s'", config);
    ok = ok && safetensors_write(path_join(a, folder, TENSORS), list, 2 * sites->n, meta, e);
    if (ok)
        return write_config(config, first, rank, keys, meta, e);
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

// w [out, in] += scale (a [in, r] b [r, out])^T
static void add_product(float *w, const shape *s, const float *a, const float *b, int64_t r,
                        double scale)
{
    for (int64_t o = 0; o < s->d[0]; o++)
        for (int64_t i = 0; i < s->d[1]; i++) {
            double sum = 0;
            for (int64_t k = 0; k < r; k++)
                sum += (double)a[i * r + k] * (double)b[k * s->d[0] + o];
            w[o * s->d[1] + i] += (float)(scale * sum);
        }
}

// One of the two factors, which is as high and as wide; NULL: `e` says what is wrong.
static float *read_factor(safetensors *s, const char *name, int64_t height, int64_t width, arena *a,
                          err *e)
{
    int at = safetensors_find(s, name);
    const weights_entry *t = at < 0 ? NULL : &safetensors_listing(s)->list[at];
    float *x = NEW(a, float, (size_t)(height * width));
    if (!t || t->rank != 2 || t->dim[0] != height || t->dim[1] != width)
        return (void)err_set(e, ERR_MISMATCH, "there is no '%s' of %lld x %lld numbers in it", name,
                             (long long)height, (long long)width),
               NULL;
    return safetensors_read(s, at, x, e) ? x : NULL;
}

static bool add_path(safetensors *s, const char *path, int64_t rank, double scale, params *p,
                     arena *a, err *e)
{
    int at = params_find(p, arena_printf(a, "%s.weight", path));
    if (at < 0 || p->list[at].shape.rank != 2)
        return err_set(e, ERR_MISMATCH, "the model has no linear layer '%s'", path);
    const shape *w = &p->list[at].shape;
    const float *x = read_factor(s, arena_printf(a, "%s.lora_a", path), w->d[1], rank, a, e),
                *y = x ? read_factor(s, arena_printf(a, "%s.lora_b", path), rank, w->d[0], a, e)
                       : NULL;
    if (y)
        add_product(params_at(p, at), w, x, y, rank, scale);
    return y != NULL;
}

static bool add_all(const char *folder, const json *config, params *p, arena *a, err *e)
{
    const json *lora = json_get(config, "lora_parameters"), *keys = json_get(lora, "keys");
    int64_t rank = json_int(json_get(lora, "rank"), 0);
    double scale = json_num(json_get(lora, "scale"), NAN);
    if (strcmp(json_str(json_get(config, "fine_tune_type"), ""), "lora") != 0 || rank < 1 ||
        rank > LORA_RANK_MOST || !isfinite(scale) || !json_len(keys))
        return err_set(e, ERR_FORMAT, "its " CONFIG " is not one of LoRA as MLX writes it");
    safetensors *s = safetensors_open(path_join(a, folder, TENSORS), a, e);
    bool ok = s != NULL;
    for (size_t i = 0; ok && i < json_len(keys); i++)
        ok = add_path(s, json_str(json_at(keys, i), ""), rank, scale, p, a, e);
    if (ok && (size_t)safetensors_listing(s)->n != 2 * json_len(keys))
        ok = err_set(e, ERR_MISMATCH, "there are more tensors in it than its " CONFIG " names");
    safetensors_close(s);
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
