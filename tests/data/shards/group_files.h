// SPDX-License-Identifier: GPL-3.0-or-later
// group_files.h: shards for tests whose items have classes of two groups: "base" of 2, "node" of 3
// parts of each.
#ifndef KMIDI_TESTS_DATA_SHARDS_GROUP_FILES_H
#define KMIDI_TESTS_DATA_SHARDS_GROUP_FILES_H

#include "tests/data/shards/shard_files.h"

enum { GROUP_FRAMES = 6 };

// Of item `i`: base i % 2, none of every fifth; node 3 base + i % 3, none of every fourth.
int32_t group_file_class(int64_t i, int group);
// Items first .. first + n - 1 of SHARD_BANDS bands into test_path(name), of settings that
// shard_file_write has. What they sound like tells their classes.
const char *group_file_write(const char *name, int64_t first, int64_t n);
// The same with the first groups alone.
const char *group_file_write_some(const char *name, int64_t first, int64_t n, int n_groups);
// Puts in the place of the shard one whose `classes` (0), `class_count` (1) or attribute `groups`
// (2) cannot be, sums and all.
void group_file_spoil(const char *path, int what);

#endif
