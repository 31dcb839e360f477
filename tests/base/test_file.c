// SPDX-License-Identifier: GPL-3.0-or-later
// Files: whole or not there, whatever happens while they are written.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hw.h"
#include "base/str.h"
#include "tests/test.h"

TEST(file_write_and_read)
{
    arena a = {0};
    err e = {0};
    size_t n;
    const char *path = test_path("x.bin");
    EXPECT_OK(file_write(path, "a\0b", 3, &e), e);
    char *s = file_read(&a, path, 10, &n, &e);
    EXPECT_INT(n, 3);
    EXPECT(s && memcmp(s, "a\0b", 4) == 0);
    EXPECT_OK(file_write(path, "", 0, &e), e);
    s = file_read(&a, path, 10, &n, &e);
    EXPECT(s && n == 0);
    EXPECT(file_exists(path) && !file_exists(test_path("y")));
    arena_free(&a);
}

TEST(file_read_refuses)
{
    arena a = {0};
    err e = {0};
    size_t n;
    const char *path = test_path("x");
    EXPECT_OK(file_write(path, "0123456789", 10, &e), e);
    EXPECT_ERR(file_read(&a, path, 9, &n, &e), e, ERR_VALUE, "larger than 9 B");
    EXPECT(file_read(&a, path, 10, &n, &e) != NULL);
    EXPECT_ERR(file_read(&a, "/dev/zero", 100000, &n, &e), e, ERR_VALUE, "/dev/zero");
    EXPECT_ERR(file_read(&a, test_path("gone"), 9, &n, &e), e, ERR_MISSING, "gone");
    EXPECT_ERR(file_read(&a, test_dir(), 9, &n, &e), e, ERR_IO, "is a folder");
    // its size is said to be 0
    EXPECT(file_read(&a, "/proc/self/status", 1 << 20, &n, &e) || access("/proc", F_OK) != 0);
    arena_free(&a);
}

TEST(file_write_failures_are_named)
{
    err e = {0};
    EXPECT_ERR(file_write("/nowhere/at/all", "x", 1, &e), e, ERR_MISSING, "'/nowhere/at/all'");
    EXPECT_OK(file_make_dirs(test_path("d/e"), &e), e);
    EXPECT_ERR(file_write(test_path("d"), "x", 1, &e), e, ERR_IO, "cannot be put in place");
    EXPECT_INT(test_shell(NULL, "test -z \"$(find %s -name '*.tmp-*')\"", test_dir()), 0);
}

TEST(file_make_dirs_like_mkdir_p)
{
    err e = {0};
    EXPECT_OK(file_make_dirs(test_path("a/b//c/"), &e), e);
    EXPECT_OK(file_make_dirs(test_path("a/b/c"), &e), e);
    EXPECT(file_exists(test_path("a/b/c")));
    EXPECT_OK(file_make_dirs("/", &e), e);
    EXPECT_OK(file_write(test_path("f"), "x", 1, &e), e);
    EXPECT_ERR(file_make_dirs(test_path("f/g"), &e), e, ERR_IO, "cannot be made");
    EXPECT_ERR(file_make_dirs(test_path("f"), &e), e, ERR_IO, "Not a directory");
}

TEST(file_glob_sorts)
{
    arena a = {0};
    err e = {0};
    size_t n;
    static const char *const names[] = {"b.h5", "B.h5", "a-10.h5", "a-9.h5", "c.txt"};
    for (size_t i = 0; i < 5; i++)
        EXPECT_OK(file_write(test_path(names[i]), "", 0, &e), e);
    char **paths = file_glob(&a, test_path("*.h5"), &n, &e);
    EXPECT_INT(n, 4);
    EXPECT_STR(path_base(paths[0]), "B.h5");
    EXPECT_STR(path_base(paths[1]), "a-10.h5");
    EXPECT_STR(path_base(paths[3]), "b.h5");
    EXPECT_ERR(file_glob(&a, test_path("*.wav"), &n, &e) != NULL, e, ERR_MISSING, "*.wav");
    EXPECT_INT(n, 0);
    arena_free(&a);
}

// A child rewrites a file without end; whenever it is killed, the file is one whole version.
// Names of what is there are no patterns, whatever characters they have.
TEST(file_glob_takes_names_as_they_are)
{
    static const char *const names[] = {
        "sh [1], ä/a-0.h5", "sh [1], ä/a-1.h5", "sh 1, ä/a-9.h5", "x*.h5", "xy.h5",
        "b?/c.h5",          "w\\z/d.h5"};
    arena a = {0};
    err e = {0};
    size_t n;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *path = arena_strdup(&a, test_path(names[i]));
        EXPECT_OK(file_make_dirs(path_dir(&a, path), &e) && file_write(path, "x", 1, &e), e);
    }
    char **paths = file_glob(&a, test_path("sh [1], ä/a-*.h5"), &n, &e);
    EXPECT_OK(paths && n == 2, e);
    EXPECT(paths && n == 2 && str_ends(paths[0], "/sh [1], ä/a-0.h5") &&
           str_ends(paths[1], "/sh [1], ä/a-1.h5"));
    paths = file_glob(&a, test_path("x*.h5"), &n, &e); // the file of that name, not both
    EXPECT(paths && n == 1 && str_ends(paths[0], "/x*.h5"));
    paths = file_glob(&a, test_path("x[x-z].h5"), &n, &e); // none is called so: a pattern
    EXPECT(paths && n == 1 && str_ends(paths[0], "/xy.h5"));
    paths = file_glob(&a, test_path("b?/*.h5"), &n, &e);
    EXPECT(paths && n == 1 && str_ends(paths[0], "/b?/c.h5"));
    paths = file_glob(&a, test_path("w\\z/?.h5"), &n, &e);
    EXPECT(paths && n == 1 && str_ends(paths[0], "/w\\z/d.h5"));
    EXPECT_ERR(file_glob(&a, test_path("sh [1], ä/*.wav"), &n, &e) != NULL, e, ERR_MISSING,
               "sh [1], ä/*.wav");
    arena_free(&a);
}

TEST(file_write_is_atomic_under_kill)
{
    enum { SIZE = 300000, KILLS = 12 };
    const char *path = test_path("x");
    static char block[SIZE];
    err e = {0};
    EXPECT_OK(file_write(path, block, SIZE, &e), e);
    for (int k = 0; k < KILLS; k++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0)
            for (char v = 1;; v = (char)(v % 100 + 1)) {
                memset(block, v, SIZE);
                if (!file_write(path, block, SIZE, NULL))
                    _exit(1);
            }
        usleep((useconds_t)(3000 + 2777 * k));
        kill(child, SIGKILL);
        int status;
        waitpid(child, &status, 0);
        EXPECT(WIFSIGNALED(status));
        arena a = {0};
        size_t n = 0, same = 0;
        char *s = file_read(&a, path, SIZE, &n, &e);
        while (s && same < n && s[same] == s[0])
            same++;
        EXPECT_INT(same, SIZE);
        arena_free(&a);
    }
    file_sweep(test_dir());
    EXPECT_INT(test_shell(NULL, "test \"$(ls -A %s)\" = x", test_dir()), 0);
}

TEST(file_sweep_spares_the_living)
{
    arena a = {0};
    err e = {0};
    const char *mine = file_temp(&a, test_path("mine"));
    char *other_host = arena_printf(&a, "%s.tmp-elsewhere-99999999", test_path("theirs"));
    char *no_temp = arena_printf(&a, "%s.tmp-notes", test_path("user"));
    EXPECT_HAS(mine, "mine.tmp-");
    char *dead = arena_strdup(&a, mine);
    strcpy(strrchr(dead, '-'), "-99999999");
    const char *const all[] = {mine, other_host, no_temp, dead};
    for (size_t i = 0; i < 4; i++) {
        FILE *f = fopen(all[i], "w");
        CHECK(f && fclose(f) == 0);
    }
    file_sweep(test_dir());
    EXPECT(file_exists(mine) && file_exists(other_host) && file_exists(no_temp) &&
           !file_exists(dead));
    EXPECT_INT(test_shell(NULL, "touch -d '3 days ago' %s", other_host), 0);
    file_sweep(test_dir());
    EXPECT(!file_exists(other_host) && file_exists(mine));
    file_sweep("/nowhere");
    EXPECT_OK(file_write(test_path("z"), "", 0, &e), e);
    arena_free(&a);
}

TEST(file_write_on_a_full_disk_keeps_the_old_file)
{
    err e = {0};
    arena a = {0};
    size_t n;
    const char *dir = test_path("full"), *out;
    EXPECT_OK(file_make_dirs(dir, &e), e);
    if (test_shell(&out, "mount -t tmpfs -o size=64k tmpfs %s", dir) != 0) {
        test_skip("needs the right to mount a small tmpfs");
        return;
    }
    char *path = path_join(&a, dir, "x"), *large = arena_alloc(&a, 100000, 1);
    EXPECT_OK(file_write(path, "old", 3, &e), e);
    EXPECT_ERR(file_write(path, large, 100000, &e), e, ERR_IO, "No space left on device");
    EXPECT_STR(file_read(&a, path, 10, &n, &e), "old");
    EXPECT_INT(test_shell(&out, "test \"$(ls -A %s)\" = x", dir), 0);
    EXPECT_INT(test_shell(&out, "umount %s", dir), 0);
    arena_free(&a);
}

// A temporary name that could not be removed may still be another name of a file that is kept.
TEST(file_is_never_written_through_a_name_that_was_there)
{
    arena a = {0};
    size_t n;
    const char *kept = test_path("kept"), *out = test_path("out"), *temp = file_temp(&a, out);
    EXPECT(file_write(kept, "kept", 4, NULL));
    EXPECT_INT(link(kept, temp), 0);
    EXPECT(file_write(out, "new", 3, NULL));
    EXPECT_STR(file_read(&a, kept, 100, &n, NULL), "kept");
    EXPECT_STR(file_read(&a, out, 100, &n, NULL), "new");
    EXPECT(!file_exists(temp));
    arena_free(&a);
}
