// SPDX-License-Identifier: GPL-3.0-or-later
// room.h: how much memory the limits of the system leave this process (ulimit -v, ulimit -d), as
// grid engines and shells set them. They count what is mapped, touched or not: a process of 60 MiB
// may need 400 MB of them.
#ifndef KMIDI_BASE_ROOM_H
#define KMIDI_BASE_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

typedef struct room {
    // bytes that may still be mapped; UINT64_MAX: no limit, or a system that keeps none
    uint64_t left;
    uint64_t limit;   // of which that is what is left
    const char *name; // "ulimit -v", "ulimit -d"; NULL: no limit
} room;

room room_read(void);
// At the beginning of a process: under such a limit all threads take from one heap, where each
// would otherwise map 64 to 128 MiB for its own as soon as there is room, and leave none to what
// comes later.
void room_share_heap(void);
// Whether the system would give `bytes` more right now: tried and given back, so that any reason to
// refuse them is seen.
bool room_for(uint64_t bytes);
// ERR_MEMORY with the limit that would do: "WHAT needs 256 MiB of address space, and ulimit -v
// 400000 leaves 97 MiB; set ulimit -v 563000 or more". `then` bytes are counted in for what will be
// asked for behind it, so that the limit named does for the whole. Returns false.
bool room_refuse(err *e, const char *what, uint64_t bytes, uint64_t then);
// Why a thread did not start: false, as room_refuse, where there is no room for its stack; true
// where it was something else.
bool room_for_stack(err *e);
// What a small run maps once its threads and libraries stand: heaps of its threads, files, graph.
#define ROOM_OF_A_RUN ((uint64_t)112 << 20)
// " (ulimit -v 400000: raise it)" where such a limit may be why memory was refused, else "". To
// stand behind an error of memory that does not know of limits; needs no memory itself.
const char *room_hint(char out[64]);

#endif
