// SPDX-License-Identifier: GPL-3.0-or-later
// checkpoint.c: the HDF5 file of a run, written whole and read with suspicion.
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

static const char FORMAT[] = "kmidi-checkpoint";
// what model_configure reads, of a model whose sizes are options
static const char SIZES[] = "sizes";

static h5_shape one(h5_type type)
{
    return (h5_shape){type, 1, {1}};
}

static h5_shape shape_of_param(const param *q)
{
    h5_shape s = {.type = H5_F32, .rank = q->shape.rank};
    for (int i = 0; i < s.rank; i++)
        s.dim[i] = (uint64_t)q->shape.d[i];
    return s;
}

// Write

static bool write_text(h5 *f, const char *group, const char *key, const char *value, err *e)
{
    char name[300];
    snprintf(name, sizeof name, "%s/%s", group, key);
    return h5_write(f, name, one(H5_TEXT), &value, e);
}

static bool write_meta(h5 *f, const checkpoint_content *c, err *e)
{
    if (!h5_set_text(f, "/", "format", FORMAT, e) ||
        !h5_set_int(f, "/", "format_version", CHECKPOINT_VERSION, e) ||
        !h5_set_text(f, "/", "model", c->model->name, e))
        return false;
    if (!write_text(f, "meta", "model", c->model->name, e) ||
        !write_text(f, "meta", "config", c->config ? c->config : "", e) ||
        !write_text(f, "meta", "revision", version_revision(), e))
        return false;
    arena a = {.name = "sizes"};
    bool ok =
        !c->model->n_options || write_text(f, "meta/about", SIZES, model_sizes(c->model, &a), e);
    arena_free(&a);
    if (!ok)
        return false;
    for (int i = 0; c->meta && i < c->meta->n; i++)
        if (strcmp(c->meta->keys[i], SIZES) &&
            !write_text(f, "meta/about", c->meta->keys[i], c->meta->values[i], e))
            return false;
    return true;
}

static const char *group_of(const param *q)
{
    return q->adapter ? "lora" : q->buffer ? "buffers" : "params";
}

// One dataset a parameter under `group` (NULL: its own): from the weights' layout, or the
// gradient's (trainable ones only).
static bool write_params(h5 *f, const char *group, const params *p, const float *data,
                         bool gradient_layout, err *e)
{
    for (int i = 0; i < p->n; i++) {
        const param *q = &p->list[i];
        char name[300];
        snprintf(name, sizeof name, "%s/%s", group ? group : group_of(q), q->name);
        int64_t offset = gradient_layout ? q->goffset : q->offset;
        if (offset >= 0 && !h5_write(f, name, shape_of_param(q), data + offset, e))
            return false;
    }
    return true;
}

static bool write_all(h5 *f, const checkpoint_content *c, err *e)
{
    char group[32];
    if (!write_meta(f, c, e) || !write_params(f, NULL, c->params, c->params->weights, false, e))
        return false;
    for (int m = 0; c->state && m < c->params->n_moments; m++) {
        snprintf(group, sizeof group, "optim/moment%d", m + 1);
        if (!write_params(f, group, c->params, c->params->moment[m], true, e))
            return false;
    }
    if (c->ema && !write_params(f, "ema", c->params, c->ema, true, e))
        return false;
    return !c->state || checkpoint_state_write(f, c->state, e);
}

bool checkpoint_save(const char *path, const checkpoint_content *c, err *e)
{
    h5 *f = h5_create(path, e);
    if (!f)
        return false;
    if (write_all(f, c, e))
        return h5_commit(f, e);
    h5_abandon(f);
    return false;
}

// Read

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

static bool read_front(checkpoint *k, arena *a, err *e)
{
    char *format;
    int64_t version;
    const char *model;
    if (!h5_get_text(k->file, "/", "format", a, &format, NULL) || strcmp(format, FORMAT))
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
    k->model = model_find(model);
    if (!k->model)
        return err_set(e, ERR_FORMAT,
                       "'%s' holds a model '%s' that this kmidi does not have; see `kmidi models`",
                       k->path, model);
    k->model = model_configure(k->model, meta_get(&k->meta, SIZES), a, e);
    if (!k->model) {
        if (e)
            e->code = ERR_DAMAGED;
        return err_trail(e, "'%s'", k->path);
    }
    k->has_ema = h5_has(k->file, "ema");
    k->adapter = h5_has(k->file, "lora") ? meta_get(&k->meta, "adapter") : NULL;
    if (h5_has(k->file, "lora") && !k->adapter)
        return err_set(e, ERR_DAMAGED, "'%s' holds adapters but does not say what they adapt",
                       k->path);
    h5_shape s;
    if (h5_has(k->file, "params/probe.weight")) {
        if (!h5_stat(k->file, "params/probe.weight", &s, e))
            return false;
        if (s.rank != 2 || s.dim[0] < 1 || s.dim[0] > 65536)
            return err_set(e, ERR_DAMAGED, "'%s': the probe's shape makes no sense", k->path);
        k->classes = (int)s.dim[0];
    }
    return !h5_lost(k->file, e);
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

static void explain(const char *path, err *e)
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
    explain(path, e);
    return NULL;
}

void checkpoint_close(checkpoint *k)
{
    if (k)
        h5_close(k->file), k->file = NULL;
}

// The dataset of parameter q in `group` into `to`.
static bool read_param(checkpoint *k, const char *group, const param *q, float *to, err *e)
{
    char name[300];
    snprintf(name, sizeof name, "%s/%s", group, q->name);
    if (!h5_has(k->file, name))
        return err_set(e, ERR_MISMATCH, "'%s' has no '%s', which %s needs", k->path, name,
                       k->model->name);
    return h5_read(k->file, name, shape_of_param(q), to, e);
}

// A parameter that the model itself does not count may be missing or of another shape.
static bool skippable(checkpoint *k, const param *q)
{
    char name[300];
    h5_shape have, want = shape_of_param(q);
    snprintf(name, sizeof name, "params/%s", q->name);
    if (q->counted || q->buffer)
        return false;
    return !h5_has(k->file, name) || !h5_stat(k->file, name, &have, NULL) ||
           have.rank != want.rank ||
           memcmp(have.dim, want.dim, sizeof *want.dim * (size_t)want.rank);
}

// The whole file is checked, moments too, although weights alone are wanted: a turned bit anywhere
// says that the disk or the copy is bad.
static bool check_whole(checkpoint *k, err *e)
{
    size_t n;
    if (h5_verify(k->file, &n, e))
        return true;
    explain(k->path, e);
    return false;
}

// Of a parameter's two values, the one that is for use.
static const char *group_for_use(checkpoint *k, const param *q, bool shadow)
{
    char name[300];
    snprintf(name, sizeof name, "ema/%s", q->name);
    return shadow && k->has_ema && h5_has(k->file, name) ? "ema" : group_of(q);
}

typedef struct reading {
    bool shadow; // EMA weights where there are some
    bool begin;  // what is not the model's own may be missing, and adapters are left as they are
} reading;

static bool read_each(checkpoint *k, params *p, reading how, err *e)
{
    for (int i = 0; i < p->n; i++) {
        const param *q = &p->list[i];
        if (how.begin && (q->adapter || skippable(k, q)))
            continue;
        if (!read_param(k, group_for_use(k, q, how.shadow), q, params_at(p, i), e))
            return false;
    }
    return true;
}

// Adds the file's adapters to the weights that they adapt.
static bool merge_adapters(checkpoint *k, params *p, bool shadow, err *e)
{
    arena a = {.name = "adapters"};
    lora_config c;
    const char *text = k->adapter;
    const adapters *l = lora_config_read(k->path, text, strlen(text), &a, &c, e)
                            ? lora_match(&c, k->model, false, &a, e)
                            : NULL;
    bool ok = l != NULL;
    for (int i = 0; ok && i < l->n; i++) {
        const adapter_site *s = &l->site[i];
        int at = params_find(p, s->weight);
        const param *w = &p->list[at];
        param qa = {.name = s->a, .shape = shape_of(2, s->rank, w->shape.d[1]), .adapter = true},
              qb = qa;
        qb.name = s->b, qb.shape = shape_of(2, w->shape.d[0], s->rank);
        float *fa = NEW(&a, float, (size_t)shape_count(qa.shape)),
              *fb = NEW(&a, float, (size_t)shape_count(qb.shape));
        ok = read_param(k, group_for_use(k, &qa, shadow), &qa, fa, e) &&
             read_param(k, group_for_use(k, &qb, shadow), &qb, fb, e);
        if (ok)
            lora_add(params_at(p, at), w->shape.d[0], w->shape.d[1],
                     &(lora_factors){fa, fb, s->rank, (double)s->scale}, 1);
    }
    arena_free(&a);
    return ok;
}

static bool has_adapters(const params *p)
{
    bool any = false;
    for (int i = 0; i < p->n; i++)
        any = any || p->list[i].adapter;
    return any;
}

static bool read_weights(checkpoint *k, params *p, reading how, err *e)
{
    bool merge = k->adapter && (how.begin || !has_adapters(p));
    if (!check_whole(k, e))
        return false;
    if (read_each(k, p, how, e) && (!merge || merge_adapters(k, p, how.shadow, e)))
        return true;
    explain(k->path, e);
    return false;
}

bool checkpoint_weights(checkpoint *k, params *p, err *e)
{
    return read_weights(k, p, (reading){.shadow = true}, e);
}

bool checkpoint_start(checkpoint *k, params *p, err *e)
{
    return read_weights(k, p, (reading){.shadow = true, .begin = true}, e);
}

// Training ends where a number is not finite, so it saved none; nor a second moment, a mean of
// squares, below 0.
static bool all_finite(const checkpoint *k, const char *group, const param *q, const float *x,
                       err *e)
{
    float sum = 0, least = 0;
    for (int64_t i = 0; i < q->count; i++)
        sum += x[i] * 0, least = x[i] < least ? x[i] : least;
    bool square = !strcmp(group, "optim/moment2");
    return (sum == 0 && (!square || least >= 0)) ||
           err_set(e, ERR_DAMAGED, "'%s': '%s/%s' holds numbers that are %s; no run wrote that",
                   k->path, group, q->name, sum == 0 ? "below 0" : "not finite");
}

static bool read_trainable(checkpoint *k, const char *group, const params *p, float *to, err *e)
{
    for (int i = 0; i < p->n; i++) {
        const param *q = &p->list[i];
        if (q->goffset >= 0 && (!read_param(k, group, q, to + q->goffset, e) ||
                                !all_finite(k, group, q, to + q->goffset, e))) {
            explain(k->path, e);
            return false;
        }
    }
    return true;
}

static bool weights_finite(checkpoint *k, const params *p, err *e)
{
    for (int i = 0; i < p->n; i++)
        if (!all_finite(k, group_of(&p->list[i]), &p->list[i], params_at(p, i), e)) {
            explain(k->path, e);
            return false;
        }
    return true;
}

bool checkpoint_resume(checkpoint *k, params *p, float *ema, err *e)
{
    if (!k->has_state)
        return err_set(
            e, ERR_MISMATCH,
            "'%s' holds weights but no state of a run; begin a new run with init_from=%s", k->path,
            str_quoted(k->meta.arena, k->path));
    if (!read_weights(k, p, (reading){0}, e) || !weights_finite(k, p, e))
        return false;
    for (int m = 0; m < p->n_moments; m++) {
        char group[32];
        snprintf(group, sizeof group, "optim/moment%d", m + 1);
        if (!read_trainable(k, group, p, p->moment[m], e))
            return false;
    }
    return !ema || read_trainable(k, "ema", p, ema, e);
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
