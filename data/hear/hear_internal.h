// SPDX-License-Identifier: GPL-3.0-or-later
// hear_internal.h: what hear.c has hear_groups.c do.
#ifndef KMIDI_DATA_HEAR_HEAR_INTERNAL_H
#define KMIDI_DATA_HEAR_HEAR_INTERNAL_H

#include "data/hear/hear.h"

void hear_write_groups(const hear_rule *h, model_meta *meta);
bool hear_read_groups(const model_meta *meta, arena *a, hear_rule *h, err *e) MUST_CHECK;

#endif
