// SPDX-License-Identifier: GPL-3.0-or-later
// sweep_median.c: the median rule over curves of evaluations.
#include "train/sweep_median.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

enum { RECORD_MOST = 256 << 20 };

median_curve median_read(const char *run, const char *figure, arena *a)
{
    static const char head[] = "{\"kind\": \"eval\"";
    arena scratch = {.name = "curve"};
    median_curve c = {0};
    size_t n, lines = 0;
    const char *path = arena_printf(&scratch, "%s/metrics.jsonl", run);
    char *text = file_exists(path) ? file_read(&scratch, path, RECORD_MOST, &n, NULL) : NULL;
    for (const char *p = text; p && (p = strstr(p, head)); p++)
        lines++;
    c.step = NEW(a, int64_t, lines + 1), c.value = NEW(a, double, lines + 1);
    for (const char *p = text, *end; p && (p = strstr(p, head)) && (end = strchr(p, '\n'));
         p = end) {
        json *j = json_parse(p, (size_t)(end - p), NULL);
        c.step[c.n] = json_int(json_get(j, "step"), -1);
        c.value[c.n] = json_num(json_get(j, figure), NAN);
        c.n += j != NULL;
        json_free(j);
    }
    arena_free(&scratch);
    return c;
}

static int by_size(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return a < b ? -1 : a > b;
}

static double at_step(const median_curve *c, int64_t step)
{
    double value = NAN;
    for (size_t i = 0; i < c->n; i++)
        if (c->step[i] == step)
            value = c->value[i];
    return value;
}

// NAN without values.
static double median_of(double *list, size_t n)
{
    qsort(list, n, sizeof *list, by_size);
    return !n ? NAN : n % 2 ? list[n / 2] : (list[n / 2 - 1] + list[n / 2]) / 2;
}

static double best_of(const median_curve *c, bool higher)
{
    double best = NAN;
    for (size_t i = 0; i < c->n; i++)
        if (!isnan(c->value[i]) &&
            (isnan(best) || (higher ? c->value[i] > best : c->value[i] < best)))
            best = c->value[i];
    return best;
}

// A run that has only had values that are no numbers is bad whatever the others had.
bool median_is_bad(const median_rule *r, const median_curve *own, const median_curve *done,
                   size_t n_done, double *median)
{
    *median = NAN;
    if (!own->n || !n_done || n_done < r->least || own->step[own->n - 1] < r->from)
        return false;
    double best = best_of(own, r->higher);
    double *values = base_checked(malloc(n_done * sizeof *values), n_done * sizeof *values);
    size_t n = 0;
    for (size_t i = 0; i < n_done; i++) {
        double v = at_step(&done[i], own->step[own->n - 1]);
        if (!isnan(v))
            values[n++] = v;
    }
    *median = median_of(values, n);
    free(values);
    return isnan(best)      ? true
           : isnan(*median) ? false
           : r->higher      ? best < *median
                            : best > *median;
}
