// SPDX-License-Identifier: GPL-3.0-or-later
// rooms.c: the list of rooms, read by the compiler.
#include "tests/rooms.h"

#include <string.h>

// Folders of sources and what their files may know besides themselves, what is in them, and base.
static const struct {
    const char *name, *may;
} rooms[] = {
#define ROOM(folder, may) {#folder, may},
#include "rooms.def"
#undef ROOM
};
enum { ROOMS = sizeof rooms / sizeof *rooms };

int room_count(void)
{
    return ROOMS;
}

const char *room_folder(int room)
{
    return rooms[room].name;
}

// `path` is in `folder`, whose name is n long and need not end there.
static bool is_in(const char *path, const char *folder, size_t n)
{
    return !strncmp(path, folder, n) && path[n] == '/';
}

int room_of(const char *path)
{
    int best = -1;
    for (int i = 0; i < ROOMS; i++)
        if (is_in(path, rooms[i].name, strlen(rooms[i].name)) &&
            (best < 0 || strlen(rooms[i].name) > strlen(rooms[best].name)))
            best = i;
    return best;
}

bool room_may_know(int from, const char *path)
{
    if (is_in(path, "base", 4) || is_in(path, rooms[from].name, strlen(rooms[from].name)))
        return true;
    for (const char *p = rooms[from].may; *p; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");
        if (is_in(path, p, n))
            return true;
        p += n;
    }
    return false;
}
