// SPDX-License-Identifier: GPL-3.0-or-later
// printed.c: lines of JSON (printed.h).
#include "tests/cmd/printed.h"

#include <string.h>

#include "tests/test.h"

json *printed_last(const char *out)
{
    size_t n = strlen(out);
    while (n > 0 && out[n - 1] == '\n')
        n--;
    size_t from = n;
    while (from > 0 && out[from - 1] != '\n')
        from--;
    err e = {0};
    json *j = json_parse(out + from, n - from, &e);
    test_expect(j != NULL, __FILE__, __LINE__, "%s: %s", e.text, out);
    return j;
}
