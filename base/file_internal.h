// SPDX-License-Identifier: GPL-3.0-or-later
// file_internal.h: what file_temp.c and file_write.c share.
#ifndef KMIDI_BASE_FILE_INTERNAL_H
#define KMIDI_BASE_FILE_INTERNAL_H

#include <stdbool.h>

#include "base/arena.h"

// What `path` leads to: links are followed, also one whose target is not there yet. NULL and ELOOP
// when they go in a circle.
const char *file_follow(arena *a, const char *path);
// that /dev/stdout, /dev/fd/3 and the like stand for; -1: none
int file_descriptor(const char *path);
void file_forget(const char *temp); // it is in place or gone

#endif
