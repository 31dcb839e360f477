// SPDX-License-Identifier: GPL-3.0-or-later
// filled.c: weights that the goldens have (filled.h).
#include "tests/export/filled.h"

#include <math.h>
#include <string.h>

#include "tests/test.h"

params *filled_params(const model_def *m, arena *a)
{
    err e = {0};
    params *p = params_open(a);
    network *n = model_build(
        m, p, &(model_dims){.batch = 1, .time = 2, .classes = m->probe ? FILLED_CLASSES : 0}, a,
        &e);
    if (!test_expect(n && params_allocate(p, 0, &e), __FILE__, __LINE__, "%s: %s", m->name, e.text))
        return NULL;
    for (int i = 0; i < p->n; i++) {
        const param *q = &p->list[i];
        float *to = params_at(p, i),
              scale = 1 / sqrtf(q->shape.rank ? (float)q->shape.d[q->shape.rank - 1] : 1);
        for (int64_t k = 0; k < q->count; k++)
            to[k] = test_fill(100 + (uint32_t)i, (uint32_t)k, scale);
        for (int64_t k = 0; strstr(q->name, "running_var") && k < q->count; k++)
            to[k] = 0.5f + fabsf(to[k]); // a variance
    }
    return p;
}

onnx_options filled_options(const model_def *m)
{
    return (onnx_options){.classes = m->probe ? FILLED_CLASSES : 0, .probabilities = m->probe};
}
