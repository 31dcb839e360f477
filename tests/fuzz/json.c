// SPDX-License-Identifier: GPL-3.0-or-later
// json.c: fuzz target (`make fuzz`): whatever is taken can be written, and what was written is
// taken again and written alike.
#include "base/json.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    err e = {0};
    json *j = json_parse((const char *)bytes, n, &e);
    if (j) {
        strbuf once = {0}, twice = {0};
        json_dump(j, 0, &once);
        json *again = json_parse(once.s, once.len, &e);
        CHECK(again);
        json_dump(again, 0, &twice);
        CHECK(once.len == twice.len && memcmp(once.s, twice.s, once.len) == 0);
        json_free(again);
        strbuf_free(&once);
        strbuf_free(&twice);
    }
    json_free(j);
    return 0;
}
