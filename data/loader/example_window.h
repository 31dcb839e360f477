// SPDX-License-Identifier: GPL-3.0-or-later
// example_window.h: a stretch of an item's frames as examples of audio show it: cut to the window,
// standardised, varied (augment_mel.h), masked. Masks: Park et al., "SpecAugment" (2019), without
// time warping.
#ifndef KMIDI_DATA_LOADER_EXAMPLE_WINDOW_H
#define KMIDI_DATA_LOADER_EXAMPLE_WINDOW_H

#include "data/loader/example.h"

// Into out [window, width]; a shorter piece stands at the end, zeros (the mean) before it.
void example_window(const example *x, const example_piece *p, float *out);

#endif
