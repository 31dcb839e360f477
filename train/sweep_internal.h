// SPDX-License-Identifier: GPL-3.0-or-later
// sweep_internal.h: what sweep.c and sweep_end.c share.
#ifndef KMIDI_TRAIN_SWEEP_INTERNAL_H
#define KMIDI_TRAIN_SWEEP_INTERNAL_H

#include "train/sweep.h"

enum { SWEEP_KILLS = 3 }; // deaths by signals that a run goes on after

const char *sweep_dir(const sweep *s, const sweep_item *it, arena *a);
const char *sweep_said(const sweep *s, const sweep_item *it, arena *a); // the file of its words
void sweep_state(sweep *s, sweep_item *it, run_state state, const char *why);
// Figures and state as its folder has them.
void sweep_look(sweep *s, sweep_item *it);
// Among those that run, and no more.
void sweep_take(sweep *s, sweep_item *it);
void sweep_give(sweep *s, sweep_item *it);
// What has ended since the last call; what others have, the median rule, and the tick.
void sweep_reap(sweep *s);
void sweep_look_at_all(sweep *s);

// For TensorBoard, into its folder (sweep_hparams.c). Nobody depends on it: where it cannot be
// written, nothing is said.
void sweep_hparams(const sweep_plan *p);

#endif
