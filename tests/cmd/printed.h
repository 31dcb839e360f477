// SPDX-License-Identifier: GPL-3.0-or-later
// printed.h: what a command printed with --json.
#ifndef KMIDI_TESTS_CMD_PRINTED_H
#define KMIDI_TESTS_CMD_PRINTED_H

#include "base/json.h"

// Its last line, to json_free; the test fails where that is none.
json *printed_last(const char *out);

#endif
