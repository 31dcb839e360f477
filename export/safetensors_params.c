// SPDX-License-Identifier: GPL-3.0-or-later
// safetensors_params.c: a model's parameters in a file of this kind (weights.h).
#include "export/safetensors.h"

static bool read_of(void *of, int i, float *out, err *e)
{
    return safetensors_read(of, i, out, e);
}

static bool verify_of(void *of, err *e)
{
    return safetensors_verify(of, e);
}

static void close_of(void *of)
{
    safetensors_close(of);
}

weights *safetensors_weights(const char *path, arena *a, err *e)
{
    safetensors *s = safetensors_open(path, a, e);
    if (!s)
        return NULL;
    weights *w = NEW(a, weights, 1);
    weights_index *x = NEW(a, weights_index, 1);
    *x = *safetensors_listing(s);
    *w = (weights){arena_strdup(a, path), x, s, read_of, verify_of, close_of};
    return w;
}

bool safetensors_check_params(const char *path, const params *p, err *e)
{
    arena a = {.name = "safetensors"};
    weights *w = safetensors_weights(path, &a, e);
    bool ok = w && weights_check(w, p, e);
    weights_close(w);
    arena_free(&a);
    return ok;
}

bool safetensors_load_params(const char *path, params *p, int *converted, err *e)
{
    arena a = {.name = "safetensors"};
    weights *w = safetensors_weights(path, &a, e);
    bool ok = w && weights_load(w, p, converted, e);
    weights_close(w);
    arena_free(&a);
    return ok;
}

bool safetensors_save_params(const char *path, const params *p, bool probe, const model_meta *meta,
                             err *e)
{
    arena a = {.name = "safetensors"};
    int n;
    weights_source *list = weights_sources(p, probe, &a, &n);
    bool ok = safetensors_write(path, list, n, meta, e);
    arena_free(&a);
    return ok;
}
