// SPDX-License-Identifier: GPL-3.0-or-later
// two_shards.c: two files, opened as one data set (two_shards.h).
#include "tests/data/loader/two_shards.h"

#include "data/loader/example.h"
#include "tests/test.h"

dataset *two_shards(int64_t n)
{
    err e = {0};
    const char *patterns[] = {shard_file_write("t-0.h5", 0, n / 2),
                              shard_file_write("t-1.h5", n / 2, n - n / 2)};
    dataset *d = dataset_open(patterns, 2, example_find("mel"), &e);
    test_expect(d != NULL, __FILE__, __LINE__, "%s", e.text);
    return d;
}
