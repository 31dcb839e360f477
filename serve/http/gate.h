// SPDX-License-Identifier: GPL-3.0-or-later
// gate.h: the address that a service listens at, and who may name it.
//
//     gate g;
//     gate_open(&g, "127.0.0.1:0", e)             g.fd, g.url "http://127.0.0.1:40123"
//     gate_knows("localhost:40123", names)        of a request's Host header
//
// A browser that visits a hostile page can be made to ask this machine under that page's own name
// (DNS rebinding). So a Host must be an address in numbers, localhost, or a name that was given.
#ifndef KMIDI_SERVE_HTTP_GATE_H
#define KMIDI_SERVE_HTTP_GATE_H

#include <stdbool.h>

#include "base/err.h"

typedef struct gate {
    int fd;        // listens
    bool loopback; // nobody beyond this machine can reach it
    char url[80];
} gate;

// "HOST:PORT", "[::1]:PORT", "PORT" (of 127.0.0.1); HOST in numbers or localhost; port 0: any that
// is free. ERR_USAGE: it is none; ERR_IO: in use, or not this machine's.
bool gate_open(gate *g, const char *listen, err *e) MUST_CHECK;
void gate_close(gate *g);
// `names` ends with NULL; may itself be NULL.
bool gate_knows(const char *host, const char *const *names);

#endif
