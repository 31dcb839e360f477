// SPDX-License-Identifier: GPL-3.0-or-later
// checkpoint_state.c: /state of a checkpoint, by the rows of checkpoint_state.def. A checksum says
// that a number is what was written, not that a run wrote it: each is held against its range before
// anything counts with it.
#include <math.h>
#include <stdio.h>

#include "checkpoint/checkpoint_internal.h"

typedef struct state_field {
    const char *name;
    bool integer, later, any;
    size_t offset;
    int64_t least, most;        // of integers
    double least_num, most_num; // of others
} state_field;

static const state_field fields[] = {
#define AT(name) .offset = offsetof(checkpoint_state, name)
#define STATE_INT(name, from, to, help)                                                            \
    {#name, .integer = true, AT(name), .least = from, .most = to},
#define STATE_LATER(name, from, to, help)                                                          \
    {#name, .integer = true, .later = true, AT(name), .least = from, .most = to},
#define STATE_NUM(name, from, to, help) {#name, AT(name), .least_num = from, .most_num = to},
#define STATE_ANY(name, help)           {#name, .any = true, AT(name)},
#include "checkpoint/checkpoint_state.def"
#undef AT
#undef STATE_INT
#undef STATE_NUM
#undef STATE_LATER
#undef STATE_ANY
};
enum { N_FIELDS = sizeof fields / sizeof *fields };

static h5_shape one(h5_type type)
{
    return (h5_shape){type, 1, {1}};
}

bool checkpoint_state_write(h5 *f, const checkpoint_state *s, err *e)
{
    for (int i = 0; i < N_FIELDS; i++) {
        char name[64];
        snprintf(name, sizeof name, "state/%s", fields[i].name);
        if (!h5_write(f, name, one(fields[i].integer ? H5_I64 : H5_F64),
                      (const char *)s + fields[i].offset, e))
            return false;
    }
    return true;
}

static bool in_range(const checkpoint *k, const state_field *f, err *e)
{
    const char *at = (const char *)&k->state + f->offset;
    int64_t i = f->integer ? *(const int64_t *)(const void *)at : 0;
    double x = f->integer ? 0 : *(const double *)(const void *)at;
    if (f->integer && (i < f->least || i > f->most))
        return err_set(e, ERR_DAMAGED,
                       "'%s': 'state/%s' is %lld, outside %lld to %lld; no run wrote that", k->path,
                       f->name, (long long)i, (long long)f->least, (long long)f->most);
    return f->integer || f->any || (x >= f->least_num && x <= f->most_num) ||
           err_set(e, ERR_DAMAGED, "'%s': 'state/%s' is %g, outside %g to %g; no run wrote that",
                   k->path, f->name, x, f->least_num, f->most_num);
}

bool checkpoint_state_read(checkpoint *k, err *e)
{
    const checkpoint_state *s = &k->state;
    k->has_state = h5_has(k->file, "state/step");
    for (int i = 0; k->has_state && i < N_FIELDS; i++) {
        char name[64];
        snprintf(name, sizeof name, "state/%s", fields[i].name);
        if (fields[i].later && !h5_has(k->file, name))
            continue;
        if (!h5_read(k->file, name, one(fields[i].integer ? H5_I64 : H5_F64),
                     (char *)&k->state + fields[i].offset, e) ||
            !in_range(k, &fields[i], e))
            return false;
    }
    bool before = s->evaluated <= s->step && s->best_step <= s->step && s->best_epoch <= s->epoch;
    return !k->has_state || before ||
           err_set(e, ERR_DAMAGED,
                   "'%s': it stands at step %lld, and was evaluated or best after that; no run "
                   "wrote that",
                   k->path, (long long)s->step);
}
