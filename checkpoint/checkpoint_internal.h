// SPDX-License-Identifier: GPL-3.0-or-later
// checkpoint_internal.h: what the two files of checkpoint.h share.
#ifndef KMIDI_CHECKPOINT_CHECKPOINT_INTERNAL_H
#define KMIDI_CHECKPOINT_CHECKPOINT_INTERNAL_H

#include "checkpoint/checkpoint.h"

bool checkpoint_state_write(h5 *f, const checkpoint_state *s, err *e) MUST_CHECK;
// sets has_state; ERR_DAMAGED where a number is out of its range
bool checkpoint_state_read(checkpoint *k, err *e) MUST_CHECK;

#endif
