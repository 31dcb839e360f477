// SPDX-License-Identifier: GPL-3.0-or-later
// checkpoint_internal.h: what the files of checkpoint.h share.
#ifndef KMIDI_CHECKPOINT_CHECKPOINT_INTERNAL_H
#define KMIDI_CHECKPOINT_CHECKPOINT_INTERNAL_H

#include "checkpoint/checkpoint.h"

#define CHECKPOINT_FORMAT "kmidi-checkpoint"
// what model_configure reads, of a model whose sizes are options
#define CHECKPOINT_SIZES "sizes"

// Where a parameter stands, and its dataset.
const char *checkpoint_group(const param *q);
h5_shape checkpoint_shape(const param *q);

// To a sentence about damage: which checkpoint beside `path` is whole.
void checkpoint_explain(const char *path, err *e);

bool checkpoint_state_write(h5 *f, const checkpoint_state *s, err *e) MUST_CHECK;
// sets has_state; ERR_DAMAGED where a number is out of its range
bool checkpoint_state_read(checkpoint *k, err *e) MUST_CHECK;

#endif
