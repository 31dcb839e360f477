// SPDX-License-Identifier: GPL-3.0-or-later
// sweep_one.h: runs of a sweep in this very process, one after the other: a task of an array of
// jobs, or of any other scheduler.
//
//     kmidi sweep --out DIR --run 7         the seventh run of the plan
//     kmidi sweep --out DIR --run 7/1000    the runs 7, 1007, 2007, ...
//
// It may be started at any time and as often as anybody likes: a run that is done, or was ended, is
// left alone; one that has a checkpoint goes on; one that somebody has is named, and left to them.
// No lock of the sweep is needed, since each run's own keeps the second out.
#ifndef KMIDI_CMD_SWEEP_ONE_H
#define KMIDI_CMD_SWEEP_ONE_H

#include "cmd/cmd.h"

bool sweep_one(cmd *c, err *e) MUST_CHECK;

#endif
