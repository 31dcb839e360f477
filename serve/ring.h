// SPDX-License-Identifier: GPL-3.0-or-later
// ring.h: items of one size from one thread to another, neither of which ever waits: the one that
// writes is told when it is full, the one that reads when it is empty, and nothing is overwritten.
//
// Positions run freely and wrap; each is written by one thread, alone in its cache lines by the
// room around it, wherever the ring lies, and what lies before it was written before it (release,
// acquire). The item is filled and read where it lies.
//
//     item *to = ring_write(r);                   item *from = ring_read(r);
//     if (to)                                     if (from)
//         fill(to), ring_written(r);                  use(from), ring_done(r);
#ifndef KMIDI_SERVE_RING_H
#define KMIDI_SERVE_RING_H

#include <stdatomic.h>
#include <stddef.h>

enum { RING_LINE = 128 };

typedef struct ring {
    char *items; // [count][size]
    size_t size;
    unsigned count; // a power of two
    char before[RING_LINE];
    atomic_uint head; // the writer's: the next item to write
    char between[RING_LINE - sizeof(atomic_uint)];
    atomic_uint tail; // the reader's: the next to read
    char behind[RING_LINE - sizeof(atomic_uint)];
} ring;

// Not while it is in use. `items` has count * size bytes.
static inline void ring_open(ring *r, void *items, size_t size, unsigned count)
{
    r->items = items, r->size = size, r->count = count;
    atomic_init(&r->head, 0);
    atomic_init(&r->tail, 0);
}

// ---- The writer

static inline unsigned ring_room(ring *r)
{
    unsigned head = atomic_load_explicit(&r->head, memory_order_relaxed);
    return r->count - (head - atomic_load_explicit(&r->tail, memory_order_acquire));
}

// Where the next item goes; NULL: it is full.
static inline void *ring_write(ring *r)
{
    unsigned head = atomic_load_explicit(&r->head, memory_order_relaxed);
    return ring_room(r) ? r->items + (head & (r->count - 1)) * r->size : NULL;
}

static inline void ring_written(ring *r)
{
    unsigned head = atomic_load_explicit(&r->head, memory_order_relaxed);
    atomic_store_explicit(&r->head, head + 1, memory_order_release);
}

// ---- The reader

// The oldest item; NULL: it is empty.
static inline void *ring_read(ring *r)
{
    unsigned tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    return tail != atomic_load_explicit(&r->head, memory_order_acquire)
               ? r->items + (tail & (r->count - 1)) * r->size
               : NULL;
}

static inline void ring_done(ring *r)
{
    unsigned tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
}

#endif
