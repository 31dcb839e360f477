// SPDX-License-Identifier: GPL-3.0-or-later
// spill.h: answers of workers on their way from the first reading of a file to the shard, which is
// not known yet when the file is read.
//
// They wait in a file without a name in the folder of the shards, so that nothing is left of it
// whatever becomes of the process. It is a help and no more: when the disk has no room for it and
// the shards, it gives up, and the files are read again.
//
//     spill *s = spill_open("shards");
//     spill_put(s, number, stamp, &result) ...           numbers rise
//     spill_take(s, number, stamp, &arena, &result) ...  numbers rise; any may be left out
//     spill_close(s);
#ifndef KMIDI_DATA_PREPARE_SPILL_H
#define KMIDI_DATA_PREPARE_SPILL_H

#include "base/arena.h"
#include "base/worker.h"

typedef struct spill spill;

spill *spill_open(const char *dir); // NULL where no file can be made; all functions accept that
void spill_close(spill *s);
// `stamp` says which version of the item's file it was.
void spill_put(spill *s, uint64_t number, uint64_t stamp, const worker_result *r);
// False: it was not kept, or of another version. The result's bytes are owned by `a`.
bool spill_take(spill *s, uint64_t number, uint64_t stamp, arena *a, worker_result *r);

#endif
