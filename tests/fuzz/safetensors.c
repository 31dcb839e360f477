// SPDX-License-Identifier: GPL-3.0-or-later
// safetensors.c: fuzz target for the safetensors header (`make fuzz`): whatever it says, an entry
// lies within the data.
#include "export/safetensors.h"
#include "base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    arena a = {.name = "fuzz"};
    weights_index index;
    err e = {0};
    if (n >= 2) {
        // The first two bytes say how much data the header may claim.
        uint64_t data = bytes[0] | (uint64_t)bytes[1] << 8;
        if (safetensors_parse("fuzz", (const char *)bytes + 2, n - 2, data, &a, &index, &e))
            for (int i = 0; i < index.n; i++)
                CHECK(index.list[i].end <= data && index.list[i].begin <= index.list[i].end);
    }
    arena_free(&a);
    return 0;
}
