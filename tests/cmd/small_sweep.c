// SPDX-License-Identifier: GPL-3.0-or-later
// small_sweep.c: see small_sweep.h.
#include "tests/cmd/small_sweep.h"

#include <stdio.h>
#include <sys/wait.h>

#include "tests/test.h"
#include "tests/train/corpus.h"

place small_sweep_place(void)
{
    place p;
    snprintf(p.yaml, sizeof p.yaml, "%s", corpus_make_songs(test_path("songs"), "dynamics_engine"));
    snprintf(p.dir, sizeof p.dir, "%s", test_path("sweep"));
    return p;
}

void small_sweep_states(const char *dir, const char *want)
{
    const char *out;
    EXPECT_INT(test_shell(&out, "%s runs %s --csv -q | cut -d, -f1,2 | tail -n +2 | tr '\\n' ' '",
                          test_kmidi(), dir),
               0);
    EXPECT_STR(out, want);
}

int small_sweep_ended(pid_t pid, bool wait)
{
    int status = 0;
    if (waitpid(pid, &status, wait ? 0 : WNOHANG) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
