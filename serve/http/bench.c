// SPDX-License-Identifier: GPL-3.0-or-later
// bench.c: see bench.h.
#include "serve/http/bench.h"

listener *bench_ear(bench *b, const shelf *s, int ear, const env *v, err *e)
{
    if (!b->ears[ear])
        b->ears[ear] = listener_open(s->ears[ear], v, &b->arena, e);
    return b->ears[ear];
}

painter *bench_painter(bench *b, const shelf *s, const env *v, err *e)
{
    if (!b->painter)
        b->painter = painter_open(shelf_by(s, SHELF_CLOUDS), v, &b->arena, e);
    return b->painter;
}

static bool hear_once(listener *l, const trained *d, err *e)
{
    arena a = {.name = "warm"};
    heard h;
    int64_t n = 2 * (int64_t)d->mel->sample_rate;
    float *x = NEW(&a, float, (size_t)n);
    for (int64_t i = 0; i < n; i++)
        x[i] = i % 100 < 50 ? 0.1f : -0.1f;
    bool ok = listener_hear(l, x, n, &h, e);
    arena_free(&a);
    return ok;
}

bool bench_warm(bench *b, const shelf *s, const env *v, err *e)
{
    for (int i = 0; i < s->n_ears; i++) {
        listener *l = bench_ear(b, s, i, v, e);
        if (!l || !hear_once(l, s->ears[i], e))
            return false;
    }
    return !shelf_by(s, SHELF_CLOUDS) || bench_painter(b, s, v, e);
}
