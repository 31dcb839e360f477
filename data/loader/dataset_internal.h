// SPDX-License-Identifier: GPL-3.0-or-later
// dataset_internal.h: what dataset.c asks of dataset_groups.c while it looks at shards.
#ifndef KMIDI_DATA_LOADER_DATASET_INTERNAL_H
#define KMIDI_DATA_LOADER_DATASET_INTERNAL_H

#include "data/loader/dataset.h"

// The groups of the first shard, and room for the counts of their classes.
int64_t *dataset_groups_begin(dataset *d, const shard *s);
bool dataset_groups_compare(const dataset *d, const shard *s, err *e) MUST_CHECK;
void dataset_groups_count(const dataset *d, const shard *s, int64_t *count);

#endif
