// SPDX-License-Identifier: GPL-3.0-or-later
// walk.h: the files of a folder and all below it, whose names end alike, always in the same order.
//
//     walk *w = walk_open("/data/lakh", NULL, midi_endings, WALK_DEPTH, e);
//     for (pull s; (s = walk_next(w, &path, e)) != PULL_END;) ...
//     walk_close(w);
//
// Folders are entered where their name comes in the sorted order (bytes, not locale). Names that
// begin with a dot are skipped, others that do not fit too. A folder that cannot be read, a
// symbolic link that leads nowhere or back, and a folder reached by two links are named (PULL_BAD)
// and skipped. Memory: the names of one folder a level, about 50 bytes each; no folder is held
// open.
#ifndef KMIDI_DATA_READERS_WALK_H
#define KMIDI_DATA_READERS_WALK_H

#include "base/err.h"
#include "base/pull.h"

enum { WALK_DEPTH = 32 }; // levels of folders, the root is the first

typedef struct walk walk;

// `below`: the folder in root to begin in, or NULL. `endings`: ended by NULL, whatever the case;
// they outlive the walk. `depth` levels are read, deeper folders are left alone. ERR_MISSING,
// ERR_IO: the folder cannot be read.
walk *walk_open(const char *root, const char *below, const char *const *endings, int depth,
                err *e) MUST_CHECK;
// The path is relative to root (not to `below`), and lives until the next call.
pull walk_next(walk *w, const char **path, err *e);
void walk_close(walk *w); // accepts NULL

#endif
