// SPDX-License-Identifier: GPL-3.0-or-later
// config.c: fuzz target (`make fuzz`): a configuration that is taken prints to one that is taken
// and prints alike; any other is a sentence.
#include "base/config.h"

#include <stdint.h>
#include <string.h>

#include "train/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    arena a = {.name = "fuzz"};
    err e = {0};
    config *c = config_open(&train_table, &a), *again = config_open(&train_table, &a);
    if (config_parse(c, (const char *)bytes, n, "fuzz.yaml", &e)) {
        strbuf once = {0}, twice = {0};
        train_options o;
        config_print(c, &once);
        CHECK(config_parse(again, once.s, once.len, "printed.yaml", &e));
        config_print(again, &twice);
        CHECK(once.len == twice.len && !memcmp(once.s, twice.s, once.len));
        if (config_finish(c, &e))
            CHECK(train_options_read(c, (uint64_t)16 << 30, &o, &a, &e) || e.text[0]);
        strbuf_free(&once);
        strbuf_free(&twice);
    } else {
        CHECK(e.text[0]);
    }
    arena_free(&a);
    return 0;
}
