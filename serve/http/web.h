// SPDX-License-Identifier: GPL-3.0-or-later
// web.h: HTTP, by libmicrohttpd, which web.c alone knows. It reads requests, refuses what may not
// be asked, has the others answered (route.h), here or by the queue, and sends what came of it.
//
//     how much        a body (door.h), connections
//     how long        a request, head and body, so many seconds; an answer may take the client six
//                     times as many to read (guests.h)
//
// Requests are logged by method, route, status, time and size; of what is in them, nothing.
#ifndef KMIDI_SERVE_HTTP_WEB_H
#define KMIDI_SERVE_HTTP_WEB_H

#include "serve/http/door.h"
#include "serve/http/gate.h"
#include "serve/http/queue.h"

typedef struct web_setup {
    const gate *gate;
    door door;
    int connections; // at once; more wait to be accepted
    double patience; // seconds for a request to come
    house *house;
} web_setup;

typedef struct web web;

// ERR_MISSING: there is no libmicrohttpd.
web *web_open(const web_setup *s, err *e) MUST_CHECK;
// From here on requests are taken; the queue's `done` is web_done.
bool web_start(web *w, queue *q, err *e) MUST_CHECK;
void web_done(job *j);
// Once in a while: ends connections that are late.
void web_sweep(web *w);
void web_quiesce(web *w);        // no new connections from here on
int web_under_way(const web *w); // requests that have begun to come and are not answered
void web_close(web *w);          // accepts NULL; nothing is in the queue any more
const char *web_library(void);   // the library's version, as it calls itself

#endif
