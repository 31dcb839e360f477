// SPDX-License-Identifier: GPL-3.0-or-later
// arena.c: blocks from calloc, each larger than the one before; a request that does not fit a
// quarter of a block gets its own, linked behind the newest so that the newest goes on being
// filled.
//
// Memory that was never handed out is still zero from calloc, so only what lies below a block's
// `dirty` mark is cleared
// again: a large fresh request costs no memory traffic and no resident page until it is used.
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"

enum { BLOCK_LEAST = 64 << 10, BLOCK_MOST = 4 << 20, KEPT_MOST = 256 << 10 };
static const size_t HUGE_PAGE = (size_t)2 << 20;

struct arena_block {
    arena_block *prev;
    char *data; // aligned, behind this header
    size_t cap, used, dirty;
    size_t start; // arena.used when the block was made: tells what a rewind frees
};

// Set once by main before any thread runs; a parameter through every allocation would be the
// alternative.
static void (*oom_handler)(const char *arena, size_t bytes);

static _Noreturn void out_of_memory(const char *name, size_t bytes)
{
    if (oom_handler)
        oom_handler(name, bytes);
    err_broken("memory is left", __FILE__, __LINE__);
}

void base_on_oom(void (*handler)(const char *arena, size_t bytes))
{
    oom_handler = handler;
}

void *base_checked(void *p, size_t bytes)
{
    if (!p)
        out_of_memory(NULL, bytes);
    return p;
}

static arena_block *block_new(const arena *a, size_t cap)
{
    size_t bytes = sizeof(arena_block) + ARENA_ALIGN + cap;
    arena_block *b = bytes < cap ? NULL : calloc(1, bytes);
    if (!b)
        out_of_memory(a->name, cap);
    uintptr_t at = (uintptr_t)(b + 1);
    b->data = (char *)(b + 1) + (ARENA_ALIGN - at % ARENA_ALIGN) % ARENA_ALIGN;
    b->cap = cap;
    b->start = a->used;
    return b;
}

// The block that has `need` bytes left, made when there is none.
static arena_block *block_for(arena *a, size_t need)
{
    arena_block *last = a->last;
    if (last && last->cap - last->used >= need)
        return last;
    size_t next = last && last->cap >= BLOCK_LEAST ? last->cap * 2 : BLOCK_LEAST;
    if (next > BLOCK_MOST)
        next = BLOCK_MOST;
    bool alone = need > next / 4;
    arena_block *b = block_new(a, alone ? need : next);
    if (alone && last) {
        b->prev = last->prev;
        last->prev = b;
    } else {
        b->prev = last;
        a->last = b;
    }
    return b;
}

void *arena_alloc(arena *a, size_t count, size_t size)
{
    if (size && count > (SIZE_MAX - ARENA_ALIGN) / size)
        out_of_memory(a->name, SIZE_MAX);
    size_t need = (count * size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (need == 0)
        need = ARENA_ALIGN;
    arena_block *b = block_for(a, need);
    char *p = b->data + b->used;
    if (b->used < b->dirty)
        memset(p, 0, need < b->dirty - b->used ? need : b->dirty - b->used);
    b->used += need;
    if (b->dirty < b->used)
        b->dirty = b->used;
    a->used += need;
    if (a->peak < a->used)
        a->peak = a->used;
    return p;
}

char *arena_strdup(arena *a, const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(arena_alloc(a, n, 1), s, n);
}

char *arena_printf(arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    CHECK(n >= 0);
    char *s = arena_alloc(a, (size_t)n + 1, 1);
    vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return s;
}

arena_mark arena_save(const arena *a)
{
    return (arena_mark){a->last, a->last ? a->last->used : 0, a->used};
}

// Blocks made since the mark lie before m.block, and, when they are single requests, right behind
// it.
void arena_rewind(arena *a, arena_mark m)
{
    while (a->last != m.block) {
        CHECK(a->last);
        arena_block *prev = a->last->prev;
        free(a->last);
        a->last = prev;
    }
    if (m.block) {
        while (m.block->prev && m.block->prev->start >= m.used) {
            arena_block *prev = m.block->prev->prev;
            free(m.block->prev);
            m.block->prev = prev;
        }
        m.block->used = m.block_used;
    }
    a->used = m.used;
}

// A block that the system has to clear again for each item would cost more than the item.
void arena_reset(arena *a)
{
    arena_block *kept = a->last;
    if (!kept || kept->cap > KEPT_MOST) {
        arena_rewind(a, (arena_mark){0});
        return;
    }
    a->last = kept->prev;
    arena_rewind(a, (arena_mark){0});
    kept->prev = NULL;
    kept->used = kept->start = 0;
    a->last = kept;
}

void arena_free(arena *a)
{
    arena_rewind(a, (arena_mark){0});
    a->peak = 0;
}

static size_t whole_pages(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) / page * page;
}

// Maps a huge page more than asked for, and gives back what lies before and behind the aligned
// part.
static void *map_huge(size_t bytes)
{
    size_t size = whole_pages(bytes), total = size + HUGE_PAGE;
    if (size < bytes || total < size)
        return NULL;
    char *p = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    size_t before = (HUGE_PAGE - (uintptr_t)p % HUGE_PAGE) % HUGE_PAGE,
           behind = total - before - size;
    if (before)
        munmap(p, before);
    if (behind)
        munmap(p + before + size, behind);
#ifdef MADV_HUGEPAGE
    madvise(p + before, size, MADV_HUGEPAGE);
#endif
    return p + before;
}

void *base_pages(size_t bytes)
{
    if (bytes >= HUGE_PAGE)
        return map_huge(bytes);
    void *p;
    if (posix_memalign(&p, ARENA_ALIGN, bytes ? bytes : ARENA_ALIGN))
        return NULL;
    return memset(p, 0, bytes);
}

void base_pages_free(void *p, size_t bytes)
{
    if (p && bytes >= HUGE_PAGE)
        munmap(p, whole_pages(bytes));
    else
        free(p);
}
