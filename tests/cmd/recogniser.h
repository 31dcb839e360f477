// SPDX-License-Identifier: GPL-3.0-or-later
// recogniser.h: a recogniser that was never trained, and sounds for it, for tests of the commands
// that use checkpoints.
#ifndef KMIDI_TESTS_CMD_RECOGNISER_H
#define KMIDI_TESTS_CMD_RECOGNISER_H

#include "base/arena.h"

typedef struct recogniser_setup {
    const char *what;
    const char *mel[12][2]; // names and values of settings
    const char *window, *crop, *views;
} recogniser_setup;

// As the service and the bridge are tried: 60 frames, the last window.
extern const recogniser_setup recogniser_ear;

// Writes a checkpoint with filled weights, the labels anger, joy and calm, and these settings. Its
// path.
const char *recogniser_checkpoint(const recogniser_setup *u, const char *name, arena *a);
void recogniser_sound(float *x, int64_t n, uint32_t seed);

#endif
