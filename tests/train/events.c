// SPDX-License-Identifier: GPL-3.0-or-later
// events.c (tests): the bytes that TensorBoard's own writer makes, and its own reader on a file of ours.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "tests/test.h"
#include "train/events.h"

static const char *hex(const uint8_t *bytes, size_t n)
{
    static char text[2 * EVENTS_RECORD + 1];
    for (size_t i = 0; i < n; i++)
        sprintf(text + 2 * i, "%02x", bytes[i]);
    return text;
}

TEST(events_have_the_golden_bytes)
{
    uint8_t record[EVENTS_RECORD];
    size_t n = events_version_record(1.0, record);
    EXPECT_STR(hex(record, n), "1800000000000000"
                               "a37f4b22"
                               "09000000000000f03f1a0d627261696e2e4576656e743a32"
                               "86bf577a");
    n = events_scalar_record(1.0, 7, "loss", 0.5f, record);
    EXPECT_STR(hex(record, n), "1a00000000000000"
                               "129bd82d"
                               "09000000000000f03f10072a0d0a0b0a046c6f7373150000003f"
                               "862c9a2f");
    n = events_session_record(1.0, 300, record);
    EXPECT_STR(hex(record + 12, n - 16), "09000000000000f03f10ac023a020801");
}

TEST(events_are_read_by_tensorboard)
{
    arena a = {0};
    err e = {0};
    const char *peers = getenv("PEERS_PYTHON"), *out;
    if (!peers) {
        test_skip("PEERS_PYTHON does not name a Python with tensorboard");
        return;
    }
    events *v = events_open(test_dir(), -1, &a, &e);
    EXPECT_OK(v != NULL, e);
    for (int i = 1; v && i <= 3; i++)
        EXPECT_OK(events_scalar(v, i * 10, "train/loss", 1.0 / i, &e), e);
    EXPECT_OK(events_flush(v, &e), e);
    events_close(v);
    int status = test_shell(&out,
                            "%s -c \"from tensorboard.backend.event_processing.event_accumulator import EventAccumulator as E; "
                            "a = E('%s'); a.Reload(); print([(s.step, round(s.value, 4)) for s in a.Scalars('train/loss')])\" 2>/dev/null",
                            peers, test_dir());
    EXPECT_INT(status, 0);
    EXPECT_HAS(out, "[(10, 1.0), (20, 0.5), (30, 0.3333)]");
    arena_free(&a);
}

TEST(events_name_a_folder_that_cannot_be_written)
{
    arena a = {0};
    err e = {0};
    EXPECT_ERR(events_open("/nonexistent/folder", -1, &a, &e) != NULL, e, ERR_MISSING, "/nonexistent/folder");
    arena_free(&a);
}
