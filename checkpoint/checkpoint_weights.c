// SPDX-License-Identifier: GPL-3.0-or-later
// checkpoint_weights.c: arrays of a checkpoint into parameters: to use them, to begin from them, to
// go on.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "checkpoint/checkpoint_internal.h"
#include "lora/lora.h"
#include "lora/merge.h"

h5_shape checkpoint_shape(const param *q)
{
    h5_shape s = {.type = H5_F32, .rank = q->shape.rank};
    for (int i = 0; i < s.rank; i++)
        s.dim[i] = (uint64_t)q->shape.d[i];
    return s;
}

const char *checkpoint_group(const param *q)
{
    return q->adapter ? "lora" : q->buffer ? "buffers" : "params";
}

// Statistics that are no numbers would turn all that they norm into none, silently.
static bool check_buffer(const checkpoint *k, const param *q, const float *x, err *e)
{
    int64_t i = params_unsound(q, x);
    return i < 0 || err_set(e, ERR_VALUE,
                            "'%s': element %" PRId64
                            " of '%s' is %g, which no statistic is; take an earlier "
                            "checkpoint",
                            k->path, i, q->name, (double)x[i]);
}

// The dataset of parameter q in `group` into `to`.
static bool read_param(checkpoint *k, const char *group, const param *q, float *to, err *e)
{
    char name[300];
    snprintf(name, sizeof name, "%s/%s", group, q->name);
    if (!h5_has(k->file, name))
        return err_set(e, ERR_MISMATCH, "'%s' has no '%s', which %s needs", k->path, name,
                       k->model->name);
    return h5_read(k->file, name, checkpoint_shape(q), to, e) && check_buffer(k, q, to, e);
}

// A parameter that the model itself does not count may be missing or of another shape.
static bool skippable(checkpoint *k, const param *q)
{
    char name[300];
    h5_shape have, want = checkpoint_shape(q);
    snprintf(name, sizeof name, "params/%s", q->name);
    if (q->counted || q->buffer)
        return false;
    return !h5_has(k->file, name) || !h5_stat(k->file, name, &have, NULL) ||
           have.rank != want.rank ||
           memcmp(have.dim, want.dim, sizeof *want.dim * (size_t)want.rank);
}

// The whole file is checked, moments too, although weights alone are wanted: a flipped bit anywhere
// says that the disk or the copy is bad.
static bool check_whole(checkpoint *k, err *e)
{
    size_t n;
    if (h5_verify(k->file, &n, e))
        return true;
    checkpoint_explain(k->path, e);
    return false;
}

// Of a parameter's two values, the one that is for use.
static const char *group_for_use(checkpoint *k, const param *q, bool shadow)
{
    char name[300];
    snprintf(name, sizeof name, "ema/%s", q->name);
    return shadow && k->has_ema && h5_has(k->file, name) ? "ema" : checkpoint_group(q);
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

// The adapter's parameter `name`; NULL: `e` says what is wrong.
static float *read_factor(checkpoint *k, const char *name, shape s, bool shadow, arena *a, err *e)
{
    const param q = {.name = name, .shape = s, .count = shape_count(s), .adapter = true};
    float *x = NEW(a, float, (size_t)q.count);
    return read_param(k, group_for_use(k, &q, shadow), &q, x, e) ? x : NULL;
}

static bool merge_site(checkpoint *k, params *p, const adapter_site *s, bool shadow, arena *a,
                       err *e)
{
    int at = params_find(p, s->weight);
    const param *w = &p->list[at];
    lora_factors f = {.from = k->path, .rank = s->rank, .scale = (double)s->scale, .weight = 1};
    return (f.a = read_factor(k, s->a, adapter_a(w->shape, s->rank), shadow, a, e)) &&
           (f.b = read_factor(k, s->b, adapter_b(w->shape, s->rank), shadow, a, e)) &&
           (!s->m || (f.m = read_factor(k, s->m, adapter_m(w->shape), shadow, a, e))) &&
           lora_add(lora_matrix_of(p, at), &f, 1, e);
}

// What the file's adapters adapt; NULL: `e` says what is wrong.
static const adapters *sites_of(checkpoint *k, arena *a, err *e)
{
    lora_config c;
    const char *text = k->adapter;
    return lora_config_read(k->path, text, strlen(text), a, &c, e)
               ? lora_match(&c, k->model, false, a, e)
               : NULL;
}

// Adds the file's adapters to the weights that they adapt.
static bool merge_adapters(checkpoint *k, params *p, const adapters *l, bool shadow, arena *a,
                           err *e)
{
    bool ok = true;
    for (int i = 0; ok && i < l->n; i++)
        ok = merge_site(k, p, &l->site[i], shadow, a, e);
    return ok;
}

static bool has_adapters(const params *p)
{
    bool any = false;
    for (int i = 0; i < p->n; i++)
        any = any || p->list[i].adapter;
    return any;
}

// `name` has its place: in `p`, among the factors that are merged, or in a probe that a new run
// does without.
static bool has_place(const params *p, const adapters *merged, bool begin, const char *name)
{
    bool has = params_find(p, name) >= 0 || (begin && str_starts(name, "probe."));
    for (int i = 0; !has && merged && i < merged->n; i++) {
        const adapter_site *s = &merged->site[i];
        has = !strcmp(name, s->a) || !strcmp(name, s->b) || (s->m && !strcmp(name, s->m));
    }
    return has;
}

// What a network has no place for would be left out of what it computes, without a word.
static bool check_names(checkpoint *k, const params *p, const adapters *merged, bool begin,
                        arena *a, err *e)
{
    static const char *const groups[] = {"params", "buffers", "lora", "ema"};
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        char **names;
        size_t n;
        if (!h5_has(k->file, groups[g]))
            continue;
        if (!h5_list(k->file, groups[g], a, &names, &n, e))
            return false;
        for (size_t i = 0; i < n; i++)
            if (!has_place(p, merged, begin, names[i]))
                return err_set(e, ERR_MISMATCH,
                               "'%s' has '%s/%s', for which %s has no place: it is of another "
                               "network; use the kmidi that wrote it, or another checkpoint",
                               k->path, groups[g], names[i], k->model->name);
    }
    return true;
}

static bool read_weights(checkpoint *k, params *p, reading how, err *e)
{
    arena a = {.name = "weights"};
    bool merge = k->adapter && (how.begin || !has_adapters(p)), ok = check_whole(k, e);
    if (ok) {
        const adapters *l = merge ? sites_of(k, &a, e) : NULL;
        ok = (l || !merge) && check_names(k, p, l, how.begin, &a, e) && read_each(k, p, how, e) &&
             (!merge || merge_adapters(k, p, l, how.shadow, &a, e));
        if (!ok)
            checkpoint_explain(k->path, e);
    }
    arena_free(&a);
    return ok;
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
            checkpoint_explain(k->path, e);
            return false;
        }
    }
    return true;
}

static bool weights_finite(checkpoint *k, const params *p, err *e)
{
    for (int i = 0; i < p->n; i++)
        if (!all_finite(k, checkpoint_group(&p->list[i]), &p->list[i], params_at(p, i), e)) {
            checkpoint_explain(k->path, e);
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
