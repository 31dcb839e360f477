// SPDX-License-Identifier: GPL-3.0-or-later
// format.h: a format of `kmidi export --format`: one file in export/formats/ fills one export_def,
// exports.def lists them. What it can hold is said by refusing the rest in one sentence; what it
// writes is whole or not there.
#ifndef KMIDI_EXPORT_FORMATS_FORMAT_H
#define KMIDI_EXPORT_FORMATS_FORMAT_H

#include <string.h>

#include "base/env.h"
#include "infer/trained.h"

typedef struct export_task {
    trained *from;
    const char *out; // the file to write, or the folder
    arena *arena;
    const env *env;
    bool front_end, with_past, no_probe, probe; // as the command's options say
    int64_t count;                              // parameters written, where not the model's
    // of the network's output on an example, where weights were rounded: the largest difference
    // from f32, and the largest value
    double difference, most;
} export_task;

typedef struct export_def {
    const char *name;
    bool folder;        // it is a folder, not a file
    bool runs;          // the network is run for it: the libraries of products are open by then
    quantise_form form; // of its weights
    bool (*write)(export_task *t, err *e);
} export_def;

// What the checkpoint carries, without what is of its run; formats add to this copy.
static inline model_meta export_meta(const export_task *t)
{
    const model_meta *from = &t->from->file->meta;
    model_meta meta = {.arena = t->arena};
    for (int i = 0; i < from->n; i++)
        if (strcmp(from->keys[i], "bf16x3") && strcmp(from->keys[i], "products"))
            meta_set(&meta, from->keys[i], from->values[i]);
    return meta;
}

// The same for files of weights: what they are of, too.
static inline model_meta export_weights_meta(const export_task *t)
{
    model_meta meta = export_meta(t);
    char hex[65];
    params_fingerprint(t->from->p, hex);
    meta_set(&meta, "model", t->from->model->name);
    meta_set(&meta, "fingerprint", hex);
    return meta;
}

#endif
