// SPDX-License-Identifier: GPL-3.0-or-later
// shipped.h: the configurations of configs/, compiled in, so that a program that stands alone has
// them wherever it is run.
//
// The Makefile makes the table from the files. `name` is the path below configs/ without ".yaml":
// "emotion_recognizer", "data/emodb", "profiles/16gb".
#ifndef KMIDI_BASE_SHIPPED_H
#define KMIDI_BASE_SHIPPED_H

#include "base/arena.h"

typedef struct shipped {
    const char *name, *text;
} shipped;

const shipped *shipped_at(int i); // sorted by name; NULL behind the last
// By name, by its last part where only one has it, or by a path that ends so: "emodb",
// "data/emodb.yaml", "../configs/data/emodb.yaml".
const shipped *shipped_find(const char *name);
const char *shipped_nearest(const char *name);     // NULL when none is near
char *shipped_summary(arena *a, const shipped *s); // the first line of its comment

#endif
