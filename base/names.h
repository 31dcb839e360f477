// SPDX-License-Identifier: GPL-3.0-or-later
// names.h: a set of names, where each may be given once; a name that is none of a list.
#ifndef KMIDI_BASE_NAMES_H
#define KMIDI_BASE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

enum { NAME_GUESS = 128 };

typedef struct name_set {
    arena *arena;
    const char **slots; // open addressing, at most half full
    size_t n, cap;
} name_set;

// false when it was there; the string is not copied
bool name_set_add(name_set *s, const char *name);
bool name_set_has(const name_set *s, const char *name);

// "; did you mean 'X'?" of the nearest of the n names, or "": behind a sentence about `name`.
const char *name_guess(char out[NAME_GUESS], const char *name, const char *const *names, size_t n);
// Says that there is no `what` of that name, which is the nearest of the n names, and all of them.
// ERR_CONFIG; returns false.
bool name_unknown(err *e, const char *what, const char *name, const char *const *names, size_t n);

#endif
