// SPDX-License-Identifier: GPL-3.0-or-later
// room.c: getrlimit, /proc/self/status, and a mapping that is tried (room.h).
#include "base/room.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/str.h"

// The limits, and what each counts: all mappings; private ones that can be written.
static const struct {
    int which;
    const char *name, *counted;
} limits[] = {{RLIMIT_AS, "ulimit -v", "VmSize: %" SCNu64},
              {RLIMIT_DATA, "ulimit -d", "VmData: %" SCNu64}};
enum { LIMITS = sizeof limits / sizeof *limits };

// A line of /proc/self/status, in bytes; false where there is none.
static bool in_use(const char *format, uint64_t *bytes)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    bool found = false;
    while (f && !found && fgets(line, sizeof line, f))
        found = sscanf(line, format, bytes) == 1;
    if (f)
        fclose(f);
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

bool room_for(uint64_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return false;
    munmap(p, bytes);
    return true;
}

bool room_refuse(err *e, const char *what, uint64_t bytes)
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
    uint64_t enough = (r.limit - r.left + bytes + ((uint64_t)8 << 20)) >> 10;
    return err_set(e, ERR_MEMORY,
                   "%s needs %s of address space, and %s %" PRIu64 " leaves %s; set %s %" PRIu64
                   " or more",
                   what, need, r.name, r.limit >> 10, str_human_bytes(r.left, left), r.name,
                   (enough + 999) / 1000 * 1000);
}
