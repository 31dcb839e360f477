// SPDX-License-Identifier: GPL-3.0-or-later
// regex.c: see regex.h.
#include "base/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

// A pattern of a few module names takes some hundred steps for each name.
enum { PATTERN_MOST = 4096, MATCH_STEPS = 100000, DEPTH_STEPS = 1000, HEAP_KIB = 4096 };

static pcre2_code *compile(const char *pattern, regex_how how, err *e)
{
    int code;
    PCRE2_SIZE at;
    PCRE2_UCHAR text[200];
    if (strlen(pattern) > PATTERN_MOST) {
        (void)err_set(e, ERR_VALUE, "a pattern of %zu characters is longer than the %d that are taken", strlen(pattern), PATTERN_MOST);
        return NULL;
    }
    uint32_t options = PCRE2_UTF | PCRE2_ANCHORED | (how == REGEX_WHOLE ? PCRE2_ENDANCHORED : 0);
    pcre2_code *c = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &code, &at, NULL);
    if (c)
        return c;
    pcre2_get_error_message(code, text, sizeof text);
    (void)err_set(e, ERR_VALUE, "'%s' is no regular expression: %s at character %zu", pattern, (const char *)text, (size_t)at + 1);
    return NULL;
}

static long group_number(const char *text, const PCRE2_SIZE *at, uint32_t pairs)
{
    if (pairs < 2 || at[2] == PCRE2_UNSET || at[3] - at[2] > 9 || at[3] == at[2])
        return -1;
    char digits[16] = {0};
    memcpy(digits, text + at[2], at[3] - at[2]);
    return strspn(digits, "0123456789") == strlen(digits) ? strtol(digits, NULL, 10) : -1;
}

static bool run(const char *pattern, const char *text, regex_how how, bool *found, long *number, err *e)
{
    pcre2_code *c = compile(pattern, how, e);
    if (!c)
        return false;
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    pcre2_match_data *m = pcre2_match_data_create_from_pattern(c, NULL);
    int n = PCRE2_ERROR_NOMEMORY;
    if (limits && m) {
        pcre2_set_match_limit(limits, MATCH_STEPS);
        pcre2_set_depth_limit(limits, DEPTH_STEPS);
        pcre2_set_heap_limit(limits, HEAP_KIB);
        n = pcre2_match(c, (PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, 0, 0, m, limits);
    }
    *found = n >= 0;
    *number = n >= 0 ? group_number(text, pcre2_get_ovector_pointer(m), pcre2_get_ovector_count(m)) : -1;
    pcre2_match_data_free(m);
    pcre2_match_context_free(limits);
    pcre2_code_free(c);
    return n >= 0 || n == PCRE2_ERROR_NOMATCH ||
           err_set(e, ERR_VALUE, "'%s' cannot be matched against '%s' in reasonable time; write it without nested repetition", pattern,
                   text);
}

bool regex_test(const char *pattern, const char *text, regex_how how, bool *found, err *e)
{
    long number;
    return run(pattern, text, how, found, &number, e);
}

bool regex_number(const char *pattern, const char *text, regex_how how, long *number, err *e)
{
    bool found;
    return run(pattern, text, how, &found, number, e);
}

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)
const char *regex_library(void)
{
    return TEXT(PCRE2_MAJOR) "." TEXT(PCRE2_MINOR);
}
