// SPDX-License-Identifier: GPL-3.0-or-later
// two_shards.h: a data set of mel frames in two files, for tests of the loader.
#ifndef KMIDI_TESTS_DATA_LOADER_TWO_SHARDS_H
#define KMIDI_TESTS_DATA_LOADER_TWO_SHARDS_H

#include "data/loader/dataset.h"
#include "tests/data/shards/shard_files.h"

// Items 0 .. n - 1 (shard_files.h), half of them in test_path("t-0.h5"), the others in t-1.h5.
dataset *two_shards(int64_t n);

#endif
