// SPDX-License-Identifier: GPL-3.0-or-later
// regex.h: regular expressions through PCRE2, known to base/regex.c alone. Its dialect is the one nearest to Python's `re`, in which PEFT
// writes patterns; what Python spells otherwise is refused or means the same: (?P<name>..) and (?P=name) are understood, \Z is the end of
// the text or before its last newline (Python: the end alone), and PCRE2's recursion and \K have no Python counterpart.
//
//     bool found;
//     if (!regex_test("layers\\.[0-3]\\..*_proj", name, REGEX_WHOLE, &found, e)) ...     // the pattern itself is wrong
//
// Patterns come from files: a match that would take exponential time is ended and reported, as is a pattern that is too large.
#ifndef KMIDI_BASE_REGEX_H
#define KMIDI_BASE_REGEX_H

#include <stdbool.h>

#include "base/err.h"

typedef enum regex_how {
    REGEX_WHOLE, // re.fullmatch
    REGEX_BEGIN  // re.match: from the first character on
} regex_how;

// ERR_VALUE with the pattern and the place in it where it is wrong.
bool regex_test(const char *pattern, const char *text, regex_how how, bool *found, err *e) MUST_CHECK;
// The same; group 1, a number, into *number (-1 where nothing was found, the group is empty, or it is no number below 2^31).
bool regex_number(const char *pattern, const char *text, regex_how how, long *number, err *e) MUST_CHECK;

const char *regex_library(void); // the library's version, as it calls itself

#endif
