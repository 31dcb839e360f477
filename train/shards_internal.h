// SPDX-License-Identifier: GPL-3.0-or-later
// shards_internal.h: what shards.c asks of shards_fits.c and shards_groups.c.
#ifndef KMIDI_TRAIN_SHARDS_INTERNAL_H
#define KMIDI_TRAIN_SHARDS_INTERNAL_H

#include "data/hear/hear.h"
#include "train/shards.h"

bool shards_fit_model(const dataset *d, const model_def *m, err *e) MUST_CHECK;
bool shards_fit_options(const dataset *d, const train_options *o, err *e) MUST_CHECK;
bool shards_same_kind(const shards *s, err *e) MUST_CHECK; // training and validation data

// Which group of the set each of the model's is. ERR_MISMATCH: it has none of them, or one of
// another size.
bool shards_map_groups(const dataset *d, const model_def *m, arena *a, const int **groups,
                       err *e) MUST_CHECK;
// What a checkpoint is to say of them; and whether the classes of a set are those that it says.
void shards_describe_groups(const shards *s, const model_def *m, arena *a, hear_rule *h);
bool shards_same_groups(const dataset *d, const hear_rule *h, const char *whose, err *e) MUST_CHECK;

#endif
