// SPDX-License-Identifier: GPL-3.0-or-later
// names.h: a set of names, where each may be given once.
#ifndef KMIDI_BASE_NAMES_H
#define KMIDI_BASE_NAMES_H

#include "base/arena.h"

#include <stdbool.h>

typedef struct name_set {
    arena *arena;
    const char **slots; // open addressing, at most half full
    size_t n, cap;
} name_set;

// false when it was there; the string is not copied
bool name_set_add(name_set *s, const char *name);
bool name_set_has(const name_set *s, const char *name);

#endif
