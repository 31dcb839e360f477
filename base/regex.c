// SPDX-License-Identifier: GPL-3.0-or-later
// regex.c: see regex.h.
#include "base/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

// A pattern of a few module names takes some hundred steps for each name.
enum { PATTERN_MOST = 4096, MATCH_STEPS = 100000, DEPTH_STEPS = 1000, HEAP_KIB = 4096 };

static pcre2_code *compile(const char *pattern, regex_how how, err *e)
{
    int code;
    PCRE2_SIZE at;
    PCRE2_UCHAR text[200];
    if (strlen(pattern) > PATTERN_MOST) {
        (void)err_set(e, ERR_VALUE,
                      "a pattern of %zu characters is longer than the %d that are taken",
                      strlen(pattern), PATTERN_MOST);
        return NULL;
    }
    uint32_t options =
        PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED | (how == REGEX_WHOLE ? PCRE2_ENDANCHORED : 0);
    pcre2_code *c =
        pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &code, &at, NULL);
    if (c)
        return c;
    pcre2_get_error_message(code, text, sizeof text);
    (void)err_set(e, ERR_VALUE, "'%s' is no regular expression: %s at character %zu", pattern,
                  (const char *)text, (size_t)at + 1);
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

struct regex {
    pcre2_code *code;
    pcre2_match_context *limits;
    pcre2_match_data *match;
    char *pattern;
    const char *text; // of the last match; NULL: none
};

regex *regex_open(const char *pattern, regex_how how, err *e)
{
    pcre2_code *c = compile(pattern, how, e);
    if (!c)
        return NULL;
    regex *r = base_checked(calloc(1, sizeof *r), sizeof *r);
    r->code = c;
    r->pattern = base_checked(strdup(pattern), strlen(pattern));
    r->limits = base_checked(pcre2_match_context_create(NULL), 64);
    r->match = base_checked(pcre2_match_data_create_from_pattern(c, NULL), 64);
    pcre2_set_match_limit(r->limits, MATCH_STEPS);
    pcre2_set_depth_limit(r->limits, DEPTH_STEPS);
    pcre2_set_heap_limit(r->limits, HEAP_KIB);
    return r;
}

bool regex_match(regex *r, const char *text, bool *found, err *e)
{
    int n =
        pcre2_match(r->code, (PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, 0, 0, r->match, r->limits);
    *found = n >= 0;
    r->text = n >= 0 ? text : NULL;
    return n >= 0 || n == PCRE2_ERROR_NOMATCH ||
           err_set(e, ERR_VALUE,
                   "'%s' cannot be matched against '%s' in reasonable time; write it without "
                   "nested repetition",
                   r->pattern, text);
}

void regex_close(regex *r)
{
    if (!r)
        return;
    pcre2_match_data_free(r->match);
    pcre2_match_context_free(r->limits);
    pcre2_code_free(r->code);
    free(r->pattern);
    free(r);
}

// ---- Named groups: PCRE2's table has entries of one size, two bytes of the group's number and its
// name.

int regex_groups(const regex *r)
{
    uint32_t n = 0;
    pcre2_pattern_info(r->code, PCRE2_INFO_NAMECOUNT, &n);
    return (int)n;
}

static const unsigned char *entry(const regex *r, int i)
{
    PCRE2_SPTR table = NULL;
    uint32_t size = 0;
    pcre2_pattern_info(r->code, PCRE2_INFO_NAMETABLE, &table);
    pcre2_pattern_info(r->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
    return table + (size_t)i * size;
}

const char *regex_group_name(const regex *r, int i)
{
    return (const char *)entry(r, i) + 2;
}

const char *regex_group(const regex *r, int i, size_t *n)
{
    const unsigned char *x = entry(r, i);
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(r->match) + 2 * (x[0] << 8 | x[1]);
    if (!r->text || at[0] == PCRE2_UNSET)
        return NULL;
    *n = at[1] - at[0];
    return r->text + at[0];
}

// ---- Once

static bool run(const char *pattern, const char *text, regex_how how, bool *found, long *number,
                err *e)
{
    regex *r = regex_open(pattern, how, e);
    bool ok = r && regex_match(r, text, found, e);
    *number = ok && *found ? group_number(text, pcre2_get_ovector_pointer(r->match),
                                          pcre2_get_ovector_count(r->match))
                           : -1;
    regex_close(r);
    return ok;
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
