// SPDX-License-Identifier: GPL-3.0-or-later
// loader_mix.c: draws, and the mean of two rows (loader_mix.h).
#include "data/loader/loader_mix.h"

#include <math.h>
#include <string.h>

enum { TRIES = 64 };

static int field_named(const example *x, const char *name)
{
    int k = 0;
    while (strcmp(x->def->fields[k].name, name) != 0)
        k++;
    return k;
}

void loader_mix_open(loader_mix *m, const loader_options *o, const example *x, arena *a)
{
    *m = (loader_mix){.alpha = o->mixup, .seed = o->seed, .example = x};
    if (m->alpha <= 0)
        return;
    m->target = field_named(x, "target"), m->weight = field_named(x, "weight");
    m->other_target = field_named(x, "other_target");
    m->other_weight = field_named(x, "other_weight");
    for (int k = 0; x->def->fields[k].name; k++) {
        m->other[k] = x->def->fields[k];
        m->other[k].data = arena_alloc(a, (size_t)example_elements(x, k), sizeof(float));
    }
}

// Johnk's: u^(1/a) / (u^(1/a) + v^(1/a)) of those even u and v whose sum is at most 1.
double loader_mix_share(const loader_mix *m, uint64_t epoch, uint64_t position)
{
    for (uint32_t i = 0; i < TRIES; i++) {
        rng r = rng_stream(m->seed, "mixup", i);
        uint32_t at = (uint32_t)position * 2;
        double u = pow((double)rng_uniform(r, epoch, at), 1 / m->alpha),
               v = pow((double)rng_uniform(r, epoch, at + 1), 1 / m->alpha);
        if (u + v > 0 && u + v <= 1)
            return u / (u + v);
    }
    return 0.5;
}

uint64_t loader_mix_partner(const loader_mix *m, uint64_t epoch, uint64_t position, uint64_t n)
{
    rng r = rng_stream(m->seed, "mixup_partner", 0);
    return rng_below(r, epoch, (uint32_t)position, n > UINT32_MAX ? UINT32_MAX : (uint32_t)n);
}

// What both are a mean of; lengths and the like stay the row's own.
static bool blends(const batch_field *f)
{
    return f->type == BATCH_F32 && (!strcmp(f->name, "mel") || !strcmp(f->name, "emotion"));
}

static float *floats(const batch_field *f, int64_t row, int64_t elements)
{
    return (float *)f->data + row * elements;
}

void loader_mix_row(const loader_mix *m, double share, const batch_field *fields, int64_t row,
                    double other, double *weight)
{
    float own = (float)share, rest = 1 - own;
    for (int k = 0; m->example->def->fields[k].name; k++) {
        int64_t n = blends(&fields[k]) ? example_elements(m->example, k) : 0;
        float *x = floats(&fields[k], row, n), *y = m->other[k].data;
        for (int64_t i = 0; i < n; i++)
            x[i] = own * x[i] + rest * y[i];
    }
    int64_t n = example_elements(m->example, m->weight);
    float *w = floats(&fields[m->weight], row, n), *v = floats(&fields[m->other_weight], row, n);
    memcpy(floats(&fields[m->other_target], row, n), m->other[m->target].data,
           (size_t)n * sizeof(int32_t));
    for (int64_t i = 0; i < n; i++) {
        w[i] *= own;
        v[i] = rest * ((const float *)m->other[m->weight].data)[i];
    }
    *weight = share * *weight + (1 - share) * other;
}
