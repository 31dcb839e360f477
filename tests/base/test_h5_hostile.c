// SPDX-License-Identifier: GPL-3.0-or-later
// HDF5 files that are damaged, cut, or no HDF5 files: one sentence each, and never a crash.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/h5.h"
#include "base/rng.h"
#include "tests/test.h"

enum { ROWS = 40, WIDTH = 16 };
static const char *const TEXTS[] = {"one.wav", "two.wav", "three.wav",
                                    "a longer name of a file.wav"};

// All that a shard or a checkpoint has: data in one piece and in chunks, texts, attributes of every
// kind, groups.
static void write_sample(const char *path)
{
    static float data[ROWS * WIDTH];
    err e = {0};
    for (uint32_t i = 0; i < ROWS * WIDTH; i++)
        data[i] = test_fill(9, i, 1);
    h5 *f = h5_create(path, &e);
    EXPECT_OK(h5_write(f, "params/fc1.weight", (h5_shape){H5_F32, 2, {ROWS, WIDTH}}, data, &e), e);
    EXPECT_OK(h5_write(f, "path", (h5_shape){H5_TEXT, 1, {4}}, TEXTS, &e), e);
    h5_series *s = h5_series_open(f, "mel", (h5_shape){H5_F32, 1, {WIDTH}}, 16, &e);
    EXPECT_OK(h5_series_add(s, data, ROWS, &e), e);
    EXPECT_OK(h5_series_close(s, &e), e);
    EXPECT_OK(h5_set_text(f, "/", "model", "emotion_recognizer", &e), e);
    EXPECT_OK(h5_set_int(f, "state", "step", 1234567, &e), e);
    EXPECT_OK(h5_set_num(f, "state", "best", 0.25, &e), e);
    EXPECT_OK(h5_commit(f, &e), e);
}

static void write_bytes(const char *path, const char *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    CHECK(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

static char *sample_bytes(arena *a, size_t *n)
{
    err e = {0};
    const char *path = test_path("sample.h5");
    write_sample(path);
    return file_read(a, path, (size_t)1 << 30, n, &e);
}

// Reads everything there is. False with a sentence when anything was refused.
static bool read_all(const char *path, err *e)
{
    arena a = {0};
    h5 *f = h5_open(path, e);
    if (!f)
        return false;
    float mel[ROWS * WIDTH], weight[ROWS * WIDTH];
    size_t sets, names_n;
    uint64_t n = 0;
    int64_t step = 0;
    double best = 0;
    char **texts = NULL, *model = NULL, **names;
    bool ok = h5_verify(f, &sets, e) && h5_list(f, "/", &a, &names, &names_n, e) &&
              h5_attributes(f, "state", &a, &names, &names_n, e) &&
              h5_get_text(f, "/", "model", &a, &model, e) &&
              h5_get_int(f, "state", "step", &step, e) &&
              h5_get_num(f, "state", "best", &best, e) &&
              h5_read(f, "mel", (h5_shape){H5_F32, 2, {ROWS, WIDTH}}, mel, e) &&
              h5_read(f, "params/fc1.weight", (h5_shape){H5_F32, 2, {ROWS, WIDTH}}, weight, e) &&
              h5_read_texts(f, "path", &a, &texts, &n, e);
    if (ok) { // what was not refused is right
        bool same = sets == 3 && n == 4 && strcmp(model, "emotion_recognizer") == 0 &&
                    step == 1234567 && best == 0.25;
        for (uint32_t i = 0; same && i < ROWS * WIDTH; i++)
            same = mel[i] == test_fill(9, i, 1) && weight[i] == mel[i];
        for (uint64_t i = 0; same && i < n; i++)
            same = strcmp(texts[i], TEXTS[i]) == 0;
        if (!same)
            ok = err_set(e, ERR_INTERNAL, "changed content was read without an error");
    }
    h5_close(f);
    arena_free(&a);
    return ok;
}

TEST(h5_tells_apart_what_is_no_hdf5_file)
{
    err e = {0};
    arena a = {0};
    size_t n;
    char *bytes = sample_bytes(&a, &n);
    const char *path = test_path("x.h5");
    EXPECT_ERR(read_all(test_path("gone.h5"), &e), e, ERR_MISSING, "gone.h5");
    EXPECT_ERR(read_all(test_dir(), &e), e, ERR_IO, "a file is needed here");
    write_bytes(path, "", 0);
    EXPECT_ERR(read_all(path, &e), e, ERR_EMPTY, "is empty");
    write_bytes(path, "RIFF....WAVEfmt ", 16);
    EXPECT_ERR(read_all(path, &e), e, ERR_FORMAT, "is not an HDF5 file");
    for (size_t cut = 1; cut < n - n / 4; cut += n / 3) {
        write_bytes(path, bytes, n - cut);
        EXPECT_ERR(read_all(path, &e), e, ERR_DAMAGED,
                   arena_printf(&a,
                                "x.h5' is cut short: %zu of its %zu bytes are missing; copy it "
                                "again or make it anew",
                                cut, n));
    }
    for (size_t cut = 1; cut < n; cut += 1 + cut / 20) {
        write_bytes(path, bytes, cut);
        e.code = ERR_NONE;
        test_expect(!read_all(path, &e) && (e.code == ERR_DAMAGED || e.code == ERR_FORMAT),
                    __FILE__, __LINE__, "cut to %zu: %s", cut, e.text);
    }
    arena_free(&a);
}

TEST(h5_names_the_dataset_with_a_flipped_bit)
{
    err e = {0};
    arena a = {0};
    size_t n, at;
    float first = test_fill(9, 0, 1), out[ROWS * WIDTH];
    char *bytes = sample_bytes(&a, &n);
    for (at = 0; at < n - 4 && memcmp(bytes + at, &first, 4) != 0;)
        at++;
    bytes[at + 100] ^= 1;
    write_bytes(test_path("x.h5"), bytes, n);
    size_t sets;
    h5 *f = h5_open(test_path("x.h5"), &e);
    EXPECT_ERR(h5_verify(f, &sets, &e), e, ERR_DAMAGED, "dataset 'params/fc1.weight' is damaged");
    EXPECT_ERR(h5_read(f, "params/fc1.weight", (h5_shape){H5_F32, 2, {ROWS, WIDTH}}, out, &e), e,
               ERR_DAMAGED, "'params/fc1.weight'");
    EXPECT_OK(h5_read(f, "mel", (h5_shape){H5_F32, 2, {ROWS, WIDTH}}, out, &e), e);
    h5_close(f);
    arena_free(&a);
}

// In a child, since the library itself might crash: 0 refused or right, 1 wrong content, else how
// the child died.
static int try_bytes(const char *bytes, size_t n)
{
    const char *path = test_path("mutant.h5");
    write_bytes(path, bytes, n);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        err e = {0};
        signal(SIGSEGV, SIG_DFL), signal(SIGABRT, SIG_DFL), signal(SIGFPE, SIG_DFL),
            signal(SIGBUS, SIG_DFL);
        alarm(20);
        _exit(!read_all(path, &e) && e.code == ERR_INTERNAL);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void mutate(const char *what, uint64_t seed, int trials, int flips, bool whole_bytes)
{
    arena a = {0};
    size_t n;
    char *bytes = sample_bytes(&a, &n), *changed = arena_alloc(&a, n, 1);
    rng r = rng_stream(seed, what, 0);
    for (int t = 0; t < trials; t++) {
        memcpy(changed, bytes, n);
        for (int k = 0; k < flips; k++) {
            uint32_t at = rng_below(r, (uint64_t)t, (uint32_t)(2 * k), (uint32_t)n),
                     word = rng_u32(r, (uint64_t)t, (uint32_t)(2 * k + 1));
            changed[at] =
                (char)(whole_bytes ? word : (uint32_t)(unsigned char)changed[at] ^ 1u << word % 8);
        }
        int status = try_bytes(changed, n);
        test_expect(status == 0, __FILE__, __LINE__, "%s, seed %d, trial %d: status %d", what,
                    (int)seed, t, status);
    }
    arena_free(&a);
}

// A file of 315 KiB into a file system of `kib`, in a child, which tells by its status what it saw:
// 0 written and right, 3 refused for want of room and nothing left behind.
static int write_into(const char *dir, int kib)
{
    static float data[5000 * WIDTH];
    const char *path = test_path("full/x.h5");
    err e = {0};
    arena a = {0};
    size_t n;
    uint64_t free_bytes = (uint64_t)kib << 10;
    for (uint32_t i = 0; i < 5000 * WIDTH; i++)
        data[i] = test_fill(9, i, 1);
    h5 *f = h5_create(path, &e);
    bool ok = f && h5_set_text(f, "/", "model", "x", &e);
    h5_series *s = ok ? h5_series_open(f, "mel", (h5_shape){H5_F32, 1, {WIDTH}}, 100, &e) : NULL;
    for (uint64_t i = 0; s && ok && i < 5000; i += 50)
        ok = h5_series_add(s, data + i * WIDTH, 50, &e);
    if (s)
        ok = h5_series_close(s, &e) && ok;
    ok = f && h5_commit(f, &e) && ok; // even though something failed before
    if (ok) {
        f = h5_open(path, &e);
        ok = f && h5_verify(f, &n, &e) && free_bytes > 5000 * WIDTH * 4;
        h5_close(f);
        return ok ? 0 : 1;
    }
    char **left = file_glob(&a, arena_printf(&a, "%s/*", dir), &n, NULL);
    return !left && strstr(e.text, "No space left on device") ? 3 : 2;
}

TEST(h5_full_disk_leaves_nothing_behind)
{
    const char *dir = test_path("full"), *out;
    err e = {0};
    EXPECT_OK(file_make_dirs(dir, &e), e);
    for (int kib = 4; kib <= 400; kib += kib < 32 ? 4 : 23) {
        if (test_shell(&out, "mount -t tmpfs -o size=%dk tmpfs %s", kib, dir) != 0) {
            test_skip("needs the right to mount a small tmpfs");
            return;
        }
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            exit(write_into(dir, kib)); // exit and not _exit: the library's own end must work too
        }
        int status = 0;
        waitpid(child, &status, 0);
        test_expect(WIFEXITED(status) && WEXITSTATUS(status) == (kib > 325 ? 0 : 3), __FILE__,
                    __LINE__, "%d KiB: wait status %x", kib, status);
        EXPECT_INT(test_shell(NULL, "umount %s", dir), 0);
    }
}

static int trials(int usual)
{
    const char *times = getenv("KMIDI_FUZZ");
    return usual * (times ? atoi(times) : 1);
}

TEST(h5_survives_flipped_bits)
{
    mutate("one bit", 1, trials(250), 1, false);
}

TEST(h5_survives_changed_bytes)
{
    mutate("three bytes", 2, trials(150), 3, true);
}
