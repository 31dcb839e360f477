// SPDX-License-Identifier: GPL-3.0-or-later
// http.h: one question to an HTTP server and its answer, through libcurl, the one file that knows
// it.
//
//     http_answer got = {0};
//     http_ask(&(http_question){.url = "http://localhost:11434/api/tags", .seconds = 5}, &got, e)
//     ... got.status, got.body.s ...
//     strbuf_free(&got.body)
//
// Only http and https, no redirects (a server that sends one is told of in the error), no proxy,
// whatever the environment says: what is asked goes to the host that is named, or nowhere. The
// answer may be HTTP_BYTES long and take so many seconds, connecting a fifth of them.
#ifndef KMIDI_NET_HTTP_H
#define KMIDI_NET_HTTP_H

#include "base/env.h"
#include "base/err.h"
#include "base/str.h"

enum { HTTP_BYTES = 8 << 20 };

typedef struct http_question {
    const char *url;
    const char *body; // JSON, sent by POST; NULL: GET
    double seconds;
    const env *env; // asked whether to stop; may be NULL
} http_question;

typedef struct http_answer {
    int status; // 200, 404 ...
    strbuf body;
} http_answer;

// False where there is no whole answer: ERR_TIMEOUT, ERR_STOPPED, ERR_VALUE (too long), ERR_IO (no
// connection, one that was cut, a redirect, a URL that is none), each naming the URL. Any status is
// an answer.
bool http_ask(const http_question *q, http_answer *out, err *e) MUST_CHECK;
const char *http_library(void); // the library's version, as it calls itself

#endif
