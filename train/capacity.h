// SPDX-License-Identifier: GPL-3.0-or-later
// capacity.h: what of a configuration fits a machine: its own batch, how it would be split there
// and how fast a step is; and the largest batch that could be computed at once.
//
// Plans say the memory (search.h), what calibrate.h measured says the time: a machine of another
// size with this processor. Nothing large is allocated. Neither data nor the base of an adapter are
// looked at.
#ifndef KMIDI_TRAIN_CAPACITY_H
#define KMIDI_TRAIN_CAPACITY_H

#include "train/job.h"

enum { CAPACITY_MOST = 65536 }; // of items at once that are asked for

typedef struct capacity {
    search_plan own; // the whole batch in its best split; without one that fits, of least memory
    int64_t largest; // items at once, a power of two; 0: not even one
    search_plan at_once; // of that many
} capacity;

// `j` is planned (job_plan, supposed). `base`: bytes of program and libraries; 0: its own.
bool capacity_find(job *j, uint64_t budget, uint64_t base, capacity *k, err *e) MUST_CHECK;

#endif
