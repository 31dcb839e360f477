// SPDX-License-Identifier: GPL-3.0-or-later
// slurm.c (tests): the text of batch scripts, and handing them in. Slurm's commands are small
// scripts here; tests/cluster/ does it with the real ones.
#include "base/slurm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cmd/slurm_script.h"
#include "tests/cmd/fake.h"
#include "tests/test.h"
#include "tests/train/corpus.h"

#define BARE "env -u SLURM_JOB_ID -u SLURM_ARRAY_JOB_ID "

static const char *script(const char *name)
{
    static arena a;
    size_t n;
    err e = {0};
    char *text = file_read(&a, test_path(name), 1 << 16, &n, &e);
    EXPECT_OK(text != NULL, e);
    return text ? text : "";
}

TEST(slurm_reads_times)
{
    arena a = {0};
    EXPECT_NEAR(slurm_seconds("1-02:03:04"), 93784, 0);
    EXPECT_NEAR(slurm_seconds("02:03:04"), 7384, 0);
    EXPECT_NEAR(slurm_seconds("2:03"), 123, 0);
    EXPECT_NEAR(slurm_seconds("0:00"), 0, 0);
    static const char *const none[] = {"",        "UNLIMITED", "INVALID", "5",  "-1:00",
                                       "1:2:3:4", "1:00x",     "NOT_SET", "1-", "1:-2"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        test_expect(slurm_seconds(none[i]) == -1, __FILE__, __LINE__, "'%s' is a time", none[i]);
    EXPECT_STR(slurm_time("90", &a), "0-01:30:00");
    EXPECT_STR(slurm_time("4h", &a), "0-04:00:00");
    EXPECT_STR(slurm_time("1d12h", &a), "1-12:00:00");
    EXPECT_STR(slurm_time("3h30m", &a), "0-03:30:00");
    EXPECT_STR(slurm_time("1-12:00:00", &a), "1-12:00:00");
    EXPECT_STR(slurm_time("12:00:00", &a), "0-12:00:00");
    static const char *const bad[] = {"",  "h",   "4x",      "4h3d", "-5",
                                      "0", "4h5", "9999999", "4 h",  "1:2:3:4"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        test_expect(!slurm_time(bad[i], &a), __FILE__, __LINE__, "'%s' is a time", bad[i]);
    arena_free(&a);
}

TEST(slurm_script_of_a_run)
{
    const char *out, *k = test_kmidi(), *yaml = corpus_make(test_path("corpus"));
    char dir[1100], real[4200];
    snprintf(dir, sizeof dir, "%s", test_path("long run"));
    EXPECT(realpath(k, real) != NULL);
    EXPECT_INT(test_shell(&out,
                          BARE
                          "%s slurm %s --run-dir '%s' --time 4h --threads 3 memory.budget=1GiB "
                          "--partition short --sbatch --account=band 'optim.betas=[0.9, 0.9]'",
                          k, yaml, dir),
               0);
    EXPECT_HAS(out, "sbatch '");
    const char *text = script("long run.sbatch");
    EXPECT_HAS(text, "#!/bin/bash\n");
    EXPECT_HAS(text, "#SBATCH --job-name=kmidi-long-run\n");
    EXPECT_HAS(text, "long run.%j.out\"\n#SBATCH --open-mode=append\n#SBATCH --time=0-04:00:00\n"
                     "#SBATCH --partition=short\n#SBATCH --ntasks=1\n#SBATCH --cpus-per-task=3\n"
                     "#SBATCH --mem=1344M\n#SBATCH --account=band\n");
    EXPECT_HAS(text, "#SBATCH --signal=B:TERM@120\n");
    EXPECT_HAS(text, "#SBATCH --requeue\n");
    EXPECT_HAS(text, "export KMIDI_REQUEUE=50\n");
    EXPECT(!strstr(text, "--array"));
    arena a = {0};
    EXPECT_HAS(
        text, arena_printf(&a,
                           "\nexec %s train %s --run-dir '%s' --resume auto --threads "
                           "\"$SLURM_CPUS_PER_TASK\" memory.budget=1GiB 'optim.betas=[0.9, 0.9]'\n",
                           str_quoted(&a, real), str_quoted(&a, yaml), dir));
    EXPECT_INT(test_shell(&out, "bash -n '%s.sbatch'", dir), 0);
    arena_free(&a);
}

TEST(slurm_script_of_a_chain_and_one_that_was_changed)
{
    const char *out, *k = test_kmidi(), *yaml = corpus_make(test_path("corpus"));
    char line[3000];
    snprintf(line, sizeof line, BARE "%s slurm %s --run-dir %s --chain 6 --requeue 0", k, yaml,
             test_path("r"));
    EXPECT_INT(test_shell(&out, "%s", line), 0);
    const char *text = script("r.sbatch");
    EXPECT_HAS(text, "#SBATCH --array=1-6%1\n");
    EXPECT_HAS(text, "#SBATCH --no-requeue\n");
    EXPECT_HAS(text, "/r.%A_%a.out\n");
    EXPECT(!strstr(text, "KMIDI_REQUEUE"));
    EXPECT_INT(test_shell(&out, "%s && echo '# mine' >>%s", line, test_path("r.sbatch")), 0);
    EXPECT_INT(test_shell(&out, "%s", line), 2);
    EXPECT_HAS(out, "is there and says something else; hand it in as it is by: sbatch ");
    EXPECT_HAS(script("r.sbatch"), "# mine");
    EXPECT_INT(test_shell(&out, "%s --overwrite", line), 0);
    EXPECT(!strstr(script("r.sbatch"), "# mine"));
}

TEST(slurm_script_of_a_sweep)
{
    const char *out, *k = test_kmidi(), *yaml = corpus_make(test_path("corpus"));
    char line[3000], set[1100];
    snprintf(set, sizeof set, "%s", test_path("rates"));
    snprintf(line, sizeof line,
             BARE "%s slurm sweep %s optim.lr=1e-3,3e-4 train.seed=1..3 --out %s --threads 2 "
                  "--time 1h --at-once 4 memory.budget=1GiB memory.micro_batch=8",
             k, yaml, set);
    EXPECT_INT(test_shell(&out, "%s", line), 0);
    EXPECT_HAS(out, "rates.sbatch\n");
    const char *text = script("rates.sbatch");
    EXPECT_HAS(text, "# 6 runs of the sweep ");
    EXPECT_HAS(text, "/rates.%A_%a.out\n");
    EXPECT_HAS(text, "#SBATCH --array=1-6%4\n#SBATCH --ntasks=1\n#SBATCH --cpus-per-task=2\n"
                     "#SBATCH --mem=");
    EXPECT_HAS(text, "#SBATCH --requeue\n");
    arena a = {0};
    EXPECT_HAS(text, arena_printf(&a,
                                  " sweep --out %s --run \"$SLURM_ARRAY_TASK_ID\" --threads "
                                  "\"$SLURM_CPUS_PER_TASK\"\n",
                                  set));
    EXPECT_INT(test_shell(&out, "bash -n %s.sbatch && %s runs %s --csv -q | grep -c ,waiting,", set,
                          k, set),
               0);
    EXPECT_STR(out, "6\n");
    // by its folder, in fewer jobs; and without sbatch
    EXPECT_INT(test_shell(&out,
                          BARE "PATH=/nonexistent %s slurm %s --parts 4 --mem 3GiB --submit "
                               "--overwrite",
                          k, set),
               1);
    EXPECT_HAS(out, "sbatch cannot be started here; '");
    EXPECT_HAS(out, "rates.sbatch' is written; where Slurm is: sbatch ");
    text = script("rates.sbatch");
    EXPECT_HAS(text, "#SBATCH --array=1-4\n");
    EXPECT_HAS(text, "#SBATCH --mem=3072M\n");
    EXPECT_HAS(text, " --run \"$SLURM_ARRAY_TASK_ID/4\" ");
    fake_command("sbatch", "echo 57");
    EXPECT_INT(test_shell(&out,
                          BARE "PATH=%s:/usr/bin:/bin %s slurm sweep --out %s --overwrite --submit "
                               "--json -q",
                          test_path("bin"), k, set),
               0);
    EXPECT_HAS(out, "\"job\": \"57\"");
    EXPECT_HAS(fake_said("sbatch"), "/rates.sbatch\n");
    arena_free(&a);
}

TEST(slurm_hands_in)
{
    const char *out, *k = test_kmidi(), *yaml = corpus_make(test_path("corpus"));
    char line[4200], bin[1100];
    snprintf(bin, sizeof bin, "%s", test_path("bin"));
    snprintf(line, sizeof line, BARE "PATH=%s:/usr/bin:/bin %s slurm %s --run-dir %s --submit", bin,
             k, yaml, test_path("run"));
    fake_command("sbatch", "echo '41;cluster'");
    EXPECT_INT(test_shell(&out, "%s --json", line), 0);
    EXPECT_HAS(out, "\"job\": \"41\"");
    EXPECT_HAS(fake_said("sbatch"), "--parsable ");
    EXPECT_HAS(fake_said("sbatch"), "/run.sbatch\n");
    fake_command("sbatch", "echo 'sbatch: error: invalid account' >&2; exit 1");
    EXPECT_INT(test_shell(&out, "%s", line), 1);
    EXPECT_HAS(out, "sbatch: error: invalid account");
    EXPECT_INT(test_shell(&out, "rm %s; %s slurm prepare data/synth --out %s --parts 4 --submit",
                          test_path("bin/sbatch"), k, test_path("set")),
               0 + 1);
}

TEST(slurm_script_stands_where_sbatch_is_missing)
{
    const char *out, *k = test_kmidi();
    char set[1100];
    snprintf(set, sizeof set, "%s", test_path("set"));
    EXPECT_INT(test_shell(&out,
                          "PATH=/nonexistent %s slurm prepare data/synth --out %s --parts 4 "
                          "--threads 2 --submit synth.items=40",
                          k, set),
               1);
    EXPECT_HAS(out, "sbatch cannot be started here; '");
    EXPECT_HAS(out, "set.sbatch' is written; where Slurm is: sbatch ");
    const char *text = script("set.sbatch");
    EXPECT_HAS(text, "#SBATCH --array=1-4\n");
    EXPECT_HAS(
        text,
        " --jobs \"$SLURM_CPUS_PER_TASK\" --shard \"$SLURM_ARRAY_TASK_ID/4\" synth.items=40\n");
    EXPECT_HAS(script("set-merge.sbatch"), " --merge=4 synth.items=40\n");
    EXPECT(!strstr(script("set-merge.sbatch"), "--array"));
    EXPECT_INT(
        test_shell(&out,
                   "%s slurm prepare data/synth --out %s --parts 4 --threads 2 synth.items=40", k,
                   set),
        0);
    EXPECT_HAS(out, "sbatch --dependency=afterok:JOB ");
}

TEST(slurm_refuses_what_cannot_be)
{
    static const struct {
        const char *line, *says;
        int status;
    } cases[] = {
        {"$Y", "name the run's folder", 2},
        {"$Y --run-dir $D/r optim.lt=3", "optim.l", 2},
        {"$Y --run-dir $D/r optim.lr=no", "optim.lr", 2},
        {"$Y --run-dir $D/r --time soon", "--time takes minutes", 2},
        {"$Y --run-dir $D/r --time 1 --margin 60", "--margin 60 leaves nothing", 2},
        {"$Y --run-dir $D/r --margin 0", "--margin lies from 1", 2},
        {"$Y --run-dir $D/r --chain 0", "--chain lies from 1", 2},
        {"$Y --run-dir $D/r --chain 3 --at-once 2", "leave --at-once out", 2},
        {"$Y --run-dir $D/r --parts 3", "--parts is not for a run", 2},
        {"$Y --run-dir $D/r --mem 5", "--mem takes a size", 2},
        {"$Y --run-dir $D/r --requeue -1", "--requeue lies from 0", 2},
        {"$Y --run-dir $D/r --sbatch account=x", "--sbatch takes one option of sbatch", 2},
        {"$Y --run-dir $D/r --threads 0", "--threads lies from 1", 2},
        {"$Y extra --run-dir $D/r", "'extra' is one argument too many", 2},
        {"$Y --run-dir $D/r --partition 'a\"b'", "has a quotation mark", 2},
        {"$D/none.yaml --run-dir $D/r", "none.yaml", 1},
        {"sweep $Y train.seed=1,2", "name the sweep's folder", 2},
        {"sweep $Y train.seed=1,no --out $D/s", "train.seed", 2},
        {"sweep $Y train.seed=1,2 --out $D/s --time soon", "--time takes minutes", 2},
        {"sweep $Y train.seed=1,2 --out $D/s --parts 0", "--parts lies from 1", 2},
        {"sweep $Y train.seed=1,2 --out $D/s --chain 2", "--chain is not for a sweep", 2},
        {"sweep --out $D/s train.seed=1", "name the configuration", 2},
        {"sweep --out $D/s", "holds no plan of a sweep", 1},
        {"prepare data/synth --out $D/s", "prepare needs three things", 2},
        {"prepare data/synth --out $D/s --parts 0", "--parts lies from 1", 2},
        {"prepare data/synth --out $D/s --parts 3 --chain 2", "--chain is not for prepare", 2},
        {"prepare data/synth --out $D/s --parts 3 synth.item=2", "synth.item", 2},
        {"prepare data/none --out $D/s --parts 3", "data/none", 1},
    };
    const char *out, *yaml = corpus_make(test_path("corpus"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status = test_shell(&out, "Y=%s; D=%s; %s slurm %s", yaml, test_dir(), test_kmidi(),
                                cases[i].line);
        test_expect(status == cases[i].status && strstr(out, cases[i].says), __FILE__, __LINE__,
                    "slurm %s: %d, %s", cases[i].line, status, out);
    }
    EXPECT_INT(test_shell(&out, "ls %s | grep sbatch", test_dir()), 1);
}
