// SPDX-License-Identifier: GPL-3.0-or-later
// plan_internal.h: what plan.c (nodes, steps, lifetimes) and plan_offsets.c (bytes) share.
#ifndef KMIDI_AUTOGRAD_PLAN_INTERNAL_H
#define KMIDI_AUTOGRAD_PLAN_INTERNAL_H

#include "autograd/plan.h"

// From when each place in the arena is alive to where it lies, arena_bytes and live_bytes.
void plan_find_offsets(plan *p, arena *a);

#endif
