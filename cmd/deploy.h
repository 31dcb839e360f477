// SPDX-License-Identifier: GPL-3.0-or-later
// deploy.h: a checkpoint opened for use: weights, and what its metadata says about labels and about
// the way from a file to its input. predict and export --front-end read the same struct, so that
// they cannot differ.
//
//     deploy *d = deploy_open("runs/x/checkpoints/best.h5", &arena, e);
//     if (!deploy_mel(d, e)) ...                     // only where features are needed
//     deploy_close(d);
#ifndef KMIDI_CMD_DEPLOY_H
#define KMIDI_CMD_DEPLOY_H

#include "data/audio/mel.h"
#include "data/features/feature.h"
#include "data/loader/loader.h"
#include "export/onnx.h"
#include "train/checkpoint.h"
#include "train/hear.h"

typedef struct deploy {
    arena *arena;
    const char *path; // of the checkpoint file
    checkpoint *file;
    const model_def *model;
    params *p;           // allocated, loaded
    int classes;         // of the probe; 0 without one
    const char **labels; // [classes]; NULL where the checkpoint names none
    // From the feature settings, after deploy_mel:
    const mel_settings *mel;
    const feature_def *feature;
    const float *mean, *deviation; // [n_mels]; NULL: frames go in as they are
    hear_rule hear;                // windows
} deploy;

// `name` is a checkpoint or a run folder (its best, else its last).
deploy *deploy_open(const char *name, arena *a, err *e) MUST_CHECK;
void deploy_close(deploy *d); // accepts NULL
// Reads the feature settings. ERR_MISMATCH when the checkpoint has none (imported weights) or not
// those of a mel model.
bool deploy_mel(deploy *d, err *e) MUST_CHECK;
// Tokens of the windows that a model of events was trained on; `fallback` where the checkpoint does
// not say (imported weights).
int deploy_context(const deploy *d, int fallback);
// The same settings as plain numbers for the ONNX front end; tables are owned by d's arena.
void deploy_front(const deploy *d, onnx_front *f);

#endif
