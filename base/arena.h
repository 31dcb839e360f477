// SPDX-License-Identifier: GPL-3.0-or-later
// arena.h: memory by lifetime.
//
// An arena hands out zeroed memory and takes it all back at once. Three lifetimes cover the
// program: a model's (parameters' table, graph, plan), a command's (configuration, paths), and
// scratch that is rewound after use. Nothing that an arena handed out is ever freed by itself.
//
//     arena a = {.name = "model"};
//     node *n = NEW(&a, node, 1);          // zeroed, on a cache line
//     arena_mark m = arena_save(&a);       // scratch:
//     ...                                  //   used freely
//     arena_rewind(&a, m);                 //   and given back
//     arena_free(&a);
//
// Running out of memory does not return: the handler that cmd/ installs (base_on_oom) says so in
// one sentence and leaves; files that matter are written beside their names, so nothing saved is
// lost.
#ifndef KMIDI_BASE_ARENA_H
#define KMIDI_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

enum { ARENA_ALIGN = 64 }; // bytes: a cache line

typedef struct arena_block arena_block;

typedef struct arena {
    const char *name;  // for reports; may be NULL
    arena_block *last; // newest block, blocks linked back to the first
    size_t used;       // bytes handed out, all blocks
    size_t peak;       // the most that `used` has been
} arena;

typedef struct arena_mark {
    arena_block *block;
    size_t block_used, used;
} arena_mark;

// `count` objects of `size` bytes, zeroed, aligned to ARENA_ALIGN. Never NULL (see above). count *
// size may not overflow.
void *arena_alloc(arena *a, size_t count, size_t size);
char *arena_strdup(arena *a, const char *s);
char *arena_printf(arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

arena_mark arena_save(const arena *a);
void arena_rewind(arena *a, arena_mark m);
void arena_reset(arena *a); // empty again, with a block kept: for items that follow each other
void arena_free(arena *a);  // accepts an arena that was never used

// A type that wants more than ARENA_ALIGN is an array of -1 to the compiler.
#define NEW(a, T, n)                                                                               \
    ((T *)arena_alloc((a), (n), sizeof(T) * sizeof(char[_Alignof(T) <= ARENA_ALIGN ? 1 : -1])))

// Large buffers outside any arena: zeroed lazily by the system, aligned to 64 (2 MiB and huge pages
// when that large). NULL when there is no memory: the caller turns it into an error.
void *base_pages(size_t bytes);
void base_pages_free(void *p, size_t bytes);

// What to do when memory runs out: must not return. `bytes` is the request that failed.
void base_on_oom(void (*handler)(const char *arena, size_t bytes));
// For the few places that use malloc: p, or the handler is called.
void *base_checked(void *p, size_t bytes);

#endif
