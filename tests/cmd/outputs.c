// SPDX-License-Identifier: GPL-3.0-or-later
// outputs.c (tests): where a command writes to: devices, pipes, links, names and folders of every
// kind, limits, closed descriptors.
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/h5.h"
#include "base/str.h"
#include "checkpoint/checkpoint.h"
#include "tests/test.h"
#include "tests/train/small.h"

#define RUN(want, ...) EXPECT_INT(test_shell(&out, __VA_ARGS__), want)

// DIR/m.h5 of a small model.
static const char *make_model(const char *model)
{
    static char path[600];
    small_run s;
    err e = {0};
    snprintf(path, sizeof path, "%s", test_path("m.h5"));
    small_open(&s, model, 2, 1);
    params *p = params_open(&s.a);
    EXPECT_OK(model_build(s.o.model, p, &(model_dims){.batch = 1, .time = 1}, &s.a, &e) &&
                  params_allocate(p, 0, &e) &&
                  checkpoint_save(path, &(checkpoint_content){.model = s.o.model, .params = p}, &e),
              e);
    params_release(p);
    small_close(&s);
    return path;
}

TEST(outputs_go_into_devices_and_pipes)
{
    const char *out, *k = test_kmidi(), *m = make_model("dynamics_engine"), *d = test_dir();
    struct stat st;
    RUN(0,
        "mkdir %s/t && cp -a /dev/null %s/t/null && cp -a /dev/full %s/t/full && mkfifo %s/t/pipe "
        "&& %s export %s --format safetensors -o "
        "%s/x",
        d, d, d, d, k, m, d);
    RUN(0,
        "%s export %s --format safetensors -o %s/t/null && %s export %s --format onnx -o %s/t/null",
        k, m, d, k, m, d);
    EXPECT(stat(test_path("t/null"), &st) == 0 && S_ISCHR(st.st_mode));
    RUN(0,
        "cat %s/t/pipe >%s/piped & %s export %s --format safetensors -o %s/t/pipe && wait && cmp "
        "%s/piped %s/x",
        d, d, k, m, d, d, d);
    EXPECT(stat(test_path("t/pipe"), &st) == 0 && S_ISFIFO(st.st_mode));
    RUN(0, "%s export %s --format safetensors -o /dev/stdout | cmp - %s/x", k, m, d);
    RUN(0,
        "{ %s export %s --format safetensors -o /dev/stdout; echo more; } >%s/two && { cat %s/x; "
        "echo more; } | cmp - %s/two",
        k, m, d, d, d);
    RUN(1, "%s export %s --format safetensors -o %s/t/full", k, m, d);
    EXPECT_HAS(out, "full' cannot be written: No space left on device");
    // HDF5 goes back and forth in its file
    RUN(2, "%s import %s/x --model dynamics_engine -o %s/t/null", k, d, d);
    EXPECT_HAS(out, "is no regular file");
    RUN(2, "%s import %s/x --model dynamics_engine -o %s/t/pipe", k, d, d);
    RUN(0, "ls %s/t", d);
    EXPECT_STR(out, "full\nnull\npipe\n");
}

TEST(outputs_follow_links_and_replace_their_targets)
{
    const char *out, *k = test_kmidi(), *m = make_model("dynamics_engine"), *d = test_dir();
    RUN(0,
        "cd %s && mkdir there && echo old >there/a && ln -s there/a link && ln -s there/b dangling "
        "&& ln -s round round",
        d);
    RUN(0,
        "cd %s && K=$OLDPWD && cd $K && %s export %s --overwrite --format safetensors -o %s/link "
        "&& %s export "
        "%s --format safetensors -o %s/dangling",
        d, k, m, d, k, m, d);
    RUN(0,
        "cd %s && test -L link && test -L dangling && cmp there/a there/b && test ! -L there/a && "
        "ls there",
        d);
    EXPECT_STR(out, "a\nb\n");
    RUN(0,
        "%s import %s/there/a --model dynamics_engine -o %s/link && test -L %s/link && %s verify "
        "%s/there/a",
        k, d, d, d, k, d);
    RUN(1, "%s export %s --format safetensors -o %s/round", k, m, d);
    EXPECT_HAS(out, "symbolic links");
}

TEST(outputs_that_cannot_be_are_refused_before_the_work)
{
    const char *out, *k = test_kmidi(), *m = make_model("dynamics_engine"), *d = test_dir();
    char name[300];
    arena a = {0};
    const struct {
        const char *path, *says;
        int status;
    } cases[] = {{test_dir(), "is a folder; name a file to write", 2},
                 {test_path("new/"), "is a folder", 2},
                 {test_path("no/such/x"), "No such file or directory; make its folder first", 1},
                 {arena_printf(&a, "%s/m.h5/x", d), "Not a directory", 1},
                 {"", "is empty", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static const char *const lines[] = {"export %s --format onnx -o '%s'",
                                            "export %s --format safetensors -o '%s'",
                                            "plan %s --svg '%s'",
                                            "merge %s none -o '%s'",
                                            "import %s --model dynamics_engine -o '%s'",
                                            "generate %s --emotion joy -o '%s'",
                                            "generate %s --emotion joy -o x.mid -w '%s'"};
        for (size_t j = 0; j < sizeof lines / sizeof *lines; j++) {
            char line[1500];
            snprintf(line, sizeof line, lines[j], j == 0 ? m : "/no/input", cases[i].path);
            RUN(cases[i].status, "%s %s", k, line);
            test_expect(test_has(out, cases[i].says), __FILE__, __LINE__, "%s: %s", line, out);
        }
    }
    // The longest name that there can be leaves no room for a mark behind it.
    memset(name, 'n', 255);
    name[255] = 0;
    RUN(0,
        "%s export %s --format safetensors -o %s/%s && test -s %s/%s && test $(ls %s | wc -l) = 2",
        k, m, d, name, d, name, d);
    RUN(0, "%s import %s/%s --model dynamics_engine -o %s/m.h5 && test $(ls %s | wc -l) = 2", k, d,
        name, d, d);
    RUN(1, "%s export %s --format safetensors -o %s/%sn", k, m, d, name);
    EXPECT_HAS(out, "File name too long");
    arena_free(&a);
}

TEST(outputs_under_a_limit_of_file_sizes_end_in_a_sentence)
{
    const char *out, *k = test_kmidi(), *m = make_model("groove_predictor"), *d = test_dir();
    static const char *const lines[] = {"export %s --format onnx -o %s/x.onnx",
                                        "export %s --format safetensors -o %s/x.safetensors"};
    for (size_t i = 0; i < 2; i++) {
        char line[1500];
        snprintf(line, sizeof line, lines[i], m, d);
        RUN(1, "ulimit -f 20; %s %s", k, line);
        EXPECT_HAS(out, "File too large; raise the limit of file sizes (ulimit -f)");
    }
    RUN(0, "%s export %s --format safetensors -o %s/ok", k, m, d);
    RUN(1, "ulimit -f 20; %s import %s/ok --model groove_predictor -o %s/y.h5", k, d, d);
    EXPECT_HAS(out, "File too large");
    RUN(1, "ulimit -f 20; %s synth %s/c --items 2 --seconds 3", k, d);
    EXPECT_HAS(out, "File too large");
    RUN(0, "find %s -name '*.tmp-*'; ls %s", d, d);
    EXPECT_STR(out, "c\nm.h5\nok\n");
}

TEST(outputs_on_a_full_disk_leave_nothing_half)
{
    const char *out, *k = test_kmidi(), *m = make_model("melody_transformer"), *d = test_dir();
    if (test_shell(&out, "mkdir %s/full && mount -t tmpfs -o size=2m tmpfs %s/full", d, d) != 0) {
        test_skip("needs the right to mount a small tmpfs");
        return;
    }
    RUN(1, "%s export %s --format onnx -o %s/full/x", k, m, d);
    EXPECT_HAS(out, "No space left on device; make room there, or name another place");
    RUN(1, "%s export %s --format safetensors -o %s/full/x", k, m, d);
    RUN(0, "%s export %s --format safetensors -o %s/x", k, m, d);
    RUN(1, "%s import %s/x --model melody_transformer -o %s/full/x.h5", k, d, d);
    EXPECT_HAS(out, "No space left on device");
    RUN(1, "%s synth %s/full/c --items 20 --seconds 4", k, d);
    EXPECT_HAS(out, "No space left on device");
    RUN(0, "find %s/full -name '*.tmp-*'; ls %s/full", d, d);
    EXPECT_STR(out, "c\n");
    RUN(0, "umount %s/full", d);
}

// What was killed while it wrote left a temporary file; the next of that name removes it, and no
// other.
TEST(outputs_sweep_what_a_killed_process_left)
{
    const char *out, *k = test_kmidi(), *m = make_model("dynamics_engine"), *d = test_dir();
    arena a = {0};
    const char *own = file_temp(&a, test_path("x")); // of this process, which lives
    char *dead = arena_strdup(&a, own);
    strcpy(strrchr(dead, '-'), "-99999999");
    RUN(0, "touch %s %s/y.tmp-notes '%s' && %s export %s --format safetensors -o %s/x && ls %s",
        dead, d, own, k, m, d, d);
    EXPECT_HAS(out, "y.tmp-notes\n");
    EXPECT(!file_exists(dead));
    EXPECT(file_exists(own));
    file_discard(own);
    arena_free(&a);
}

// The next file that is opened gets the number of a descriptor that is closed; what is written
// there must not be a log.
TEST(outputs_stay_clean_when_standard_descriptors_are_closed)
{
    static const char *const closed[] = {"<&-",     ">&-",      "2>&-",
                                         "<&- >&-", "<&- 2>&-", "<&- >&- 2>&-"};
    const char *out, *k = test_kmidi(), *d = test_dir();
    RUN(0,
        "%s prepare configs/data/synth.yaml --out %s/s features=[dynamics] synth.items=16 "
        "synth.seconds=20",
        k, d);
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
        RUN(0,
            "%s train configs/dynamics_engine.yaml --run-dir %s/r%zu data.train='%s/s/train-*.h5' "
            "data.val='%s/s/val-*.h5' train.epochs=1 "
            "train.batch_size=4 "
            "train.threads=1 optim.lr=1e-3 %s",
            k, d, i, d, d, closed[i]);
        RUN(0,
            "! grep -v '^{.*}$' %s/r%zu/metrics.jsonl && %s verify %s/r%zu/checkpoints/last.h5 "
            ">/dev/null && test -s %s/r%zu/log.txt",
            d, i, k, d, i, d, i);
        RUN(0,
            "%s synth %s/c%zu --items 1 --seconds 1 %s && %s verify %s/c%zu/wav/00000.wav && head "
            "-c 1 %s/c%zu/manifest.jsonl",
            k, d, i, closed[i], k, d, i, d, i);
        EXPECT_HAS(out, "{");
    }
}
