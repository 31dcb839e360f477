// SPDX-License-Identifier: GPL-3.0-or-later
// toy.c: a command that says a word so many times.
#include "cmd/cmd.h"

static const option options[] = {
    {"times", 'n', OPT_INT, "N", "how often (default 1)", false},
    {0},
};

static bool run(cmd *c, err *e)
{
    int64_t n = option_int(c, "times", 1);
    if (n < 0)
        return err_set(e, ERR_USAGE, "--times takes a number from 0, not %lld", (long long)n);
    for (int64_t i = 0; i < n; i++)
        cmd_print(c, "%s", c->args[0]);
    return true;
}

const command cmd_toy = {
    .name = "toy",
    .summary = "Says a word",
    .usage = "WORD [--times N]",
    .options = options,
    .args_min = 1,
    .args_max = 1,
    .example = "kmidi toy yes --times 2",
    .run = run,
};
