// SPDX-License-Identifier: GPL-3.0-or-later
// ops.c: the table of all ops, a row for each line of ops.def and a column for each vector width.
#include "autograd/ops.h"

#include <string.h>

#include "autograd/op.h"

#define OP(name, ...) VARIANT_EXTERN(op_def, op_##name)
#include "autograd/ops/ops.def"
#undef OP

static const op_def *const table[OP_COUNT][VARIANT_COUNT] = {
#define OP(name, ...) VARIANT_ROW(op_##name),
#include "autograd/ops/ops.def"
#undef OP
};

const op_def *op_get_variant(op_id id, variant v)
{
    return table[id][v];
}

const op_def *op_get(op_id id)
{
    return table[id][VARIANT_BASE];
}

op_id op_id_of(const op_def *op)
{
    int i = 0;
    while (i < OP_COUNT && op_get((op_id)i) != op)
        i++;
    return (op_id)i;
}

typedef struct part_job {
    const call *c;
    op_part_fn *fn;
} part_job;

static void part_run(void *arg, int index, int64_t lo, int64_t hi)
{
    const part_job *j = arg;
    (void)index;
    j->fn(j->c, lo, hi);
}

void op_parallel(const call *c, int64_t n, int64_t grain, op_part_fn *fn)
{
    if (c->threads <= 1 || n <= grain) {
        if (n > 0)
            fn(c, 0, n);
        return;
    }
    threads_share(c->pool, c->threads, n, grain, part_run, &(part_job){c, fn});
}
