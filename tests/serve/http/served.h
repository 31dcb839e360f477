// SPDX-License-Identifier: GPL-3.0-or-later
// served.h: `kmidi serve` on a free port, in a process of its own, and a client that sends what it
// is told, byte for byte.
//
//     served_start("melody.h5 --workers 1");
//     reply r = served_ask("POST", "/generate", "application/json", "{...}");
//     EXPECT_INT(r.status, 200); ... json_get(r.json, "status") ... reply_free(&r);
//     EXPECT_INT(served_stop(SIGTERM), 0);
#ifndef KMIDI_TESTS_SERVE_HTTP_SERVED_H
#define KMIDI_TESTS_SERVE_HTTP_SERVED_H

#include "base/json.h"
#include "base/str.h"

// Words of a command line, blanks between them; what has no slash and ends with .h5 is a test_path.
// False, and a failed test, where it does not begin. One at a time.
bool served_start(const char *args);
int served_pid(void);
int served_kill(int signal);   // 0: it was sent
int served_stop(int signal);   // its exit status, 128 + signal where that ended it
const char *served_host(void); // "127.0.0.1:40123"
const char *served_log(void);  // what it wrote to standard error so far (static)

typedef struct reply {
    int status; // 0: there is no whole answer
    strbuf head, body;
    json *json; // of the body; NULL: it is none
} reply;

// Bytes of a request as they are.
int served_connect(void); // a socket; -1
void served_send(int fd, const char *bytes, size_t n);
reply served_read(int fd); // until the answer is whole or the connection ends; closes it
reply served_raw(const char *bytes, size_t n);
// body NULL: none. `headers` are whole lines, each with its \r\n; may be "".
reply served_with(const char *method, const char *path, const char *headers, const char *body,
                  size_t n);
reply served_ask(const char *method, const char *path, const char *type, const char *body);
void reply_free(reply *r);
// Of the error's sentence; "" where there is none.
const char *reply_detail(const reply *r);

#endif
