// SPDX-License-Identifier: GPL-3.0-or-later
// events.c (tests): the bytes that TensorBoard's own writer makes, and its own reader on a file of
// ours.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/test.h"
#include "tests/train/small.h"
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
                            "%s -c \"from tensorboard.backend.event_processing.event_accumulator "
                            "import EventAccumulator as E; "
                            "a = E('%s'); a.Reload(); print([(s.step, round(s.value, 4)) for s in "
                            "a.Scalars('train/loss')])\" 2>/dev/null",
                            peers, test_dir());
    EXPECT_INT(status, 0);
    EXPECT_HAS(out, "[(10, 1.0), (20, 0.5), (30, 0.3333)]");
    arena_free(&a);
}

// ---- A run of twelve steps in four processes

enum { LAST = 12 };
static int64_t stop_after, kill_after, step_now;

static bool stop_there(void *user)
{
    (void)user;
    return step_now >= stop_after;
}

static void note_step(void *user, const trainer_tick *t)
{
    (void)user;
    step_now = t->step;
    if (t->step >= kill_after)
        _exit(0);
}

static void train_part(const char *dir, bool resume, int64_t stop, int64_t die)
{
    small_run s;
    trainer_result r;
    err e = {0};
    small_open(&s, "dynamics_engine", 8, 10);
    small_validate(&s, 2);
    s.o.epochs = 1000, s.o.max_steps = LAST, s.o.eval_every_steps = 2, s.o.save_every_steps = 3,
    s.o.tensorboard = true;
    s.env.stop = stop_there, s.setup.tick = note_step;
    stop_after = stop, kill_after = die, step_now = 0;
    s.setup.resume = resume ? arena_printf(&s.a, "%s/checkpoints/last.h5", dir) : NULL;
    trainer *t = trainer_open(&s.setup, &s.a, &e);
    folder *f = !t       ? NULL
                : resume ? folder_reopen(dir, NULL, &s.a, &e)
                         : folder_create(dir, false, NULL, &s.a, &e);
    bool ok = t && f && trainer_attach(t, f, &e) && trainer_run(t, &r, &e);
    if (!ok)
        fprintf(stderr, "%s\n", e.text);
    _exit(!ok);
}

static void run_process(const char *dir, bool resume, int64_t stop, int64_t die)
{
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        train_part(dir, resume, stop, die);
    waitpid(child, &status, 0);
    EXPECT_INT(status, 0);
}

// What TensorBoard has of a tag: the steps in the order of the records, each START taking away what
// is not below it.
static void steps_of(const char *dir, const char *tag, strbuf *out)
{
    arena a = {0};
    err e = {0};
    size_t n_files, n, count = 0;
    int64_t steps[200];
    char **list = file_list(&a, dir, "events.out.*", &n_files);
    for (size_t i = 0; i < n_files; i++) {
        char *bytes = file_read(&a, list[i], 1 << 20, &n, &e);
        for (size_t at = 0, size; bytes && at + 16 <= n; at += size + 16) {
            memcpy(&size, bytes + at, 8);
            const uint8_t *event = (const uint8_t *)bytes + at + 12;
            if (size < 12 || event[9] != 0x10) // no step
                continue;
            int64_t step = event[10];
            bool start = event[11] == 0x3a;
            for (size_t k = 0; start && k < count;)
                if (steps[k] >= step)
                    memmove(steps + k, steps + k + 1, sizeof *steps * (--count - k));
                else
                    k++;
            if (!start && memmem(event, size, tag, strlen(tag)))
                steps[count++] = step;
        }
    }
    strbuf_printf(out, "%s", tag);
    for (size_t i = 0; i < count; i++)
        strbuf_printf(out, " %lld", (long long)steps[i]);
    strbuf_printf(out, "\n");
    arena_free(&a);
}

TEST(events_have_every_point_once_after_stops_and_kills)
{
    const char *dir = test_path("run"), *out, *peers = getenv("PEERS_PYTHON");
    static const char train[] = "train/loss 1 2 3 4 5 6 7 8 9 10 11 12\n",
                      val[] = "val/loss 2 4 6 8 10 12\n";
    strbuf seen = {0};
    // asked to stop before its evaluation of step 4, which is saved without
    run_process(dir, false, 4, LAST + 1);
    // killed with step 4 evaluated and step 5 done, nothing saved
    run_process(dir, true, LAST + 1, 5);
    run_process(dir, true, LAST + 1, 8); // killed with step 6 saved
    run_process(dir, true, 7, LAST + 1); // stopped where nothing is due
    run_process(dir, true, LAST + 1, LAST + 1);
    steps_of(dir, "train/loss", &seen);
    EXPECT_STR(seen.s, train);
    seen.len = 0;
    steps_of(dir, "val/loss", &seen);
    EXPECT_STR(seen.s, val);
    strbuf_free(&seen);
    if (!peers)
        return;
    EXPECT_INT(test_shell(&out,
                          "%s -c \"from tensorboard.backend.event_processing.event_accumulator "
                          "import EventAccumulator as E; "
                          "a = E('%s'); a.Reload(); "
                          "[print(t, *[s.step for s in a.Scalars(t)]) for t in ('train/loss', "
                          "'val/loss')]\" 2>/dev/null",
                          peers, dir),
               0);
    EXPECT_HAS(out, train);
    EXPECT_HAS(out, val);
}

TEST(events_name_a_folder_that_cannot_be_written)
{
    arena a = {0};
    err e = {0};
    EXPECT_ERR(events_open("/nonexistent/folder", -1, &a, &e) != NULL, e, ERR_MISSING,
               "/nonexistent/folder");
    arena_free(&a);
}
