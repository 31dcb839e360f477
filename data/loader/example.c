// SPDX-License-Identifier: GPL-3.0-or-later
// example.c: the table of examples, and the sizes of their fields (example.h).
#include "data/loader/example.h"

#include <string.h>

#define EXAMPLE(name) extern const example_def example_##name;
#include "data/loader/examples/examples.def"
#undef EXAMPLE

static const example_def *const examples[] = {
#define EXAMPLE(name) &example_##name,
#include "data/loader/examples/examples.def"
#undef EXAMPLE
};

const example_def *example_find(const char *name)
{
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
        if (!strcmp(examples[i]->name, name))
            return examples[i];
    return NULL;
}

int example_fields(const example_def *d)
{
    int n = 0;
    while (d->fields[n].name)
        n++;
    CHECK(n > 0 && n <= BATCH_FIELDS);
    return n;
}

int64_t example_dim(const example *x, int64_t dim)
{
    return dim == EXAMPLE_WINDOW   ? x->window
           : dim == EXAMPLE_WIDTH  ? x->width
           : dim == EXAMPLE_GROUPS ? x->groups
                                   : dim;
}

int64_t example_elements(const example *x, int k)
{
    const batch_field *f = &x->def->fields[k];
    int64_t n = 1;
    for (int i = 1; i < f->rank; i++)
        n *= example_dim(x, f->dim[i]);
    return n;
}

uint64_t example_bytes(const example *x)
{
    uint64_t n = 0;
    for (int k = 0; x->def->fields[k].name; k++)
        n += (uint64_t)example_elements(x, k) * sizeof(float);
    return n;
}

const float *example_emotion(const example *x, const float *own, uint64_t epoch, uint64_t position)
{
    static const float none[EXAMPLE_EMOTION];
    bool untold = x->condition_dropout > 0 &&
                  (double)rng_uniform(x->untold, epoch, (uint32_t)position) < x->condition_dropout;
    return untold ? none : own;
}

// A window with the row before it and the one behind it, of whatever type.
size_t example_scratch(const example *x)
{
    return (size_t)(x->window + 2) * (size_t)x->width * sizeof(float);
}

void example_repeat(const example *x, const batch_field *fields, int64_t row, int64_t from)
{
    for (int k = 0; x->def->fields[k].name; k++) {
        size_t bytes = (size_t)example_elements(x, k) * sizeof(float);
        char *data = fields[k].data;
        if (strstr(fields[k].name, "weight"))
            memset(data + (size_t)row * bytes, 0, bytes);
        else
            memcpy(data + (size_t)row * bytes, data + (size_t)from * bytes, bytes);
    }
}

void example_clear(const example *x, const batch_field *fields, int64_t row)
{
    for (int k = 0; x->def->fields[k].name; k++) {
        size_t bytes = (size_t)example_elements(x, k) * sizeof(float);
        memset((char *)fields[k].data + (size_t)row * bytes, 0, bytes);
    }
}
