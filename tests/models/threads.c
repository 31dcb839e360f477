// SPDX-License-Identifier: GPL-3.0-or-later
// threads.c: loss and gradients of every model have the same bits on one, two and three threads.
#include <string.h>

#include "tests/models/small_model.h"
#include "tests/models/step.h"
#include "tests/test.h"

TEST(models_do_not_depend_on_threads)
{
    err e = {0};
    threads *pool = threads_open(3, &e);
    EXPECT_OK(pool != NULL, e);
    for (int i = 0; pool && model_at(i); i++) {
        arena a = {.name = "threads"};
        params *p = params_open(&a);
        const model_def *m = small_model(i, &a);
        float loss = step_model(m, p, pool, 1, PRECISION_FP32);
        float *one = NEW(&a, float, (size_t)p->grads_len);
        memcpy(one, p->grads, sizeof *one * (size_t)p->grads_len);
        EXPECT(loss > 0);
        for (int count = 2; count <= 3; count++) {
            bool same = step_model(m, p, pool, count, PRECISION_FP32) == loss &&
                        !memcmp(one, p->grads, sizeof *one * (size_t)p->grads_len);
            test_expect(same, __FILE__, __LINE__, "%s has other bits on %d threads", m->name,
                        count);
        }
        params_release(p);
        arena_free(&a);
    }
    threads_close(pool);
}
