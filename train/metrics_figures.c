// SPDX-License-Identifier: GPL-3.0-or-later
// metrics_figures.c: the figures of a result by name (metrics.h).
#include <math.h>
#include <string.h>

#include "train/metrics.h"

static const struct {
    const char *name;
    size_t offset;
    bool higher;
} figures[] = {
    {"loss", offsetof(metrics_result, loss), false},
    {"accuracy", offsetof(metrics_result, accuracy), true},
    {"macro_f1", offsetof(metrics_result, macro_f1), true},
    {"uar", offsetof(metrics_result, uar), true},
    {"perplexity", offsetof(metrics_result, perplexity), false},
    {"nats_per_note", offsetof(metrics_result, nats_per_note), false},
    {"nats_per_second", offsetof(metrics_result, nats_per_second), false},
    {"mse", offsetof(metrics_result, mse), false},
    {"mae", offsetof(metrics_result, mae), false},
    {"chamfer", offsetof(metrics_result, chamfer), false},
    {"colours", offsetof(metrics_result, colours), false},
};
enum { N_FIGURES = sizeof figures / sizeof *figures };

metrics_figure metrics_at(const metrics_result *r, int i)
{
    for (int k = 0; k < N_FIGURES; k++) {
        double value = *(const double *)((const char *)r + figures[k].offset);
        if (!isnan(value) && i-- == 0)
            return (metrics_figure){figures[k].name, value, figures[k].higher};
    }
    return (metrics_figure){0};
}

metrics_figure metrics_find(const metrics_result *r, const char *name)
{
    metrics_figure f;
    for (int i = 0; (f = metrics_at(r, i)).name; i++)
        if (!strcmp(f.name, name))
            return f;
    return (metrics_figure){0};
}

bool metrics_higher_is_better(const char *name)
{
    for (int k = 0; k < N_FIGURES; k++)
        if (!strcmp(figures[k].name, name))
            return figures[k].higher;
    return false;
}
