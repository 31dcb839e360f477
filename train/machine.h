// SPDX-License-Identifier: GPL-3.0-or-later
// machine.h: files of what was measured on this machine, in $XDG_CACHE_HOME/kmidi (or
// ~/.cache/kmidi): NAME-HASH.json, a hash of what the measurement depends on. They save time and
// hold nothing else: one that cannot be read is made anew, one that cannot be written is no error.
// Each is replaced whole, so of two processes at once the later one's stays.
//
// What was measured says when, and how busy the machine was then.
#ifndef KMIDI_TRAIN_MACHINE_H
#define KMIDI_TRAIN_MACHINE_H

#include "base/arena.h"
#include "base/json.h"

// NULL where there is no home for it
const char *machine_file(const char *name, const char *key, arena *a);
// NULL where there is none, or none that makes sense; path may be NULL
json *machine_read(const char *path, arena *a);
void machine_keep(const char *path, const json *file, arena *a);
// "measured_at" (seconds since 1970) and "load" (the last minute's, of all cores)
void machine_stamp(json *object);
// not older than 90 days, nor taken under a load that is gone now
bool machine_stands(const json *object);

#endif
