// SPDX-License-Identifier: GPL-3.0-or-later
// ranges.h: numbers on the command line that must lie within bounds, both included. ERR_USAGE:
// "--tempo lies from 20 to 400, and is 0".
#ifndef KMIDI_CMD_RANGES_H
#define KMIDI_CMD_RANGES_H

#include "cmd/cmd.h"

typedef struct option_range {
    const char *option; // NULL ends a list
    double least, most;
} option_range;

// Options of numbers and sizes that are given; what is not given is the command's own.
bool ranges_hold(const cmd *c, const option_range *list, err *e) MUST_CHECK;
// A whole number, given or not, into *out.
bool cmd_in_range(cmd *c, const char *name, int64_t fallback, int64_t lo, int64_t hi, int64_t *out,
                  err *e) MUST_CHECK;

#endif
