// SPDX-License-Identifier: GPL-3.0-or-later
// loud.c: see loud.h.
#include "tests/infer/loud.h"

#include "tests/test.h"

params *loud_params(const model_def *m, arena *a)
{
    err e = {0};
    params *p = params_open(a);
    EXPECT_OK(model_build(m, p, &(model_dims){.batch = 1, .time = 1}, a, &e) &&
                  params_allocate(p, 0, &e),
              e);
    params_init(p, 3);
    for (int i = 0; i < p->n; i++)
        for (int64_t k = 0; k < p->list[i].count; k++)
            params_at(p, i)[k] *= 3;
    return p;
}
