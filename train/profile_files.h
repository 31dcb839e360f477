// SPDX-License-Identifier: GPL-3.0-or-later
// profile_files.h: a profile as the files that `--profile` leaves in a folder: profile.txt
// (tables), profile.jsonl, trace.json.
#ifndef KMIDI_TRAIN_PROFILE_FILES_H
#define KMIDI_TRAIN_PROFILE_FILES_H

#include "autograd/profile.h"

// `dir` is made where it is not there. At least one step was timed.
bool profile_write(const profile *f, const char *dir, err *e) MUST_CHECK;

#endif
