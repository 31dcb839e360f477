// SPDX-License-Identifier: GPL-3.0-or-later
// fields.h: what a body may hold. A field that is missing or null is one that is not given; one of
// another type is an error that names it; one of a name that nobody knows is passed over, as the
// clients' older service does, and told of in "ignored".
//
//     fields f = {q->body, ""};
//     const char *text;
//     fields_text(&f, "message", 4096, &text, e) ...
//
// Errors are ERR_VALUE: "intent.technical.bpm is a number from 20 to 400, and is 0".
#ifndef KMIDI_SERVE_HTTP_FIELDS_H
#define KMIDI_SERVE_HTTP_FIELDS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"

typedef struct fields {
    const json *in;   // an object; NULL: none, so that nothing is given
    const char *path; // "intent.technical.", before names in errors
} fields;

// *out is NULL where it is not given. At most `most` bytes of UTF-8 without U+0000.
bool fields_text(const fields *f, const char *name, size_t most, const char **out,
                 err *e) MUST_CHECK;
// *out stays where it is not given.
bool fields_num(const fields *f, const char *name, double least, double most, double *out,
                err *e) MUST_CHECK;
bool fields_int(const fields *f, const char *name, int64_t least, int64_t most, int64_t *out,
                err *e) MUST_CHECK;
bool fields_flag(const fields *f, const char *name, bool *out, err *e) MUST_CHECK;
bool fields_list(const fields *f, const char *name, size_t most, const json **out,
                 err *e) MUST_CHECK;
// in NULL where it is not given.
bool fields_object(const fields *f, const char *name, arena *a, fields *out, err *e) MUST_CHECK;
// One of "a|b|c", its place in *out.
bool fields_choice(const fields *f, const char *name, const char *choices, int *out,
                   err *e) MUST_CHECK;
bool fields_missing(const fields *f, const char *name, err *e); // false: it must be given

// Adds a sentence for each key that is none of "a|b|c" to the array `to`.
void fields_unknown(const fields *f, const char *names, json *to);

#endif
