// SPDX-License-Identifier: GPL-3.0-or-later
// slurm_ranks.c (tests): batch scripts of runs that several processes share. tests/cluster/check.sh
// hands one to a real Slurm.
#include <stdio.h>
#include <string.h>

#include "base/comm.h"
#include "base/file.h"
#include "tests/test.h"
#include "tests/train/corpus.h"

static bool has_mpi(void)
{
    return !test_shell(NULL, "ldd %s | grep -q libmpi", test_kmidi());
}

TEST(slurm_script_of_ranks)
{
    const char *out, *k = test_kmidi(), *yaml = corpus_make(test_path("corpus"));
    if (!has_mpi()) {
        test_skip("a program made without MPI=1");
        return;
    }
    EXPECT_INT(test_shell(&out,
                          "%s slurm %s --run-dir %s --ranks 4 --threads 2 memory.budget=1GiB "
                          "--margin 90 >/dev/null && cat %s.sbatch",
                          k, yaml, test_path("run"), test_path("run")),
               0);
    // 1 GiB, a sixteenth and 256 MiB are 1344: of each of two cores
    EXPECT_HAS(out, "#SBATCH --ntasks=4\n#SBATCH --cpus-per-task=2\n#SBATCH --mem-per-cpu=673M\n");
    EXPECT_HAS(out, "#SBATCH --signal=TERM@90\n");
    EXPECT_HAS(out, "\nexec srun --mpi=pmi");
    EXPECT_HAS(out, " --kill-on-bad-exit=1 --cpus-per-task=\"$SLURM_CPUS_PER_TASK\" ");
    EXPECT_INT(test_shell(NULL, "bash -n %s.sbatch", test_path("run")), 0);
    EXPECT_INT(test_shell(&out, "%s info", k), 0);
    EXPECT_HAS(out, strstr(out, "MPICH") ? "mpi        MPICH Version: " : "mpi        Open MPI v");
}

TEST(slurm_refuses_ranks_that_cannot_be)
{
    const char *out, *k = test_kmidi(), *yaml = corpus_make(test_path("corpus"));
    bool mpi = has_mpi();
    EXPECT_INT(test_shell(&out, "%s slurm %s --run-dir %s --ranks 1", k, yaml, test_path("run")),
               2);
    EXPECT_HAS(out, "--ranks lies from 2 to 100000, and is 1");
    EXPECT_INT(test_shell(&out, "%s slurm %s --run-dir %s --ranks 3", k, yaml, test_path("run")),
               2);
    EXPECT_HAS(out, mpi ? "a step of 8 items cannot be shared by 3 ranks"
                        : "this one was made without MPI; make it with: make MPI=1");
    EXPECT_INT(test_shell(&out, "%s slurm sweep %s train.seed=1,2 --out %s --ranks 2", k, yaml,
                          test_path("sweep")),
               2);
    EXPECT_HAS(out, "--ranks is not for a sweep");
    EXPECT(!file_exists(test_path("run.sbatch")));
    EXPECT_INT(test_shell(&out, "%s info", k), 0);
    EXPECT_HAS(out, mpi ? "\nmpi        " : "\nmpi        none (make MPI=1)");
}
