// SPDX-License-Identifier: GPL-3.0-or-later
// adapter.c: reading and writing the two files (adapter.h).
#include "lora/adapter.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "export/safetensors.h"

static const char CONFIG[] = "adapter_config.json", TENSORS[] = "adapter_model.safetensors",
                  PREFIX[] = "base_model.model.";
enum { CONFIG_MOST = 1 << 20 };

bool lora_is_adapter(const char *path)
{
    struct stat s;
    arena a = {.name = "adapter"};
    bool is = stat(path, &s) == 0 && S_ISDIR(s.st_mode) && file_exists(path_join(&a, path, CONFIG));
    arena_free(&a);
    return is;
}

// ---- Names

static const char *before_last_dot(const char *path, arena *a)
{
    const char *dot = strrchr(path, '.');
    return dot ? arena_printf(a, "%.*s", (int)(dot - path), path) : "";
}

static bool is_matrix(const adapter_site *s)
{
    return !str_ends(s->weight, ".weight");
}

// How many sites behind `i` are matrices of the same module: so deep does PEFT nest this one.
static int depth_of(const adapters *l, int i, arena *a)
{
    int n = 0;
    for (int k = i + 1; k < l->n; k++)
        n += is_matrix(&l->site[k]) &&
             !strcmp(before_last_dot(l->site[k].weight, a), before_last_dot(l->site[i].weight, a));
    return n;
}

// "base_model.model.fc1.lora_A.weight", or of another `leaf`
static const char *key_of(const adapters *l, int i, const char *leaf, arena *a)
{
    const char *module = arena_printf(a, "%s%s", PREFIX, before_last_dot(l->site[i].weight, a));
    for (int k = is_matrix(&l->site[i]) ? depth_of(l, i, a) : 0; k > 0; k--)
        module = arena_printf(a, "%s.base_layer", module);
    return arena_printf(a, "%s.%s", module, leaf);
}

static bool declare(params *p, const char *name, shape s, err *e)
{
    return params_declare(p, name, s, (init){INIT_ZERO, 0}, e) >= 0;
}

static bool has(const weights_index *file, const char *name)
{
    for (int i = 0; file && i < file->n; i++)
        if (!strcmp(file->list[i].name, name))
            return true;
    return false;
}

// PEFT loads it under the name of its module's parameter, too, which it does not write.
static const char *magnitude_key(const adapters *l, int i, const weights_index *file, arena *a)
{
    const char *module = key_of(l, i, "lora_magnitude_vector", a),
               *inner = arena_printf(a, "%s.weight", module);
    return has(file, inner) && !has(file, module) ? inner : module;
}

// The tensors of an adapter as a table, under PEFT's names: A and B of each site, their M by DoRA,
// then whole parameters. `model` has the shapes; `file`: what there is, or NULL.
static params *declare_tensors(const adapters *l, const params *model, const weights_index *file,
                               arena *a, err *e)
{
    params *p = params_open(a);
    bool ok = true;
    for (int i = 0; ok && i < l->n; i++) {
        const adapter_site *s = &l->site[i];
        shape w = model->list[params_find(model, s->weight)].shape;
        ok = declare(p, key_of(l, i, "lora_A.weight", a), adapter_a(w, s->rank), e) &&
             declare(p, key_of(l, i, "lora_B.weight", a), adapter_b(w, s->rank), e);
    }
    for (int i = 0; ok && i < l->n; i++)
        ok = !l->site[i].m ||
             declare(p, magnitude_key(l, i, file, a),
                     adapter_m(model->list[params_find(model, l->site[i].weight)].shape), e);
    for (int i = 0; ok && i < l->n_whole; i++)
        ok = declare(p, arena_printf(a, "%s%s", PREFIX, l->whole[i]),
                     model->list[params_find(model, l->whole[i])].shape, e);
    return ok ? p : NULL;
}

static params *model_shapes(const model_def *m, arena *a, err *e)
{
    params *p = params_open(a);
    return model_build(m, p, &(model_dims){.batch = 1, .time = 1}, a, e) ? p : NULL;
}

// ---- Reading

static bool read_config(lora_adapter *l, arena *a, err *e)
{
    size_t n;
    const char *path = path_join(a, l->folder, CONFIG),
               *text = file_read(a, path, CONFIG_MOST, &n, e);
    return text && lora_config_read(path, text, n, a, &l->config, e);
}

static bool read_meta(lora_adapter *l, arena *a, err *e)
{
    const char *path = path_join(a, l->folder, TENSORS);
    if (!file_exists(path) && file_exists(path_join(a, l->folder, "adapter_model.bin")))
        return err_set(e, ERR_FORMAT,
                       "'%s' has its weights as adapter_model.bin, a pickle that could run "
                       "anything; save it with safetensors",
                       l->folder);
    safetensors *s = safetensors_open(path, a, e);
    if (s)
        l->file = safetensors_listing(s), l->meta = l->file->meta;
    safetensors_close(s);
    return s != NULL;
}

static bool has_dialect(const char *name)
{
    for (int i = 0; i < model_count(); i++)
        if (model_at(i)->dialect && !strcmp(model_at(i)->dialect, name))
            return true;
    return false;
}

static const char *all_dialects(arena *a)
{
    const char *list = "";
    for (int i = 0; i < model_count(); i++)
        if (model_at(i)->dialect)
            list = arena_printf(a, "%s%s%s", list, *list ? ", " : "", model_at(i)->dialect);
    return list;
}

// A base that was imported says nothing of its tokens, so this cannot wait until the two are
// compared.
static bool read_dialect(lora_adapter *l, arena *a, err *e)
{
    const char *text = meta_get(&l->meta, "settings");
    json *j = text ? json_parse(text, strlen(text), NULL) : NULL;
    const char *said = json_str(json_get(json_get(j, "tokens"), "dialect"), NULL),
               *where = said ? TENSORS : CONFIG;
    l->dialect = said ? arena_strdup(a, said) : l->config.dialect;
    json_free(j);
    return !l->dialect || has_dialect(l->dialect) ||
           err_set(e, ERR_MISMATCH,
                   "'%s': its %s says that its tokens are of the dialect '%s', and this kmidi has "
                   "%s; train it anew on shards of "
                   "`kmidi prepare`",
                   l->folder, where, l->dialect, all_dialects(a));
}

// PEFT saves an adapter that is not called "default" to a folder of its name: those of `folder`, ""
// where there is none.
static const char *named_adapters(const char *folder, arena *a)
{
    enum { SHOWN = 8 };
    const char *list = "";
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *entry; d && (entry = readdir(d));) {
        const char *path = path_join(a, folder, entry->d_name);
        if (*entry->d_name == '.' || !lora_is_adapter(path) || ++n > SHOWN)
            continue;
        list = arena_printf(a, "%s%s'%s'", list, *list ? ", " : "", path);
    }
    if (d)
        closedir(d);
    return n > SHOWN ? arena_printf(a, "%s and %d more", list, n - SHOWN) : list;
}

static lora_adapter *open_folder(const char *folder, arena *a, err *e)
{
    lora_adapter *l = NEW(a, lora_adapter, 1);
    l->folder = arena_strdup(a, folder);
    if (!lora_is_adapter(folder)) {
        const char *below = named_adapters(folder, a);
        (void)err_set(e, ERR_MISSING, "'%s' is no adapter: a folder with %s and %s%s%s", folder,
                      CONFIG, TENSORS,
                      *below ? "; it holds adapters by name, give one of them: " : "", below);
        return NULL;
    }
    return read_config(l, a, e) && read_meta(l, a, e) && read_dialect(l, a, e) ? l : NULL;
}

int lora_length_at(const lora_adapter *l, int i)
{
    return 2 * l->sites->n + i;
}

int lora_whole_at(const lora_adapter *l, int i)
{
    return (l->config.dora ? 3 : 2) * l->sites->n + i;
}

static bool bind(lora_adapter *l, const model_def *m, arena *a, err *e)
{
    const char *meant = meta_get(&l->meta, "model");
    if (meant && strcmp(meant, m->name))
        return err_set(e, ERR_MISMATCH, "'%s' adapts %s, not %s", l->folder, meant, m->name);
    const params *shapes = model_shapes(m, a, e);
    l->model = m;
    l->sites = shapes ? lora_match(&l->config, m, false, a, e) : NULL;
    l->p = l->sites ? declare_tensors(l->sites, shapes, l->file, a, e) : NULL;
    if (!l->p)
        return err_trail(e, "'%s'", l->folder);
    // ranks are the configuration's word: the file first, then the memory
    const char *path = path_join(a, l->folder, TENSORS);
    if (safetensors_check_params(path, l->p, e) && params_allocate(l->p, 0, e) &&
        safetensors_load_params(path, l->p, NULL, e))
        return true;
    lora_unload(l);
    return false;
}

lora_adapter *lora_load(const char *folder, const model_def *m, arena *a, err *e)
{
    lora_adapter *l = open_folder(folder, a, e);
    return l && bind(l, m, a, e) ? l : NULL;
}

lora_adapter *lora_load_any(const char *folder, arena *a, err *e)
{
    lora_adapter *l = open_folder(folder, a, e);
    const char *meant = l ? meta_get(&l->meta, "model") : NULL;
    if (!l || (meant && !model_find(meant))) {
        if (l)
            (void)err_set(
                e, ERR_MISMATCH,
                "'%s' adapts a model '%s' that this kmidi does not have; see `kmidi models`",
                folder, meant);
        return NULL;
    }
    if (meant) {
        const model_def *m = model_configure(model_find(meant), meta_get(&l->meta, "sizes"), a, e);
        return m && bind(l, m, a, e) ? l : NULL;
    }
    for (int i = 0; i < model_count(); i++)
        if (bind(l, model_at(i), a, NULL))
            return l;
    (void)err_set(e, ERR_MISMATCH, "'%s' fits none of the models; see `kmidi models`", folder);
    return NULL;
}

void lora_unload(lora_adapter *l)
{
    if (l && l->p) {
        params_release(l->p);
        l->p = NULL;
    }
}

// ---- Writing

static void copy_tensor(params *to, int k, const params *from, const char *name)
{
    int at = params_find(from, name);
    CHECK(at >= 0 && shape_same(from->list[at].shape, to->list[k].shape));
    memcpy(params_at(to, k), params_at(from, at), sizeof(float) * (size_t)to->list[k].count);
}

// The configuration goes first and comes back last: half an adapter is none.
static bool write_files(const char *folder, const params *p, const char *config,
                        const model_meta *meta, arena *a, err *e)
{
    const char *path = path_join(a, folder, CONFIG);
    if (!file_make_dirs(folder, e))
        return false;
    if (unlink(path) && file_exists(path))
        return err_errno(e, "cannot replace '%s'", path);
    return safetensors_save_params(path_join(a, folder, TENSORS), p, false, meta, e) &&
           file_write(path, config, strlen(config), e);
}

bool lora_save(const char *folder, const params *p, const adapters *sites, const char *config,
               const model_meta *meta, err *e)
{
    arena a = {.name = "adapter"};
    params *out = declare_tensors(sites, p, NULL, &a, e);
    bool ok = out && params_allocate(out, 0, e);
    for (int i = 0; ok && i < sites->n; i++) {
        copy_tensor(out, 2 * i, p, sites->site[i].a);
        copy_tensor(out, 2 * i + 1, p, sites->site[i].b);
    }
    int at = 2 * sites->n;
    for (int i = 0; ok && i < sites->n; i++)
        if (sites->site[i].m)
            copy_tensor(out, at++, p, sites->site[i].m);
    for (int i = 0; ok && i < sites->n_whole; i++)
        copy_tensor(out, at++, p, sites->whole[i]);
    ok = ok && write_files(folder, out, config, meta, &a, e);
    params_release(out);
    arena_free(&a);
    return ok;
}
