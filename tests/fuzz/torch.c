// SPDX-License-Identifier: GPL-3.0-or-later
// torch.c: fuzz target (`make fuzz`) for PyTorch's files: what begins as a zip file is opened as
// one, everything else is a pickle; whatever that says, no element of a tensor lies outside its
// storage.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/torch_file.h"
#include "export/torch_pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static char path[] = "/tmp/kmidi-fuzz-XXXXXX";

static void leave(void)
{
    unlink(path);
}

static void read_file(const uint8_t *bytes, size_t n)
{
    arena a = {.name = "fuzz"};
    err e = {0};
    if (!strcmp(path + strlen(path) - 6, "XXXXXX")) {
        close(mkstemp(path));
        atexit(leave);
    }
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(bytes, 1, n, file) == n && fclose(file) == 0);
    weights *w = weights_open(path, &a, &e);
    CHECK((w && w->verify(w->of, &e)) || e.text[0]);
    weights_close(w);
    arena_free(&a);
}

static void read_pickle(const uint8_t *bytes, size_t n)
{
    arena a = {.name = "fuzz"};
    weights_index x;
    const torch_tensor **tensors;
    err e = {0};
    bool ok = torch_file_parse("fuzz", bytes, n, &a, &x, &tensors, &e);
    CHECK(ok || e.text[0]);
    for (int i = 0; ok && i < x.n; i++) {
        const torch_tensor *t = tensors[i];
        int64_t last = t->offset;
        for (int k = 0; t->count && k < t->rank; k++)
            last += (t->dim[k] - 1) * t->stride[k];
        CHECK(!t->count || (t->offset >= 0 && last < t->stored));
    }
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n >= 2 && !memcmp(bytes, "PK", 2))
        read_file(bytes, n);
    else
        read_pickle(bytes, n);
    return 0;
}
