// SPDX-License-Identifier: GPL-3.0-or-later
// coreml.c: fuzz target for packages of Core ML: two bytes say how long the model is, behind it
// lies the file of numbers. What is read is checked, and said in portable nodes.
#include "export/mil_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    arena a = {.name = "fuzz"};
    err e = {0};
    size_t model = n < 2 ? 0 : (size_t)bytes[0] + ((size_t)bytes[1] << 8);
    if (n < 2)
        return 0;
    model = model < n - 2 ? model : n - 2;
    const mil_program *p =
        mil_decode("fuzz", bytes + 2, model, bytes + 2 + model, n - 2 - model, &a, &e);
    CHECK(p || e.text[0]);
    if (p && mil_check(p, "fuzz", &e))
        CHECK(mil_portable(p, &a, &e) || e.text[0]);
    arena_free(&a);
    return 0;
}
