// SPDX-License-Identifier: GPL-3.0-or-later
// trained.h: a checkpoint opened for use: weights, what it says about labels and about the way from
// a file to its input (data/hear/hear.h). Everything that uses a model reads the same struct, so
// that no two can differ.
//
//     trained *t = trained_open("runs/x/checkpoints/best.h5", &arena, e);
//     trained_adapt(t, uses, n, e)                     // --adapter
//     trained_mel(t, e)                                // only where features are needed
//     trained_close(t);
#ifndef KMIDI_INFER_TRAINED_H
#define KMIDI_INFER_TRAINED_H

#include "checkpoint/checkpoint.h"
#include "data/audio/mel.h"
#include "data/features/feature.h"
#include "data/hear/hear.h"
#include "export/onnx.h"
#include "lora/adapter.h"

typedef struct trained {
    arena *arena;
    const char *path; // of the checkpoint file
    checkpoint *file;
    const model_def *model;
    params *p;                 // allocated, loaded
    int classes;               // of the probe; 0 without one
    const char *const *labels; // [classes]; NULL where there are none, or the checkpoint names none
    hear_rule hear;            // what the checkpoint says about its input
    // After trained_mel, whose settings are in `hear`:
    const mel_settings *mel;
    const feature_def *feature;
} trained;

// `name` is a checkpoint or a run folder (its best, else its last). ERR_DAMAGED, too, where what it
// says about its input cannot be meant (hear_read).
trained *trained_open(const char *name, arena *a, err *e) MUST_CHECK;
void trained_close(trained *t); // accepts NULL
// Adds adapters to the weights, in this order.
bool trained_adapt(trained *t, const lora_use *uses, int n, err *e) MUST_CHECK;
// Reads the feature settings. ERR_MISMATCH when the checkpoint has none (imported weights) or not
// those of a mel model.
bool trained_mel(trained *t, err *e) MUST_CHECK;
// Tokens of the windows that a model of events was trained on; `fallback` where the checkpoint does
// not say (imported weights).
int trained_context(const trained *t, int fallback);
// The same settings as plain numbers for the ONNX front end; tables are owned by t's arena.
void trained_front(const trained *t, onnx_front *f);

#endif
