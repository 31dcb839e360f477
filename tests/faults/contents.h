// SPDX-License-Identifier: GPL-3.0-or-later
// contents.h (tests): what a command left, to be compared.
#ifndef KMIDI_TESTS_FAULTS_CONTENTS_H
#define KMIDI_TESTS_FAULTS_CONTENTS_H

#include "base/arena.h"

// Sorted lines: the name of each file below `dir`, and what it holds as far as that is the same
// every time; "NAME DAMAGED: why" of HDF5 that does not verify.
char *faults_contents(const char *dir, arena *a);

#endif
