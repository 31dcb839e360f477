// SPDX-License-Identifier: GPL-3.0-or-later
// ranges.c: see ranges.h.
#include "cmd/ranges.h"

#include <string.h>

static bool holds(const option_value *v, const option_range *r, err *e)
{
    double x = v->option->type == OPT_NUM ? v->num : (double)v->i;
    return strcmp(v->option->name, r->option) || (x >= r->least && x <= r->most) ||
           err_set(e, ERR_USAGE, "--%s lies from %.12g to %.12g, and is %.12g", r->option, r->least,
                   r->most, x);
}

bool ranges_hold(const cmd *c, const option_range *list, err *e)
{
    for (const option_range *r = list; r->option; r++)
        for (int i = 0; i < c->n_values; i++)
            if (!holds(&c->values[i], r, e))
                return false;
    return true;
}

bool cmd_in_range(cmd *c, const char *name, int64_t fallback, int64_t lo, int64_t hi, int64_t *out,
                  err *e)
{
    *out = option_int(c, name, fallback);
    return (*out >= lo && *out <= hi) ||
           err_set(e, ERR_USAGE, "--%s lies from %lld to %lld, and is %lld", name, (long long)lo,
                   (long long)hi, (long long)*out);
}
