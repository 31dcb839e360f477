// SPDX-License-Identifier: GPL-3.0-or-later
// info.h: the parts of `kmidi info`, of which other commands show some.
#ifndef KMIDI_CMD_INFO_H
#define KMIDI_CMD_INFO_H

#include "cmd/cmd.h"

// Library i by its name, with its version as it calls itself; NULL behind the last. Those of the
// matrix products are not among them (gemm.h).
const char *info_library(int i, const char **version);

// info_capacity.c: `kmidi info --capacity`.
bool info_capacity(cmd *c, err *e) MUST_CHECK;

#endif
