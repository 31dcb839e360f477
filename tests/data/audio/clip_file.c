// SPDX-License-Identifier: GPL-3.0-or-later
// clip_file.c (tests): a read that fails is no end of the file, and is not forgotten.
#include "data/audio/clip_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/test.h"

TEST(clip_file_tells_a_failure_from_the_end)
{
    char b[8] = {0};
    EXPECT(file_write(test_path("x"), "abcdef", 6, NULL));
    clip_file f = {.fd = open(test_path("x"), O_RDONLY)};
    EXPECT_INT(clip_file_read(&f, b, 4, 1), 4);
    EXPECT(!memcmp(b, "bcde", 4));
    EXPECT_INT(clip_file_read(&f, b, 4, 4), 2);
    EXPECT_INT(clip_file_read(&f, b, 4, 6), 0);
    EXPECT_INT(f.failure, 0);
    close(f.fd);
    f.fd = open(test_path("x"), O_WRONLY); // not to be read
    EXPECT_INT(clip_file_read(&f, b, 4, 0), -1);
    EXPECT_INT(f.failure, EBADF);
    close(f.fd);
    f.fd = open(test_path("x"), O_RDONLY);
    EXPECT_INT(clip_file_read(&f, b, 4, 0), -1);
    close(f.fd);
}
