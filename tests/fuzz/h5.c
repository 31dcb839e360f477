// SPDX-License-Identifier: GPL-3.0-or-later
// h5.c: fuzz target (`make fuzz`): a good file is made once; the input is a list of changes to it,
// three bytes each (place, place, value). Everything in what comes out is then read or refused.
#include "base/h5.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static char folder[] = "/tmp/kmidi-fuzz-XXXXXX", path[64], *sample;
static size_t sample_bytes;

static void leave(void)
{
    unlink(path);
    rmdir(folder);
}

static void make_sample(void)
{
    static const char *const texts[] = {"one.wav", "two.wav", "", "a longer name of a file.wav"};
    static const float rows[40 * 16] = {1, 2, 3};
    static arena kept = {.name = "fuzz"};
    err e = {0};
    CHECK(mkdtemp(folder));
    atexit(leave);
    snprintf(path, sizeof path, "%s/x.h5", folder);
    h5 *f = h5_create(path, &e);
    bool ok = f && h5_write(f, "params/fc1.weight", (h5_shape){H5_F32, 2, {40, 16}}, rows, &e) &&
              h5_write(f, "path", (h5_shape){H5_TEXT, 1, {4}}, texts, &e) &&
              h5_set_text(f, "/", "model", "x", &e) && h5_set_int(f, "state", "step", 7, &e);
    h5_series *s = ok ? h5_series_open(f, "mel", (h5_shape){H5_F32, 1, {16}}, 16, &e) : NULL;
    h5_series *t = s ? h5_series_open(f, "names", (h5_shape){H5_TEXT, 0, {0}}, 2, &e) : NULL;
    CHECK(t && h5_series_add(s, rows, 40, &e) && h5_series_close(s, &e) &&
          h5_series_add(t, texts, 4, &e) && h5_series_close(t, &e));
    CHECK(h5_commit(f, &e));
    sample = file_read(&kept, path, 1 << 20, &sample_bytes, &e);
    CHECK(sample);
}

static void read_all(h5 *f)
{
    arena a = {.name = "fuzz"};
    err e = {0};
    char **list, *text;
    size_t n;
    uint64_t rows;
    int64_t step;
    float data[40 * 16];
    const bool read[] = {
        h5_verify(f, &n, &e),
        h5_list(f, "/", &a, &list, &n, &e),
        h5_attributes(f, "state", &a, &list, &n, &e),
        h5_read_texts(f, "path", &a, &list, &rows, &e),
        h5_read_texts(f, "names", &a, &list, &rows, &e),
        h5_get_text(f, "/", "model", &a, &text, &e),
        h5_get_int(f, "state", "step", &step, &e),
        h5_read(f, "mel", (h5_shape){H5_F32, 2, {40, 16}}, data, &e),
        h5_read_rows(f, "mel", H5_F32, 7, 20, data, &e),
    };
    for (size_t i = 0; i < sizeof read; i++)
        CHECK(read[i] || e.text[0]); // what was refused has a sentence
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (!sample)
        make_sample();
    char *changed = base_checked(malloc(sample_bytes), sample_bytes);
    memcpy(changed, sample, sample_bytes);
    for (size_t i = 0; i + 3 <= n; i += 3)
        changed[(bytes[i] | (size_t)bytes[i + 1] << 8) % sample_bytes] = (char)bytes[i + 2];
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(changed, 1, sample_bytes, file) == sample_bytes && fclose(file) == 0);
    free(changed);
    err e = {0};
    h5 *f = h5_open(path, &e);
    if (f)
        read_all(f);
    h5_close(f);
    return 0;
}
