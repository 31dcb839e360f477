// SPDX-License-Identifier: GPL-3.0-or-later
// feed.c: fields of a batch into the inputs of the same names.
#include "train/feed.h"

#include <stdio.h>
#include <string.h>

const batch_field *feed_find(const batch *b, const char *name)
{
    for (int i = 0; i < b->n_fields; i++)
        if (!strcmp(b->field[i].name, name))
            return &b->field[i];
    return NULL;
}

static bool fits(const tensor *t, const batch_field *f)
{
    if (t->type != (f->type == BATCH_I32 ? DT_I32 : DT_F32) || t->shape.rank != f->rank)
        return false;
    for (int i = 0; i < f->rank; i++)
        if (t->shape.d[i] != f->dim[i])
            return false;
    return true;
}

static bool copy(const tensor *t, run *r, const batch *b, err *e)
{
    char text[64];
    if (!t)
        return true;
    const batch_field *f = feed_find(b, t->name);
    if (!f)
        return err_set(e, ERR_SHAPE,
                       "the data have no '%s', which the model takes; it comes from the `features` "
                       "that were prepared",
                       t->name);
    if (!fits(t, f)) {
        _Static_assert((int)BATCH_RANK == (int)RANK_MAX, "batches have the ranks of tensors");
        shape s = {.rank = f->rank};
        memcpy(s.d, f->dim, sizeof s.d);
        char have[64];
        return err_set(e, ERR_SHAPE, "the data's '%s' is %s %s where the model takes %s", t->name,
                       f->type == BATCH_I32 ? "i32" : "f32", shape_text(s, have),
                       shape_text(t->shape, text));
    }
    memcpy(run_data(r, t), f->data, (size_t)shape_count(t->shape) * dtype_size(t->type));
    return true;
}

bool feed_copy(const network *n, run *r, const batch *b, err *e)
{
    for (int i = 0; i < n->model->n_inputs; i++)
        if (!copy(n->in[i], r, b, e))
            return false;
    tensor *const rest[] = {n->target, n->weight, n->other_target, n->other_weight, n->affect};
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof rest / sizeof *rest; i++)
        ok = copy(rest[i], r, b, e);
    return ok;
}

const char *feed_paths(const batch *b, char out[512])
{
    int n = 0;
    out[0] = 0;
    for (int64_t i = 0; b->paths && i < b->items && n < 400; i++) {
        if (i == BATCH_PATHS) {
            snprintf(out + n, (size_t)(512 - n), " and %lld more", (long long)(b->items - i));
            break;
        }
        int more = snprintf(out + n, (size_t)(512 - n), "%s'%s'", i ? ", " : "",
                            b->paths[i] ? b->paths[i] : "");
        n = n + more < 511 ? n + more : 511;
    }
    return out;
}
