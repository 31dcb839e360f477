// SPDX-License-Identifier: GPL-3.0-or-later
// onnx.c: fuzz target for the ONNX reader and its structural check.
#include "export/onnx_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    arena a = {.name = "fuzz"};
    err e = {0};
    const onnx_model *m = onnx_decode("fuzz", bytes, n, &a, &e);
    if (m && onnx_check(m, "fuzz", &e))
        CHECK(m->n_outputs > 0);
    arena_free(&a);
    return 0;
}
