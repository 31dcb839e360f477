// SPDX-License-Identifier: GPL-3.0-or-later
// doctor.c (tests): what `kmidi doctor` finds where something is wrong, and where nothing is.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/test.h"
#include "tests/train/corpus.h"
#include "tests/train/small.h"

TEST(doctor_tells_what_there_is)
{
    static const char *const checks[] = {"disk",  "locks",     "clock",      "memory",
                                         "cores", "libraries", "temperature"};
    const char *out;
    arena a = {0};
    EXPECT_INT(test_shell(&out, "KMIDI_SYSFS=%s %s doctor --fast --json --dir %s", test_dir(),
                          test_kmidi(), test_dir()),
               0);
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        EXPECT_HAS(out, arena_printf(&a, "{\"check\": \"%s\", ", checks[i]));
    EXPECT_HAS(out, "{\"check\": \"locks\", \"locks\": true, \"state\": \"ok\", ");
    EXPECT_HAS(out, "\"sensors\": 0, \"state\": \"ok\", \"text\": \"no sensor\"}");
    EXPECT_HAS(out, "\"hdf5\": \"1.1");
    EXPECT_INT(test_shell(&out, "ls -A %s", test_dir()), 0); // nothing of it stays
    EXPECT_STR(out, "");
    EXPECT_INT(test_shell(&out,
                          "cd %s && mkdir -p class/hwmon/hwmon0 && echo 91000 "
                          ">class/hwmon/hwmon0/temp1_input",
                          test_dir()),
               0);
    EXPECT_INT(test_shell(&out, "OMP_NUM_THREADS=4096 KMIDI_SYSFS=%s %s doctor --fast --dir %s",
                          test_dir(), test_kmidi(), test_dir()),
               0);
    EXPECT_HAS(out, "note  temperature  91.0 C, the hottest of 1 sensor");
    EXPECT_HAS(out, "-> train.thermal.pause=95 lets");
    EXPECT_HAS(out, "-> OMP_NUM_THREADS=4096 is more; unset it");
    EXPECT_INT(test_shell(&out, "%s doctor --dir %s/none", test_kmidi(), test_dir()), 1);
    EXPECT_HAS(out, "/none' is no folder");
    arena_free(&a);
}

TEST(doctor_measures_speed)
{
    const char *out;
    EXPECT_INT(test_shell(&out, "%s doctor --json --threads 1", test_kmidi()), 0);
    EXPECT_HAS(out, "{\"check\": \"products\", \"gflops_one_thread\": ");
    EXPECT_HAS(out, "\"should_be_one_thread\": ");
    EXPECT_HAS(out, "{\"check\": \"bandwidth\", \"bytes_per_s_one_thread\": ");
}

// A run that has no room, and a folder where locks cannot be had (which the shim of tests/faults
// makes of this one).
TEST(doctor_finds_what_a_run_would_fail_by)
{
    const char *out, *yaml = corpus_make_songs(test_path("songs"), "dynamics_engine");
    char here[1100], shim[1200];
    snprintf(here, sizeof here, "%s", test_path("small"));
    EXPECT_INT(test_shell(&out, "%s doctor %s --fast --dir %s", test_kmidi(), yaml, test_dir()), 0);
    EXPECT_HAS(out, ", the checkpoints of this run take up to ");
    EXPECT_HAS(out, "; this run takes ");
    snprintf(shim, sizeof shim, "%s", test_self());
    *strrchr(shim, '/') = 0;
    strcat(shim, "/faults/shim.so");
    if (!SANITIZED && file_exists(shim)) {
        EXPECT_INT(test_shell(&out,
                              "KMIDI_FAULT=flock:1:37+ LD_PRELOAD=%s %s doctor --fast --dir %s",
                              shim, test_kmidi(), test_dir()),
                   0);
        EXPECT_HAS(out, "note  locks        cannot be had in '");
        EXPECT_HAS(out, "export HDF5_USE_FILE_LOCKING=FALSE");
    }
    if (test_shell(NULL, "mkdir -p %s && mount -t tmpfs -o size=1m tmpfs %s", here, here)) {
        test_skip("needs the right to mount a small tmpfs");
        return;
    }
    EXPECT_INT(test_shell(&out, "%s doctor %s --fast --dir %s", test_kmidi(), yaml, here), 1);
    EXPECT_HAS(out, "BAD   disk         ");
    EXPECT_HAS(out, "checks found what a run would fail by; the first: disk");
    EXPECT_INT(test_shell(NULL, "umount %s", here), 0);
}
