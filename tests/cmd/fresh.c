// SPDX-License-Identifier: GPL-3.0-or-later
// fresh.c: built, initialised, saved.
#include "tests/cmd/fresh.h"

#include "checkpoint/checkpoint.h"
#include "tests/test.h"

void fresh_model(const char *name, const char *model, const char *sizes)
{
    fresh_said(name, model, sizes, NULL);
}

void fresh_said(const char *name, const char *model, const char *sizes, const model_meta *meta)
{
    arena a = {0};
    err e = {0};
    params *p = params_open(&a);
    const model_def *m = model_configure(model_find(model), sizes, &a, &e);
    EXPECT_OK(model_build(m, p, &(model_dims){.batch = 1, .time = 1}, &a, &e) &&
                  params_allocate(p, 0, &e),
              e);
    params_init(p, 1);
    EXPECT_OK(checkpoint_save(test_path(name),
                              &(checkpoint_content){.model = m, .params = p, .meta = meta}, &e),
              e);
    params_release(p);
    arena_free(&a);
}
