// SPDX-License-Identifier: GPL-3.0-or-later
// regex.h: regular expressions through PCRE2, known to base/regex.c alone. Its dialect is the one
// nearest to Python's `re`, in which PEFT writes patterns; what Python spells otherwise is refused
// or means the same: (?P<name>..) and (?P=name) are understood, \Z is the end of the text or before
// its last newline (Python: the end alone), and PCRE2's recursion and \K have no Python
// counterpart.
//
//     bool found;
//     // the pattern itself is wrong
//     if (!regex_test("layers\\.[0-3]\\..*_proj", name, REGEX_WHOLE, &found, e)) ...
//
// Patterns come from files: a match that would take exponential time is ended and reported, as is a
// pattern that is too large.
#ifndef KMIDI_BASE_REGEX_H
#define KMIDI_BASE_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

typedef enum regex_how {
    REGEX_WHOLE, // re.fullmatch
    REGEX_BEGIN  // re.match: from the first character on
} regex_how;

// ERR_VALUE with the pattern and the place in it where it is wrong.
bool regex_test(const char *pattern, const char *text, regex_how how, bool *found,
                err *e) MUST_CHECK;
// The same; group 1, a number, into *number (-1 where nothing was found, the group is empty, or it
// is no number below 2^31).
bool regex_number(const char *pattern, const char *text, regex_how how, long *number,
                  err *e) MUST_CHECK;

// ---- A pattern with named groups, (?<speaker>\d+)_(?<label>\w+), for many texts
typedef struct regex regex;
regex *regex_open(const char *pattern, regex_how how, err *e) MUST_CHECK;
// The text must be UTF-8 and live as long as its groups are asked for.
bool regex_match(regex *r, const char *text, bool *found, err *e) MUST_CHECK;
int regex_groups(const regex *r); // that have names, in the order of these
const char *regex_group_name(const regex *r, int i);
// of the last match; NULL: none, or the group took no part in it
const char *regex_group(const regex *r, int i, size_t *n);
void regex_close(regex *r); // accepts NULL

const char *regex_library(void); // the library's version, as it calls itself

#endif
