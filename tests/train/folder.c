// SPDX-License-Identifier: GPL-3.0-or-later
// folder.c (tests): what a run's folder refuses, keeps and removes.
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "tests/test.h"
#include "train/folder.h"

static arena mem;

static folder *make(const char *path, bool overwrite, err *e)
{
    folder *f = folder_create(path, overwrite, NULL, &mem, e);
    return f && folder_write(f, "config.yaml", "x", 1, e) ? f : NULL;
}

TEST(folder_is_not_written_into_twice)
{
    err e = {0};
    folder *f = make(test_path("run"), false, &e);
    EXPECT_OK(f != NULL, e);
    EXPECT_ERR(make(test_path("run"), true, &e) != NULL, e, ERR_IO, "is in use by another kmidi");
    folder_close(f);
    EXPECT_ERR(make(test_path("run"), false, &e) != NULL, e, ERR_USAGE, "already holds a run");
    EXPECT_OK(file_write(test_path("run/notes.txt"), "mine", 4, &e), e);
    EXPECT_OK(file_write(test_path("run/checkpoints/last.h5"), "x", 1, &e), e);
    f = make(test_path("run"), true, &e);
    EXPECT_OK(f != NULL, e);
    EXPECT(file_exists(test_path("run/notes.txt")) &&
           !file_exists(test_path("run/checkpoints/last.h5")));
    folder_close(f);
    EXPECT_OK(file_make_dirs(test_path("photos"), &e) &&
                  file_write(test_path("photos/a.jpg"), "x", 1, &e),
              e);
    EXPECT_ERR(make(test_path("photos"), true, &e) != NULL, e, ERR_USAGE,
               "files that are no run's");
    EXPECT(file_exists(test_path("photos/a.jpg")));
    arena_free(&mem);
}

// A folder's name is a name, not a pattern: nothing beside it is touched.
TEST(folder_names_are_not_patterns)
{
    err e = {0};
    folder *one = make(test_path("one"), false, &e), *star = make(test_path("*"), false, &e),
           *list = make(test_path("[on]ne"), false, &e);
    EXPECT_OK(one && star && list, e);
    folder_close(one), folder_close(star), folder_close(list);
    star = make(test_path("*"), true, &e);
    EXPECT_OK(star != NULL, e);
    EXPECT(file_exists(test_path("one/config.yaml")));
    EXPECT_ERR(make(test_path("[on]ne"), false, &e) != NULL, e, ERR_USAGE, "already holds a run");
    folder_close(star);
    arena_free(&mem);
}

TEST(folder_cuts_metrics_and_marks_ends)
{
    err e = {0};
    size_t n;
    folder *f = make(test_path("run"), false, &e);
    EXPECT_OK(f && folder_metric(f, "one", 3, &e) && folder_metric(f, "two", 3, &e) &&
                  folder_sync(f, &e),
              e);
    EXPECT_INT(f->metrics_bytes, 8);
    folder_mark(f, "STOPPED", "why");
    folder_close(f);
    EXPECT_OK(file_write(test_path("run/checkpoints/last.h5.tmp-1"), "x", 1, &e), e);
    f = folder_reopen(test_path("run"), NULL, &mem, &e);
    EXPECT_OK(f && folder_cut(f, 4, &e) && folder_metric(f, "three", 5, &e), e);
    EXPECT(file_exists(test_path("run/STOPPED"))); // the caller's to take away, once it goes on
    folder_mark(f, NULL, NULL);
    EXPECT(!file_exists(test_path("run/STOPPED")));
    EXPECT_STR(file_read(&mem, test_path("run/metrics.jsonl"), 100, &n, &e), "one\nthree\n");
    EXPECT(!folder_take_save(f));
    EXPECT_OK(file_write(test_path("run/SAVE"), "", 0, &e), e);
    EXPECT(folder_take_save(f) && !folder_take_save(f));
    folder_mark(f, "DONE", "all steps");
    EXPECT(file_exists(test_path("run/DONE")));
    folder_close(f);
    arena_free(&mem);
}
