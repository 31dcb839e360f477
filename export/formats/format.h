// SPDX-License-Identifier: GPL-3.0-or-later
// format.h: a format of `kmidi export --format`: one file in export/formats/ fills one export_def,
// exports.def lists them. What it can hold is said by refusing the rest in one sentence; what it
// writes is whole or not there.
#ifndef KMIDI_EXPORT_FORMATS_FORMAT_H
#define KMIDI_EXPORT_FORMATS_FORMAT_H

#include "base/env.h"
#include "export/onnx_run.h"
#include "infer/session.h"
#include "infer/trained.h"

typedef struct export_task {
    trained *from;
    const char *out; // the file to write, or the folder
    arena *arena;
    const env *env;
    bool front_end, with_past, no_probe, probe, wide; // as the command's options say
    const char *shape; // of a format whose sizes are fixed; NULL: not said
    bool dynamic;      // onnx-int8: products in whole numbers
    int64_t bytes;     // of a folder's numbers; 0: those of the file
    int64_t count;     // parameters written, where not the model's
    // of the network's output on an example: the largest difference of what the file holds from
    // f32, and the largest value; `most` is 0 where nothing was run
    double difference, most;
    const float *exact; // [n_exact] the output of the example in f32, before weights were rounded
    int64_t n_exact;
    const char *fingerprint; // of the checkpoint's weights, before any were rounded
    // What `check` has read of the file: its weights, or the network in it, which is the format's
    params *again;
    const void *network;
    onnx_runner *runner;
    const char *checked; // how `check` did it, in words; NULL: it was not called
} export_task;

typedef struct export_def {
    const char *name;
    bool folder;        // it is a folder, not a file
    bool runs;          // the network is run for it: the libraries of products are open by then
    quantise_form form; // of its weights
    bool (*write)(export_task *t, err *e);
    // Reads what was written, runs it on an example and puts the difference into the task
    // (again.h). NULL: `write` has done so, by the weights that it wrote. Not for pipes, devices.
    bool (*check)(export_task *t, err *e);
    // What the file's network says to the inputs of a session of ours, over its logits; NULL: the
    // weights `again` in our network say it. Behind `check`.
    bool (*say)(export_task *t, session *s, err *e);
} export_def;

// ---- What formats share (format.c)

// What the checkpoint carries, without what is of its run; formats add to this copy.
model_meta export_meta(const export_task *t);
// The same for files of weights: what they are of, too.
model_meta export_weights_meta(const export_task *t);
// What the 64 numbers of an emotion mean to who has nothing but the file.
void export_put_emotion(const model_def *m, model_meta *meta);
// What the network gives for the example, or (front_end) hears of the waveform, with the weights as
// they are now: t->exact.
bool export_exact(export_task *t, err *e) MUST_CHECK;
// Rounds the weights, and says what that does to that output.
bool export_round(export_task *t, quantise_form f, err *e) MUST_CHECK;

#endif
