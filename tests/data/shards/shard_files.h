// SPDX-License-Identifier: GPL-3.0-or-later
// shard_files.h: shards for tests, whose frames tell which item, frame and band they are.
#ifndef KMIDI_TESTS_DATA_SHARDS_SHARD_FILES_H
#define KMIDI_TESTS_DATA_SHARDS_SHARD_FILES_H

#include <stdint.h>

#include "data/shards/shard.h"

enum { SHARD_BANDS = 8 };

// Number `i` has 5 + i % 7 frames, label i % 3 (names ant, bee, cat), -1 where i % 10 == 9, and
// path "iNNNN".
int64_t shard_file_frames(int64_t i);
int32_t shard_file_label(int64_t i);
// 100 i + t + b / 16, exact in f32
float shard_file_value(int64_t i, int64_t t, int b);
// Items first .. first + n - 1 into test_path(name); returns the path.
const char *shard_file_write(const char *name, int64_t first, int64_t n);
const char *shard_file_write_settings(const char *name, int64_t first, int64_t n,
                                      const char *settings);
// Turns a bit of that value of item i, as a disk would.
void shard_file_turn_bit(const char *path, int64_t i, int64_t t, int b);

#endif
