// SPDX-License-Identifier: GPL-3.0-or-later
// surroundings.c (tests): what lies about a command: pipes, sockets and folders where files belong,
// a system without /proc, shards that were damaged.
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/test.h"
#include "tests/train/corpus.h"

// Each with one name where a file is read.
static const char *const readers[] = {
    "verify %s",
    "inspect %s",
    "info %s",
    "predict %s configs/models.md",
    "predict $C %s",
    "predict $C --adapter %s a.wav",
    "eval %s --data 'x/*.h5'",
    "eval $C --data %s",
    "train %s --run-dir $D/r1",
    "train --resume %s",
    "train $Y --run-dir $D/r2 init_from=%s",
    "train $Y --run-dir $D/r3 lora.r=2 lora.base=%s",
    "train $Y --run-dir $D/r4 data.train=%s",
    "prepare %s --out $D/s1",
    "prepare configs/data/audio_manifest.yaml --out $D/s2 root=$D index=%s",
    "import %s --model emotion_recognizer -o $D/i.h5",
    "export %s --format onnx -o $D/o.onnx",
    "export $C --format onnx -o $D/o.onnx --adapter %s",
    "merge $C %s -o $D/m.h5",
    "generate %s -e joy -o $D/g.mid",
    "plan %s",
};

static int make_socket(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    size_t n = strlen(path);
    if (n >= sizeof name.sun_path)
        return -1;
    memcpy(name.sun_path, path, n);
    return fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof name) == 0 ? fd : -1;
}

// Runs every reader on `what` and expects a sentence, soon.
static void try_readers(const char *what, const char *checkpoint, const char *yaml)
{
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        char line[800];
        const char *at = strstr(readers[i], "%s"), *out;
        snprintf(line, sizeof line, "%.*s%s%s", (int)(at - readers[i]), readers[i], what, at + 2);
        int rc = test_shell(&out, "D=%s C=%s Y=%s; timeout 9 %s %s </dev/null", test_dir(),
                            checkpoint, yaml, test_kmidi(), line);
        test_expect((rc == 1 || rc == 2) && test_has(out, "kmidi"), __FILE__, __LINE__,
                    "%s: status %d, %s", line, rc, out);
    }
}

TEST(surroundings_nothing_waits_for_a_pipe_or_a_socket)
{
    char yaml[1100], checkpoint[1100], name[1100];
    snprintf(yaml, sizeof yaml, "%s", corpus_make(test_path("data")));
    EXPECT_INT(test_shell(NULL, "%s train %s --run-dir %s/run train.epochs=1", test_kmidi(), yaml,
                          test_dir()),
               0);
    snprintf(checkpoint, sizeof checkpoint, "%s", test_path("run/checkpoints/last.h5"));
    snprintf(name, sizeof name, "%s", test_path("socket"));
    int fd = make_socket(name);
    EXPECT(fd >= 0);
    try_readers(name, checkpoint, yaml);
    close(fd);
    snprintf(name, sizeof name, "%s", test_path("pipe"));
    EXPECT_INT(mkfifo(name, 0600), 0);
    try_readers(name, checkpoint, yaml);
    try_readers("/dev/zero", checkpoint, yaml);
}

TEST(surroundings_a_configuration_may_come_through_a_pipe)
{
    const char *out, *yaml = corpus_make(test_path("data"));
    EXPECT_INT(
        test_shell(&out, "bash -c '%s plan <(sleep 0.3; cat %s) --json'", test_kmidi(), yaml), 0);
    EXPECT_HAS(out, "\"peak_bytes\"");
}

TEST(surroundings_a_run_with_pipes_in_it_is_not_waited_for)
{
    char yaml[1100];
    const char *out;
    snprintf(yaml, sizeof yaml, "%s", corpus_make(test_path("data")));
    for (int i = 0; i < 2; i++) {
        const char *name = i ? "log.txt" : "metrics.jsonl";
        EXPECT_INT(test_shell(NULL, "%s train %s --run-dir %s/run --overwrite train.epochs=1",
                              test_kmidi(), yaml, test_dir()),
                   0);
        EXPECT_INT(test_shell(NULL, "cd %s/run && rm %s && mkfifo %s", test_dir(), name, name), 0);
        EXPECT_INT(test_shell(&out, "timeout 9 %s train --resume %s/run train.epochs=2",
                              test_kmidi(), test_dir()),
                   1);
        EXPECT_HAS(out, name);
    }
}

TEST(surroundings_without_proc_workers_end)
{
    const char *out;
    if (SANITIZED || test_shell(NULL, "unshare -m mount -t tmpfs none /proc") != 0) {
        test_skip("needs the right to hide /proc, and no sanitizer, which reads it");
        return;
    }
    EXPECT_INT(test_shell(&out,
                          "unshare -m sh -c 'mount -t tmpfs none /proc; timeout 30 %s prepare "
                          "configs/data/synth.yaml synth.items=40 "
                          "synth.seconds=0.5 --jobs 3 --quiet --out %s/shards'",
                          test_kmidi(), test_dir()),
               0);
}

// One wrong byte, wherever it stands: a shard whose tables it is in is made again; the report is
// written once.
TEST(surroundings_prepare_ends_and_mends_damaged_shards)
{
    const char *command =
        "configs/data/synth.yaml synth.items=24 synth.seconds=0.3 shard_items=12 --jobs 2 --quiet";
    size_t n;
    arena a = {0};
    err e = {0};
    EXPECT_INT(test_shell(NULL, "%s prepare %s --out %s/s", test_kmidi(), command, test_dir()), 0);
    char *bytes = file_read(&a, test_path("s/train-00000.h5"), 1 << 24, &n, &e);
    EXPECT_OK(bytes != NULL, e);
    for (size_t i = 0; bytes && i < 30; i++) {
        // tables and structure stand near the end
        size_t at = i < 20 ? i * (n / 20) + 100 : n - 300 * (i - 19);
        bytes[at] ^= 0x10;
        EXPECT_OK(file_write(test_path("s/train-00000.h5"), bytes, n, &e), e);
        bytes[at] ^= 0x10;
        int rc = test_shell(NULL, "timeout 20 %s prepare %s --out %s/s", test_kmidi(), command,
                            test_dir());
        test_expect(rc == 0, __FILE__, __LINE__, "byte %zu of %zu: status %d", at, n, rc);
    }
    arena_free(&a);
}
