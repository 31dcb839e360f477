// SPDX-License-Identifier: GPL-3.0-or-later
// answer.h: what a request gets: a status, a type and bytes. Errors are {"detail": "a sentence",
// "status_code": 422, "request_id": "4f0c81aa"}.
#ifndef KMIDI_SERVE_HTTP_ANSWER_H
#define KMIDI_SERVE_HTTP_ANSWER_H

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

enum { ANSWER_ID = 9 }; // bytes of a request's name, 8 hexadecimal digits

typedef struct answer {
    int status;       // 200, 422 ...
    const char *type; // static; "application/json"
    strbuf body;
} answer;

void answer_json(answer *a, json *j); // 200; takes j
void answer_file(answer *a, const char *type, strbuf *bytes);
// The sentence as {"detail"}; what was there is gone.
void answer_refuse(answer *a, int status, const char *id, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
// The same of an error: 422 where the request is at fault, 504 and 413 where it took too long or
// too much, 409 where no model for it is open, else 500.
void answer_error(answer *a, const char *id, const err *e);
void answer_free(answer *a);

// Whether an Accept header names this type, and neither JSON nor anything at all.
bool answer_wanted(const char *accept, const char *type);

// ---- Across processes
// One behind the other; one of status 0 stays such.
void answer_pack(const answer *a, strbuf *out);
// How many of the bytes are it. 0: these bytes are none.
size_t answer_unpack(const void *bytes, size_t n, answer *a);

#endif
