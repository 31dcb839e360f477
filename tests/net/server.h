// SPDX-License-Identifier: GPL-3.0-or-later
// server.h: a server of recorded answers on a port of its own of the loopback address, for tests of
// clients: slow, cut off, wrong, as it is told.
#ifndef KMIDI_TESTS_NET_SERVER_H
#define KMIDI_TESTS_NET_SERVER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct recorded {
    const char *path; // "/api/chat"; the answers of a path come in turn, the last again and again
    int status;
    const char *body; // of 300 to 399: where it redirects to
    double delay;     // seconds before the answer
    bool cut;         // the connection ends in the middle of it
} recorded;

// "http://127.0.0.1:PORT" (static). What it is asked is in test_path("asked"), a line each: method,
// path, body. It lives as long as the test program at most; server_stop ends it.
const char *server_start(const recorded *list, size_t n);
void server_stop(void);
const char *server_asked(void); // what it was asked so far (static)

#endif
