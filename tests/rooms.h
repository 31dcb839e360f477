// SPDX-License-Identifier: GPL-3.0-or-later
// rooms.h: rooms.def for tests: which folder may know which.
#ifndef KMIDI_TESTS_ROOMS_H
#define KMIDI_TESTS_ROOMS_H

#include <stdbool.h>

int room_count(void);
const char *room_folder(int room);
// The room of a file: the one whose folder is deepest; -1: none.
int room_of(const char *path);
// Files of room `from` may include the file `path`, and link to what is made of it.
bool room_may_know(int from, const char *path);

#endif
