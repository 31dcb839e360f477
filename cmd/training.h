// SPDX-License-Identifier: GPL-3.0-or-later
// training.h: a run trained by this process, as `kmidi train` shows it: a progress line, signals,
// the report at its end (train.c).
#ifndef KMIDI_CMD_TRAINING_H
#define KMIDI_CMD_TRAINING_H

#include "cmd/cmd.h"
#include "train/job.h"

// `r` without env, tick, save_asked and user, which are the command's own. ERR_STOPPED: saved, and
// to be gone on with.
bool training(cmd *c, job_request *r, err *e) MUST_CHECK;

#endif
