// SPDX-License-Identifier: GPL-3.0-or-later
// ceiling.h: an allocator over an arena that gives no more than so many bytes: what protobuf-c
// unpacks a file from outside with.
#ifndef KMIDI_EXPORT_CEILING_H
#define KMIDI_EXPORT_CEILING_H

#include "base/arena.h"

typedef struct ceiling {
    arena *arena;
    size_t left;
} ceiling;

static inline void *ceiling_alloc(void *user, size_t n)
{
    ceiling *c = user;
    size_t taken = (n / 64 + 1) * 64; // with the arena's alignment
    if (taken > c->left)
        return NULL;
    c->left -= taken;
    return arena_alloc(c->arena, n ? n : 1, 1);
}

static inline void ceiling_free(void *user, void *p)
{
    (void)user, (void)p;
}

#endif
