// SPDX-License-Identifier: GPL-3.0-or-later
// params.c: the table, the flat buffers, PyTorch's initialisation, the fingerprint.
#include "autograd/params.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/rng.h"
#include "base/str.h"

enum { ALIGN = 16 }; // elements: parameters start on 64-byte lines

int64_t params_padded(int64_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

params *params_open(arena *a)
{
    params *p = NEW(a, params, 1);
    p->arena = a;
    return p;
}

int params_find(const params *p, const char *name)
{
    for (int i = 0; i < p->n; i++)
        if (!strcmp(p->list[i].name, name))
            return i;
    return -1;
}

static void params_grow(params *p)
{
    int cap = p->cap ? 2 * p->cap : 32;
    param *wider = NEW(p->arena, param, (size_t)cap);
    if (p->n)
        memcpy(wider, p->list, sizeof *wider * (size_t)p->n);
    p->list = wider;
    p->cap = cap;
}

int params_declare(params *p, const char *name, shape s, init how, err *e)
{
    int i = params_find(p, name);
    if (i >= 0) {
        char a[64], b[64];
        if (shape_same(p->list[i].shape, s))
            return i;
        (void)err_set(e, ERR_SHAPE, "parameter '%s' is declared as %s and as %s", name,
                      shape_text(p->list[i].shape, a), shape_text(s, b));
        return -1;
    }
    if (p->weights) {
        (void)err_set(e, ERR_SHAPE, "parameter '%s' is not one of this model", name);
        return -1;
    }
    if (p->n == p->cap)
        params_grow(p);
    p->list[p->n] = (param){.name = arena_strdup(p->arena, name),
                            .shape = s,
                            .init = how,
                            .trainable = true,
                            .counted = true,
                            .count = shape_count(s),
                            .goffset = -1};
    return p->n++;
}

int params_declare_buffer(params *p, const char *name, shape s, init how, err *e)
{
    int before = p->n, i = params_declare(p, name, s, how, e);
    if (i == before)
        p->list[i].buffer = true, p->list[i].trainable = p->list[i].counted = false;
    if (i < 0 || p->list[i].buffer)
        return i;
    (void)err_set(e, ERR_SHAPE, "'%s' is declared as a parameter and as a buffer", name);
    return -1;
}

int64_t params_count(const params *p, bool trainable_only)
{
    int64_t n = 0;
    for (int i = 0; i < p->n; i++)
        if (trainable_only ? p->list[i].trainable : p->list[i].counted)
            n += p->list[i].count;
    return n;
}

// Elements of all parameters, or of the trainable ones, each padded to a line.
static int64_t flat_length(const params *p, bool trainable_only)
{
    int64_t n = 0;
    for (int i = 0; i < p->n; i++)
        if (!trainable_only || p->list[i].trainable)
            n += params_padded(p->list[i].count);
    return n;
}

void params_layout(params *p)
{
    p->weights_len = p->grads_len = 0;
    for (int i = 0; i < p->n; i++) {
        param *q = &p->list[i];
        q->offset = p->weights_len;
        p->weights_len += params_padded(q->count);
        q->goffset = q->trainable ? p->grads_len : -1;
        if (q->trainable)
            p->grads_len += params_padded(q->count);
    }
}

uint64_t params_bytes(const params *p, int n_moments)
{
    return sizeof(float) *
           (uint64_t)(flat_length(p, false) + (1 + n_moments) * flat_length(p, true));
}

bool params_allocate(params *p, int n_moments, err *e)
{
    CHECK(!p->weights && n_moments <= PARAMS_MOMENTS);
    params_layout(p);
    p->n_moments = n_moments;
    p->weights = base_pages(sizeof(float) * (size_t)(p->weights_len + 1));
    p->grads = base_pages(sizeof(float) * (size_t)(p->grads_len + 1));
    bool ok = p->weights && p->grads;
    for (int i = 0; i < n_moments; i++) {
        p->moment[i] = base_pages(sizeof(float) * (size_t)(p->grads_len + 1));
        ok = ok && p->moment[i];
    }
    if (ok)
        return true;
    uint64_t bytes = params_bytes(p, n_moments);
    params_release(p);
    return err_set(e, ERR_MEMORY,
                   "no memory for %llu bytes of parameters and moments; close other programs or "
                   "take a smaller model",
                   (unsigned long long)bytes);
}

void params_release(params *p)
{
    if (!p)
        return;
    base_pages_free(p->weights, sizeof(float) * (size_t)(p->weights_len + 1));
    base_pages_free(p->grads, sizeof(float) * (size_t)(p->grads_len + 1));
    for (int i = 0; i < p->n_moments; i++)
        base_pages_free(p->moment[i], sizeof(float) * (size_t)(p->grads_len + 1));
    p->weights = p->grads = NULL;
    memset(p->moment, 0, sizeof p->moment);
}

int64_t params_buffers(const params *p)
{
    int64_t n = 0;
    for (int i = 0; i < p->n; i++)
        n += p->list[i].buffer ? p->list[i].count : 0;
    return n;
}

int64_t params_unsound(const param *q, const float *x)
{
    bool variance = str_ends(q->name, "running_var");
    for (int64_t i = 0; q->buffer && i < q->count; i++)
        if (!isfinite(x[i]) || (variance && x[i] < 0))
            return i;
    return -1;
}

void params_keep_buffers(const params *p, float *to)
{
    for (int i = 0; i < p->n; i++)
        if (p->list[i].buffer) {
            memcpy(to, params_at(p, i), sizeof *to * (size_t)p->list[i].count);
            to += p->list[i].count;
        }
}

void params_restore_buffers(params *p, const float *from)
{
    for (int i = 0; i < p->n; i++)
        if (p->list[i].buffer) {
            memcpy(params_at(p, i), from, sizeof *from * (size_t)p->list[i].count);
            from += p->list[i].count;
        }
}

static void param_draw(const param *q, float *w, uint64_t seed)
{
    rng r = rng_stream(seed, q->name, 0);
    for (int64_t i = 0; i < q->count; i++)
        switch (q->init.kind) {
        case INIT_ZERO:
            w[i] = 0;
            break;
        case INIT_ONE:
            w[i] = 1;
            break;
        case INIT_UNIFORM:
            w[i] = (2 * rng_uniform(r, 0, (uint32_t)i) - 1) * q->init.scale;
            break;
        case INIT_NORMAL:
            w[i] = (float)(rng_normal(r, 0, (uint32_t)i) * q->init.scale);
            break;
        }
}

void params_init(params *p, uint64_t seed)
{
    for (int i = 0; i < p->n; i++)
        param_draw(&p->list[i], params_at(p, i), seed);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const param *const *)a)->name, (*(const param *const *)b)->name);
}

void params_fingerprint(const params *p, char hex[65])
{
    const param **sorted = base_checked(malloc(sizeof *sorted * (size_t)(p->n + 1)),
                                        sizeof *sorted * (size_t)(p->n + 1));
    int n = 0;
    for (int i = 0; i < p->n; i++)
        if (p->list[i].counted || p->list[i].buffer)
            sorted[n++] = &p->list[i];
    qsort(sorted, (size_t)n, sizeof *sorted, by_name);
    digest *d = digest_open();
    for (int i = 0; i < n; i++) {
        char s[64];
        digest_add_str(d, sorted[i]->name);
        digest_add_str(d, shape_text(sorted[i]->shape, s));
        digest_add_str(d, "f32");
        digest_add(d, p->weights + sorted[i]->offset, sizeof(float) * (size_t)sorted[i]->count);
    }
    digest_close(d, hex);
    free(sorted);
}
