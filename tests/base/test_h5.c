// SPDX-License-Identifier: GPL-3.0-or-later
// HDF5: what is written comes back, with its names, types and checksums; what is wrong is named.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/h5.h"
#include "tests/test.h"

static const char *const TEXTS[] = {"", "a.wav", "B\xc3\xb6se \xe5\x96\x9c", "d"};
static const float ROWS[6] = {1, -2.5f, 3e-9f, 4, 5e20f, -6};

static h5 *small_file(const char *path)
{
    err e = {0};
    h5 *f = h5_create(path, &e);
    if (!test_expect(f != NULL, __FILE__, __LINE__, "%s", e.text))
        return NULL;
    EXPECT_OK(h5_write(f, "params/fc1.weight", (h5_shape){H5_F32, 2, {2, 3}}, ROWS, &e), e);
    EXPECT_OK(h5_write(f, "path", (h5_shape){H5_TEXT, 1, {4}}, TEXTS, &e), e);
    EXPECT_OK(h5_set_text(f, "/", "model", "emotion_recognizer", &e), e);
    EXPECT_OK(h5_set_int(f, "state", "step", -7, &e), e);
    EXPECT_OK(h5_set_num(f, "params", "scale", 0.1, &e), e);
    return f;
}

TEST(h5_brings_back_every_type)
{
    static const uint8_t bytes[] = {0, 255, 7};
    static const uint16_t words[] = {0, 65535, 388};
    static const int32_t ints[] = {INT32_MIN, -1, INT32_MAX};
    static const int64_t longs[] = {INT64_MIN, 0, INT64_MAX};
    static const uint64_t ulongs[] = {0, UINT64_MAX, 3};
    static const float floats[] = {1.5f, -0.0f, 3e38f};
    static const double doubles[] = {0.1, -1e300, 5};
    static const struct {
        const char *name;
        h5_type type;
        size_t size;
        const void *data;
    } all[] = {{"f32", H5_F32, 4, floats}, {"f64", H5_F64, 8, doubles}, {"u8", H5_U8, 1, bytes},
               {"u16", H5_U16, 2, words},  {"i32", H5_I32, 4, ints},    {"i64", H5_I64, 8, longs},
               {"u64", H5_U64, 8, ulongs}};
    const char *path = test_path("types.h5");
    err e = {0};
    h5 *f = h5_create(path, &e);
    for (size_t i = 0; i < 7; i++)
        EXPECT_OK(h5_write(f, all[i].name, (h5_shape){all[i].type, 1, {3}}, all[i].data, &e), e);
    EXPECT(!file_exists(path));
    EXPECT_OK(h5_commit(f, &e), e);
    f = h5_open(path, &e);
    for (size_t i = 0; i < 7; i++) {
        char got[24];
        EXPECT_OK(h5_read(f, all[i].name, (h5_shape){all[i].type, 1, {3}}, got, &e), e);
        test_expect(memcmp(got, all[i].data, 3 * all[i].size) == 0, __FILE__, __LINE__,
                    "%s came back changed", all[i].name);
    }
    size_t n = 0;
    EXPECT_OK(h5_verify(f, &n, &e), e);
    EXPECT_INT(n, 7);
    h5_close(f);
}

TEST(h5_brings_back_texts_attributes_and_names)
{
    const char *path = test_path("a.h5");
    arena a = {0};
    err e = {0};
    char **texts, *text, **names;
    uint64_t n;
    int64_t step = 0;
    double scale = 0;
    size_t count;
    EXPECT_OK(h5_commit(small_file(path), &e), e);
    h5 *f = h5_open(path, &e);
    EXPECT_OK(h5_read_texts(f, "path", &a, &texts, &n, &e), e);
    EXPECT_INT(n, 4);
    for (uint64_t i = 0; i < n; i++)
        EXPECT_STR(texts[i], TEXTS[i]);
    EXPECT_OK(h5_get_text(f, "/", "model", &a, &text, &e), e);
    EXPECT_STR(text, "emotion_recognizer");
    EXPECT_OK(h5_get_int(f, "state", "step", &step, &e), e);
    EXPECT_INT(step, -7);
    EXPECT_OK(h5_get_num(f, "params", "scale", &scale, &e), e);
    EXPECT(scale == 0.1);
    EXPECT_OK(h5_get_num(f, "state", "step", &scale, &e), e);
    EXPECT(scale == -7);
    EXPECT_OK(h5_list(f, "/", &a, &names, &count, &e), e);
    EXPECT_INT(count, 3);
    EXPECT_STR(names[0], "params");
    EXPECT_STR(names[1], "path");
    EXPECT_STR(names[2], "state");
    EXPECT_OK(h5_attributes(f, "params", &a, &names, &count, &e), e);
    EXPECT_INT(count, 1);
    EXPECT_STR(names[0], "scale");
    EXPECT(h5_has(f, "params/fc1.weight") && h5_has(f, "/") && h5_has(f, "state"));
    EXPECT(!h5_has(f, "params/fc2.weight") && !h5_has(f, "no/such/thing") && !h5_has(f, ""));
    h5_close(f);
    arena_free(&a);
}

TEST(h5_names_what_is_missing_or_of_another_kind)
{
    const char *path = test_path("a.h5");
    arena a = {0};
    err e = {0};
    char *text, **names;
    int64_t step;
    double scale;
    float out[6];
    size_t count;
    uint64_t rows;
    EXPECT_OK(h5_commit(small_file(path), &e), e);
    h5 *f = h5_open(path, &e);
    EXPECT_ERR(h5_read(f, "nothing", (h5_shape){H5_F32, 1, {6}}, out, &e), e, ERR_MISSING,
               "'nothing'");
    EXPECT_ERR(h5_read(f, "params/fc1.weight", (h5_shape){H5_F32, 1, {6}}, out, &e), e, ERR_SHAPE,
               "is f32 [2, 3], expected f32 [6]");
    EXPECT_ERR(h5_read(f, "params/fc1.weight", (h5_shape){H5_I32, 2, {2, 3}}, out, &e), e,
               ERR_SHAPE, "expected i32 [2, 3]");
    EXPECT_ERR(h5_read(f, "params", (h5_shape){H5_F32, 1, {6}}, out, &e), e, ERR_DAMAGED,
               "'params'");
    EXPECT_ERR(h5_read_texts(f, "params/fc1.weight", &a, &names, &rows, &e), e, ERR_SHAPE,
               "expected text");
    EXPECT_ERR(h5_read_rows(f, "params/fc1.weight", H5_F32, 1, 2, out, &e), e, ERR_VALUE,
               "has 2 rows");
    EXPECT_ERR(h5_read_rows(f, "params/fc1.weight", H5_F32, UINT64_MAX, 2, out, &e), e, ERR_VALUE,
               "has 2 rows");
    EXPECT_ERR(h5_get_text(f, "/", "colour", &a, &text, &e), e, ERR_MISSING, "'colour'");
    EXPECT_ERR(h5_get_text(f, "nowhere", "colour", &a, &text, &e), e, ERR_MISSING, "'nowhere'");
    EXPECT_ERR(h5_get_text(f, "state", "step", &a, &text, &e), e, ERR_FORMAT, "not a text");
    EXPECT_ERR(h5_get_int(f, "params", "scale", &step, &e), e, ERR_FORMAT, "not a whole number");
    EXPECT_ERR(h5_get_num(f, "/", "model", &scale, &e), e, ERR_FORMAT, "not a number");
    EXPECT_ERR(h5_list(f, "path", &a, &names, &count, &e), e, ERR_DAMAGED, "'path'");
    EXPECT_ERR(h5_list(f, "nowhere", &a, &names, &count, &e), e, ERR_MISSING, "'nowhere'");
    h5_close(f);
    arena_free(&a);
}

TEST(h5_reads_rows)
{
    const char *path = test_path("a.h5");
    err e = {0};
    float out[3];
    h5_shape s;
    EXPECT_OK(h5_commit(small_file(path), &e), e);
    h5 *f = h5_open(path, &e);
    EXPECT_OK(h5_stat(f, "params/fc1.weight", &s, &e), e);
    EXPECT_INT(s.type, H5_F32);
    EXPECT_INT(s.rank, 2);
    EXPECT_INT(s.dim[1], 3);
    EXPECT_OK(h5_read_rows(f, "params/fc1.weight", H5_F32, 1, 1, out, &e), e);
    EXPECT(memcmp(out, ROWS + 3, sizeof out) == 0);
    EXPECT_OK(h5_read_rows(f, "params/fc1.weight", H5_F32, 2, 0, out, &e), e);
    h5_close(f);
}

TEST(h5_takes_scalars_and_empty_datasets)
{
    const char *path = test_path("a.h5");
    arena a = {0};
    err e = {0};
    int32_t seven = 7, got = 0;
    char **texts;
    uint64_t n;
    size_t sets;
    h5 *f = h5_create(path, &e);
    EXPECT_OK(h5_write(f, "scalar", (h5_shape){H5_I32, 0, {0}}, &seven, &e), e);
    EXPECT_OK(h5_write(f, "none", (h5_shape){H5_F32, 2, {0, 5}}, NULL, &e), e);
    EXPECT_OK(h5_write(f, "no_texts", (h5_shape){H5_TEXT, 1, {0}}, NULL, &e), e);
    EXPECT_OK(h5_commit(f, &e), e);
    f = h5_open(path, &e);
    EXPECT_OK(h5_read(f, "scalar", (h5_shape){H5_I32, 0, {0}}, &got, &e), e);
    EXPECT_INT(got, 7);
    EXPECT_OK(h5_read(f, "none", (h5_shape){H5_F32, 2, {0, 5}}, NULL, &e), e);
    EXPECT_OK(h5_read_texts(f, "no_texts", &a, &texts, &n, &e), e);
    EXPECT_INT(n, 0);
    EXPECT_OK(h5_verify(f, &sets, &e), e);
    EXPECT_INT(sets, 3);
    h5_close(f);
    arena_free(&a);
}

// Rows come in blocks that fit neither the chunks nor each other; a second series grows beside it.
TEST(h5_series_grow_by_uneven_blocks)
{
    enum { ROW = 5, TOTAL = 1000 };
    static float rows[TOTAL * ROW], back[TOTAL * ROW];
    static const char *const names[] = {"x", "y", "z"};
    const char *path = test_path("series.h5");
    arena a = {0};
    err e = {0};
    for (uint32_t i = 0; i < TOTAL * ROW; i++)
        rows[i] = test_fill(3, i, 1);
    h5 *f = h5_create(path, &e);
    h5_series *s = h5_series_open(f, "mel", (h5_shape){H5_F32, 1, {ROW}}, 64, &e);
    h5_series *t = h5_series_open(f, "more/path", (h5_shape){H5_TEXT, 0, {0}}, 0, &e);
    uint64_t texts = 0;
    for (uint64_t at = 0, n = 0, step = 1; at < TOTAL; at += n, step = step * 3 % 101) {
        n = at + step < TOTAL ? step : TOTAL - at;
        EXPECT_OK(h5_series_add(s, rows + at * ROW, n, &e), e);
        EXPECT_OK(h5_series_add(t, names, at % 4 == 3 ? 0 : at % 4 + 1, &e), e);
        texts += at % 4 == 3 ? 0 : at % 4 + 1;
    }
    EXPECT_OK(h5_series_close(s, &e), e);
    EXPECT_OK(h5_series_close(t, &e), e);
    s = h5_series_open(f, "empty", (h5_shape){H5_I64, 0, {0}}, 8, &e);
    EXPECT_OK(h5_series_close(s, &e), e);
    EXPECT_OK(h5_commit(f, &e), e);
    f = h5_open(path, &e);
    EXPECT_OK(h5_read(f, "mel", (h5_shape){H5_F32, 2, {TOTAL, ROW}}, back, &e), e);
    EXPECT(memcmp(rows, back, sizeof rows) == 0);
    EXPECT_OK(h5_read_rows(f, "mel", H5_F32, 333, 400, back, &e), e);
    EXPECT(memcmp(rows + 333 * ROW, back, 400 * ROW * sizeof *rows) == 0);
    char **got;
    uint64_t n;
    size_t sets;
    EXPECT_OK(h5_read_texts(f, "more/path", &a, &got, &n, &e), e);
    EXPECT_INT(n, texts);
    EXPECT_OK(h5_verify(f, &sets, &e), e);
    EXPECT_INT(sets, 3);
    h5_close(f);
    arena_free(&a);
}

// The walk that h5_verify does crosses rows, planes and dimensions in boxes; its sum is that of the
// bytes in row-major order.
TEST(h5_verify_walks_large_datasets_in_order)
{
    static const h5_shape shapes[] = {{H5_F32, 1, {700001}},
                                      {H5_F32, 2, {3, 300007}},
                                      {H5_F32, 3, {7, 501, 211}},
                                      {H5_F32, 4, {2, 3, 1, 100003}}};
    const char *path = test_path("large.h5");
    err e = {0};
    size_t sets;
    float *data = base_pages(sizeof(float) * 1000000);
    for (uint32_t i = 0; i < 1000000; i++)
        data[i] = (float)i;
    for (size_t k = 0; k < 4; k++) {
        h5 *f = h5_create(path, &e);
        EXPECT_OK(h5_write(f, "x", shapes[k], data, &e), e);
        EXPECT_OK(h5_commit(f, &e), e);
        f = h5_open(path, &e);
        EXPECT_OK(h5_verify(f, &sets, &e), e);
        h5_close(f);
    }
    base_pages_free(data, sizeof(float) * 1000000);
}

TEST(h5_same_content_gives_same_bytes)
{
    arena a = {0};
    err e = {0};
    size_t n[2];
    char *bytes[2], name[] = "0.h5";
    for (int i = 0; i < 2; i++) {
        name[0] = (char)('0' + i);
        EXPECT_OK(h5_commit(small_file(test_path(name)), &e), e);
        bytes[i] = file_read(&a, test_path(name), 1 << 20, &n[i], &e);
    }
    EXPECT_INT(n[0], n[1]);
    EXPECT(n[0] == n[1] && memcmp(bytes[0], bytes[1], n[0]) == 0);
    arena_free(&a);
}

TEST(h5_replaces_an_attribute_and_keeps_a_long_one)
{
    const char *path = test_path("a.h5");
    arena a = {0};
    err e = {0};
    char *text;
    size_t n = 200000;
    char *text_long = arena_alloc(&a, n + 1, 1);
    memset(text_long, 'y', n);
    h5 *f = h5_create(path, &e);
    EXPECT_OK(h5_set_text(f, "meta", "config", "first", &e), e);
    EXPECT_OK(h5_set_text(f, "meta", "config", text_long, &e), e);
    EXPECT_OK(h5_set_text(f, "meta", "note", "", &e), e);
    EXPECT_OK(h5_commit(f, &e), e);
    f = h5_open(path, &e);
    EXPECT_OK(h5_get_text(f, "meta", "config", &a, &text, &e), e);
    EXPECT_STR(text, text_long);
    EXPECT_OK(h5_get_text(f, "meta", "note", &a, &text, &e), e);
    EXPECT_STR(text, "");
    h5_close(f);
    arena_free(&a);
}

TEST(h5_abandon_leaves_nothing)
{
    const char *path = test_path("a.h5");
    arena a = {0};
    err e = {0};
    size_t n;
    h5_abandon(small_file(path));
    h5_abandon(NULL);
    h5_close(NULL);
    char *pattern = arena_printf(&a, "%s/*", test_dir());
    EXPECT_ERR(file_glob(&a, pattern, &n, &e) != NULL, e, ERR_MISSING, "matches no file");
    EXPECT_ERR(h5_create("/nowhere/at/all/a.h5", &e) != NULL, e, ERR_MISSING,
               "No such file or directory");
    arena_free(&a);
}
