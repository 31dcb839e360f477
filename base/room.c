// SPDX-License-Identifier: GPL-3.0-or-later
// room.c: getrlimit, /proc/self/status, and a mapping that is tried (room.h).
#include "base/room.h"

#include <fcntl.h>
#include <inttypes.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/str.h"

// The limits, and what each counts: all mappings; private ones that can be written.
static const struct {
    int which;
    const char *name, *counted;
} limits[] = {{RLIMIT_AS, "ulimit -v", "\nVmSize:"}, {RLIMIT_DATA, "ulimit -d", "\nVmData:"}};
enum { LIMITS = sizeof limits / sizeof *limits };

// A line of /proc/self/status, in bytes; false where there is none. Without a stream, which would
// take memory when there may be none.
static bool in_use(const char *line, uint64_t *bytes)
{
    char text[4096];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    const char *at = strstr(text, line);
    bool found = at && sscanf(at + strlen(line), "%" SCNu64, bytes) == 1;
    *bytes *= 1024;
    return found;
}

room room_read(void)
{
    room r = {.left = UINT64_MAX};
    for (int i = 0; i < LIMITS; i++) {
        struct rlimit l;
        uint64_t used = 0;
        if (getrlimit(limits[i].which, &l) || l.rlim_cur == RLIM_INFINITY ||
            !in_use(limits[i].counted, &used))
            continue;
        uint64_t limit = (uint64_t)l.rlim_cur, left = limit > used ? limit - used : 0;
        if (left < r.left)
            r = (room){left, limit, limits[i].name};
    }
    return r;
}

void room_share_heap(void)
{
#ifdef __GLIBC__
    if (room_read().name)
        mallopt(M_ARENA_MAX, 1);
#endif
}

bool room_for(uint64_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return false;
    munmap(p, bytes);
    return true;
}

bool room_refuse(err *e, const char *what, uint64_t bytes, uint64_t then)
{
    room r = room_read();
    char need[32], left[32];
    str_human_bytes(bytes, need);
    if (!r.name)
        return err_set(e, ERR_MEMORY,
                       "%s needs %s of address space, which the system refuses; close other "
                       "programs, or allow more of it",
                       what, need);
    // In the unit of the shell's command, a little more than is missing.
    uint64_t enough = (r.limit - r.left + bytes + then + ((uint64_t)8 << 20)) >> 10;
    return err_set(e, ERR_MEMORY,
                   "%s needs %s of address space, and %s %" PRIu64 " leaves %s; set %s %" PRIu64
                   " or more",
                   what, need, r.name, r.limit >> 10, str_human_bytes(r.left, left), r.name,
                   (enough + 999) / 1000 * 1000);
}

bool room_for_stack(err *e)
{
    enum { STACK = 8 << 20 };
    return room_read().left >= 2 * STACK ||
           room_refuse(e, "the stack of a thread", STACK, ROOM_OF_A_RUN);
}

const char *room_hint(char out[64])
{
    room r = room_read();
    out[0] = 0;
    if (r.name)
        snprintf(out, 64, " (%s %" PRIu64 ": raise it)", r.name, r.limit >> 10);
    return out;
}
