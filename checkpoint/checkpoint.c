// SPDX-License-Identifier: GPL-3.0-or-later
// checkpoint.c: the HDF5 file of a run, found, opened with suspicion, and what it says of itself.
#include "checkpoint/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/str.h"
#include "base/version.h"
#include "checkpoint/checkpoint_internal.h"
#include "lora/lora.h"
#include "lora/merge.h"

static bool read_text(h5 *f, const char *name, arena *a, const char **value, err *e)
{
    char **list;
    uint64_t n;
    if (!h5_read_texts(f, name, a, &list, &n, e))
        return false;
    *value = n ? list[0] : "";
    return n == 1 || err_set(e, ERR_DAMAGED, "'%s' holds %llu texts where one belongs", name,
                             (unsigned long long)n);
}

static bool read_about(checkpoint *k, arena *a, err *e)
{
    char **names;
    size_t n;
    k->meta.arena = a;
    if (!h5_has(k->file, "meta/about"))
        return true;
    if (!h5_list(k->file, "meta/about", a, &names, &n, e))
        return false;
    for (size_t i = 0; i < n; i++) {
        const char *value;
        if (!read_text(k->file, arena_printf(a, "meta/about/%s", names[i]), a, &value, e))
            return false;
        meta_set(&k->meta, names[i], value);
    }
    return true;
}

// The model of that name, of the sizes that the checkpoint says.
static bool find_model(checkpoint *k, const char *name, arena *a, err *e)
{
    k->model = model_find(name);
    if (!k->model)
        return err_set(e, ERR_FORMAT,
                       "'%s' holds a model '%s' that this kmidi does not have; see `kmidi models`",
                       k->path, name);
    k->model = model_configure(k->model, meta_get(&k->meta, CHECKPOINT_SIZES), a, e);
    if (!k->model) {
        if (e)
            e->code = ERR_DAMAGED;
        return err_trail(e, "'%s'", k->path);
    }
    return true;
}

// As many as the probe tells apart; 0 without one.
static bool count_classes(checkpoint *k, err *e)
{
    h5_shape s;
    if (!h5_has(k->file, "params/probe.weight"))
        return true;
    if (!h5_stat(k->file, "params/probe.weight", &s, e))
        return false;
    if (s.rank != 2 || s.dim[0] < 1 || s.dim[0] > 65536)
        return err_set(e, ERR_DAMAGED, "'%s': the probe's shape makes no sense", k->path);
    k->classes = (int)s.dim[0];
    return true;
}

static bool read_front(checkpoint *k, arena *a, err *e)
{
    char *format;
    int64_t version;
    const char *model;
    if (!h5_get_text(k->file, "/", "format", a, &format, NULL) || strcmp(format, CHECKPOINT_FORMAT))
        return !h5_lost(k->file, e) &&
               err_set(e, ERR_FORMAT, "'%s' is an HDF5 file but not a checkpoint of kmidi",
                       k->path);
    if (!h5_get_int(k->file, "/", "format_version", &version, e))
        return false;
    if (version != CHECKPOINT_VERSION)
        return err_set(
            e, ERR_FORMAT,
            "'%s' is a checkpoint of format %lld, this kmidi reads %d; use the kmidi that wrote it",
            k->path, (long long)version, CHECKPOINT_VERSION);
    if (!read_text(k->file, "meta/model", a, &model, e) ||
        !read_text(k->file, "meta/config", a, &k->config, e) || !read_about(k, a, e) ||
        !checkpoint_state_read(k, e))
        return false;
    if (!find_model(k, model, a, e))
        return false;
    k->has_ema = h5_has(k->file, "ema");
    k->adapter = h5_has(k->file, "lora") ? meta_get(&k->meta, "adapter") : NULL;
    if (h5_has(k->file, "lora") && !k->adapter)
        return err_set(e, ERR_DAMAGED, "'%s' holds adapters but does not say what they adapt",
                       k->path);
    return count_classes(k, e) && !h5_lost(k->file, e);
}

static bool is_damage(err_code code)
{
    return code == ERR_DAMAGED || code == ERR_FORMAT || code == ERR_SHAPE;
}

static bool intact(const char *path)
{
    h5 *f = h5_open(path, NULL);
    size_t n;
    bool ok = f && h5_has(f, "state/step") && h5_verify(f, &n, NULL);
    h5_close(f);
    return ok;
}

// The newest other checkpoint of the folder that is whole, for the sentence about a damaged one.
static const char *offer(const char *path, arena *a)
{
    size_t n;
    char **list = file_list(a, path_dir(a, path), "*.h5", &n);
    while (n) {
        size_t newest = 0;
        struct stat best = {0}, s;
        for (size_t i = 0; i < n; i++)
            if (!stat(list[i], &s) && (s.st_mtime > best.st_mtime || !best.st_mtime))
                best = s, newest = i;
        char *candidate = list[newest];
        list[newest] = list[--n];
        if (strcmp(path_base(candidate), path_base(path)) && intact(candidate))
            return candidate;
    }
    return NULL;
}

void checkpoint_explain(const char *path, err *e)
{
    if (!e || !is_damage(e->code))
        return;
    arena a = {.name = "checkpoints"};
    const char *other = offer(path, &a);
    err inner = *e;
    err_set(e, inner.code, "%s; %s%s%s", inner.text,
            other ? "the newest intact checkpoint beside it is '"
                  : "there is no intact checkpoint beside it",
            other ? other : "", other ? "'" : "");
    arena_free(&a);
}

checkpoint *checkpoint_open(const char *path, arena *a, err *e)
{
    checkpoint *k = NEW(a, checkpoint, 1);
    k->path = arena_strdup(a, path);
    k->file = h5_open(path, e);
    if (k->file && read_front(k, a, e))
        return k;
    checkpoint_close(k);
    checkpoint_explain(path, e);
    return NULL;
}

void checkpoint_close(checkpoint *k)
{
    if (k)
        h5_close(k->file), k->file = NULL;
}

static bool is_folder(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

char *checkpoint_find(arena *a, const char *run_or_file, const char *name, err *e)
{
    if (!is_folder(run_or_file)) {
        if (file_exists(run_or_file))
            return arena_strdup(a, run_or_file);
        (void)err_set(e, ERR_MISSING, "'%s' is neither a checkpoint nor a run folder", run_or_file);
        return NULL;
    }
    char *path = arena_printf(a, "%s/checkpoints/%s.h5", run_or_file, name);
    char *last = arena_printf(a, "%s/checkpoints/last.h5", run_or_file);
    if (!file_exists(path) && !strcmp(name, "best"))
        path = last; // a run without validation data has no best
    if (file_exists(path))
        return path;
    size_t n;
    strbuf there = {0};
    char **list = file_list(a, path_join(a, run_or_file, "checkpoints"), "*.h5", &n);
    for (size_t i = 0; i < n; i++)
        strbuf_printf(&there, "%s%s", i ? ", " : "", path_base(list[i]));
    (void)err_set(e, ERR_MISSING, "'%s' is not there; that folder has %s", path,
                  there.s ? there.s : "no checkpoints");
    strbuf_free(&there);
    return NULL;
}
