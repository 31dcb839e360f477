// SPDX-License-Identifier: GPL-3.0-or-later
// checkpoint.c: fuzz target (`make fuzz`): a good checkpoint with some bytes changed, four bytes of
// input each (place in three, value). It is read or refused with a sentence; weights that are read
// are the ones that were written.
#include "checkpoint/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static char folder[] = "/tmp/kmidi-fuzz-XXXXXX", path[64], *sample;
static size_t sample_bytes;
static arena kept = {.name = "fuzz"};
static params *written, *read_back;

static void leave(void)
{
    unlink(path);
    rmdir(folder);
}

static params *tiny(arena *a)
{
    err e = {0};
    params *p = params_open(a);
    CHECK(model_build(model_find("dynamics_engine"), p, &(model_dims){.batch = 1, .time = 1}, a,
                      &e) &&
          params_allocate(p, 2, &e));
    return p;
}

static void make_sample(void)
{
    err e = {0};
    model_meta meta = {.arena = &kept};
    checkpoint_state state = {.step = 3, .best_step = -1};
    CHECK(mkdtemp(folder));
    atexit(leave);
    snprintf(path, sizeof path, "%s/x.h5", folder);
    written = tiny(&kept), read_back = tiny(&kept);
    params_init(written, 1);
    meta_set(&meta, "labels", "[\"a\", \"b\"]");
    checkpoint_content c = {
        model_find("dynamics_engine"), "model: dynamics_engine\n", &meta, written, &state, NULL};
    CHECK(checkpoint_save(path, &c, &e));
    sample = file_read(&kept, path, 1 << 22, &sample_bytes, &e);
    CHECK(sample);
}

static void put(const uint8_t *bytes, size_t n)
{
    char *damaged = malloc(sample_bytes);
    FILE *f = fopen(path, "wb");
    CHECK(damaged && f);
    memcpy(damaged, sample, sample_bytes);
    for (size_t i = 0; i + 3 < n; i += 4)
        damaged[((size_t)bytes[i] << 16 | (size_t)bytes[i + 1] << 8 | bytes[i + 2]) %
                sample_bytes] = (char)bytes[i + 3];
    CHECK(fwrite(damaged, 1, sample_bytes, f) == sample_bytes && fclose(f) == 0);
    free(damaged);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    arena a = {.name = "fuzz"};
    err e = {0};
    if (!sample)
        make_sample();
    put(bytes, n);
    checkpoint *k = checkpoint_open(path, &a, &e);
    if (k && k->model == model_find("dynamics_engine") && checkpoint_resume(k, read_back, NULL, &e))
        CHECK(!memcmp(read_back->weights, written->weights,
                      sizeof(float) * (size_t)written->weights_len));
    else
        CHECK(k || e.text[0]);
    checkpoint_close(k);
    arena_free(&a);
    return 0;
}
