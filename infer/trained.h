// SPDX-License-Identifier: GPL-3.0-or-later
// trained.h: a checkpoint opened for use: weights, and what its metadata says about labels and
// about the way from a file to its input. predict and export --front-end read the same struct, so
// that they cannot differ.
//
//     trained *d = trained_open("runs/x/checkpoints/best.h5", &arena, e);
//     if (!trained_mel(d, e)) ...                     // only where features are needed
//     trained_close(d);
#ifndef KMIDI_INFER_TRAINED_H
#define KMIDI_INFER_TRAINED_H

#include "checkpoint/checkpoint.h"
#include "data/audio/mel.h"
#include "data/features/feature.h"
#include "data/hear/hear.h"
#include "data/loader/loader.h"
#include "export/onnx.h"

typedef struct trained {
    arena *arena;
    const char *path; // of the checkpoint file
    checkpoint *file;
    const model_def *model;
    params *p;           // allocated, loaded
    int classes;         // of the probe; 0 without one
    const char **labels; // [classes]; NULL where the checkpoint names none
    // From the feature settings, after trained_mel:
    const mel_settings *mel;
    const feature_def *feature;
    const float *mean, *deviation; // [n_mels]; NULL: frames go in as they are
    hear_rule hear;                // windows
} trained;

// `name` is a checkpoint or a run folder (its best, else its last).
trained *trained_open(const char *name, arena *a, err *e) MUST_CHECK;
void trained_close(trained *d); // accepts NULL
// Reads the feature settings. ERR_MISMATCH when the checkpoint has none (imported weights) or not
// those of a mel model.
bool trained_mel(trained *d, err *e) MUST_CHECK;
// Tokens of the windows that a model of events was trained on; `fallback` where the checkpoint does
// not say (imported weights).
int trained_context(const trained *d, int fallback);
// The same settings as plain numbers for the ONNX front end; tables are owned by d's arena.
void trained_front(const trained *d, onnx_front *f);

#endif
