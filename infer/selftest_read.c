// SPDX-License-Identifier: GPL-3.0-or-later
// selftest_read.c: the example that a file carries, as arrays (selftest.h): who runs the file on
// it needs nothing but the file.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "infer/selftest.h"

enum { MOST = 1 << 22 }; // numbers of an array

static bool shape_from(const json *j, onnx_array *x)
{
    *x = (onnx_array){.rank = (int)json_len(j), .n = 1};
    if (json_type(j) != JSON_ARRAY || json_len(j) > ONNX_RANK)
        return false;
    for (int i = 0; i < x->rank; i++) {
        x->dim[i] = json_int(json_at(j, (size_t)i), -1);
        if (x->dim[i] < 0 || (x->dim[i] && x->n > MOST / x->dim[i]))
            return false;
        x->n *= x->dim[i];
    }
    return true;
}

// By one of the formulas that selftest.c writes.
static bool fill_by(const char *formula, onnx_array *x, arena *a)
{
    int below = 0;
    if (sscanf(formula, "i mod %d", &below) == 1 && below > 0) {
        int64_t *k = NEW(a, int64_t, (size_t)x->n + 1);
        for (int64_t i = 0; i < x->n; i++)
            k[i] = i % below;
        x->i = k;
        return true;
    }
    bool wave = !strcmp(formula, SELFTEST_WAVE);
    float *f = NEW(a, float, (size_t)x->n + 1);
    for (int64_t i = 0; i < x->n; i++)
        f[i] = (float)(wave ? selftest_wave(i) : selftest_rising(i));
    x->f = f;
    return wave || !strcmp(formula, SELFTEST_RISING);
}

static bool numbers_from(const json *j, onnx_array *x, arena *a)
{
    float *f = NEW(a, float, json_len(j) + 1);
    int64_t said = (int64_t)json_len(j), due = x->n < SELFTEST_MOST ? x->n : SELFTEST_MOST;
    x->n = said, x->f = f;
    for (int64_t i = 0; i < said; i++) {
        f[i] = (float)json_num(json_at(j, (size_t)i), NAN);
        if (!isfinite(f[i]))
            return false;
    }
    return said == due;
}

static bool ports_from(const json *list, bool in, onnx_named *ports, int *n, arena *a)
{
    *n = (int)json_len(list);
    if (json_type(list) != JSON_ARRAY || json_len(list) < 1 || json_len(list) > SELFTEST_PORTS)
        return false;
    for (int i = 0; i < *n; i++) {
        const json *j = json_at(list, (size_t)i);
        ports[i].name = arena_strdup(a, json_str(json_get(j, "name"), ""));
        if (!shape_from(json_get(j, "shape"), &ports[i].x) ||
            !(in ? fill_by(json_str(json_get(j, "value"), ""), &ports[i].x, a)
                 : numbers_from(json_get(j, "values"), &ports[i].x, a)))
            return false;
    }
    return true;
}

bool selftest_read(const model_meta *meta, const char *path, arena *a, selftest_example *x, err *e)
{
    const char *text = meta_get(meta, "selftest");
    if (!text)
        return err_set(e, ERR_EMPTY, "'%s' carries no example of itself", path);
    json *j = json_parse(text, strlen(text), NULL);
    x->tolerance = json_num(json_get(j, "tolerance"), 0);
    bool ok = ports_from(json_get(j, "inputs"), true, x->in, &x->n_in, a) &&
              ports_from(json_get(j, "outputs"), false, x->out, &x->n_out, a) && x->tolerance > 0;
    json_free(j);
    return ok || err_set(e, ERR_DAMAGED,
                         "'%s': its 'selftest' is not an example as kmidi writes it", path);
}
