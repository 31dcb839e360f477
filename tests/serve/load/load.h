// SPDX-License-Identifier: GPL-3.0-or-later
// load.h: for load.c and hostile.c.
#ifndef KMIDI_TESTS_SERVE_LOAD_LOAD_H
#define KMIDI_TESTS_SERVE_LOAD_LOAD_H

#include <stdbool.h>
#include <stdint.h>

int load_connect(int port); // on loopback; -1
// n hostile requests; how many of each kind were answered, and how, as a line of JSON. 1 where the
// service does not answer /health behind them.
int load_hostile(int port, int n, uint64_t seed);

#endif
