// SPDX-License-Identifier: GPL-3.0-or-later
// safetensors.c: round trips, every element type, and files that lie.
#include "export/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "models/model.h"
#include "tests/export/filled.h"
#include "tests/test.h"

static params *two_params(arena *a, bool fill)
{
    err e = {0};
    params *p = params_open(a);
    init how = {INIT_ZERO, 0};
    int w = params_declare(p, "fc.weight", shape_of(2, 3, 5), how, &e);
    int b = params_declare(p, "fc.bias", shape_of(1, 3), how, &e);
    int probe = params_declare(p, "probe.bias", shape_of(1, 2), how, &e);
    p->list[probe].counted = false;
    EXPECT_OK(params_allocate(p, 0, &e), e);
    for (int i = 0; fill && i < 15; i++)
        params_at(p, w)[i] = test_fill(1, (uint32_t)i, 1);
    for (int i = 0; fill && i < 3; i++)
        params_at(p, b)[i] = test_fill(2, (uint32_t)i, 1);
    for (int i = 0; fill && i < 2; i++)
        params_at(p, probe)[i] = test_fill(3, (uint32_t)i, 1);
    return p;
}

// A file of the given header (its length is put in front, padded) and `data_bytes` bytes of 0x3c.
static const char *make_file(const char *name, const char *header, size_t data_bytes)
{
    const char *path = test_path(name);
    strbuf b = {0};
    err e = {0};
    size_t n = strlen(header);
    for (int i = 0; i < 8; i++)
        strbuf_add(&b, &(char){(char)(n >> 8 * i)}, 1);
    strbuf_add(&b, header, n);
    for (size_t i = 0; i < data_bytes; i++)
        strbuf_add(&b, "\x3c", 1);
    EXPECT_OK(file_write(path, b.s, b.len, &e), e);
    strbuf_free(&b);
    return path;
}

TEST(safetensors_round_trip)
{
    arena a = {0};
    err e = {0};
    params *p = two_params(&a, true), *q = two_params(&a, false);
    model_meta meta = {.arena = &a};
    meta_set(&meta, "model", "a \"quoted\" name");
    const char *path = test_path("m.safetensors");
    int converted = -1;
    EXPECT_OK(safetensors_save_params(path, p, false, &meta, &e), e);
    EXPECT_OK(safetensors_load_params(path, q, &converted, &e), e);
    EXPECT_INT(converted, 0);
    EXPECT(!memcmp(params_at(p, 0), params_at(q, 0), 15 * sizeof(float)));
    EXPECT(!memcmp(params_at(p, 1), params_at(q, 1), 3 * sizeof(float)));
    EXPECT(params_at(q, 2)[0] == 0); // the probe stayed at home
    safetensors *s = safetensors_open(path, &a, &e);
    EXPECT_STR(meta_get(&safetensors_listing(s)->meta, "format"), "pt");
    EXPECT_STR(meta_get(&safetensors_listing(s)->meta, "model"), "a \"quoted\" name");
    EXPECT_STR(safetensors_listing(s)->list[0].name, "fc.bias"); // the reference writer's order
    safetensors_close(s);
    EXPECT_OK(safetensors_save_params(path, p, true, NULL, &e), e);
    EXPECT_OK(safetensors_load_params(path, q, NULL, &e), e);
    EXPECT(!memcmp(params_at(p, 2), params_at(q, 2), 2 * sizeof(float)));
    params_release(p);
    params_release(q);
    arena_free(&a);
}

// torch's num_batches_tracked is a whole number of 64 bits without an axis.
TEST(safetensors_count_batches_as_torch_does)
{
    arena a = {0};
    err e = {0};
    params *p = params_open(&a), *q = params_open(&a);
    int seen = params_declare_buffer(p, "n.num_batches_tracked", shape_of(0), (init){0}, &e),
        mean = params_declare_buffer(p, "a.running_mean", shape_of(1, 1), (init){0}, &e);
    EXPECT_OK(params_allocate(p, 0, &e), e);
    *params_at(p, seen) = 12345678, *params_at(p, mean) = 0.5f;
    const char *path = test_path("m.safetensors");
    EXPECT_OK(safetensors_save_params(path, p, false, NULL, &e), e);
    safetensors *s = safetensors_open(path, &a, &e);
    const weights_entry *first = safetensors_listing(s)->list; // the widest
    EXPECT_STR(first->name, "n.num_batches_tracked");
    EXPECT_STR(first->dtype, "I64");
    EXPECT(first->is_float && first->rank == 0);
    safetensors_close(s);
    (void)params_declare_buffer(q, "a.running_mean", shape_of(1, 1), (init){0}, &e);
    (void)params_declare_buffer(q, "n.num_batches_tracked", shape_of(0), (init){0}, &e);
    EXPECT_OK(params_allocate(q, 0, &e), e);
    int converted = -1;
    EXPECT_OK(safetensors_load_params(path, q, &converted, &e), e);
    EXPECT_INT(converted, 0);
    EXPECT_NEAR(*params_at(q, 0), 0.5, 0);
    EXPECT_NEAR(*params_at(q, 1), 12345678, 0);
    params_release(p), params_release(q);
    arena_free(&a);
}

TEST(safetensors_header_is_aligned_and_data_is_raw)
{
    arena a = {0};
    err e = {0};
    params *p = two_params(&a, true);
    const char *path = test_path("m.safetensors");
    EXPECT_OK(safetensors_save_params(path, p, false, NULL, &e), e);
    size_t n;
    const uint8_t *bytes = (const uint8_t *)file_read(&a, path, 1 << 20, &n, &e);
    size_t header = bytes[0] | (size_t)bytes[1] << 8;
    EXPECT_INT((8 + header) % 8, 0);
    EXPECT_INT(n, 8 + header + 18 * sizeof(float));
    EXPECT(!memcmp(bytes + 8 + header, params_at(p, 1), 3 * sizeof(float)));
    EXPECT(!memcmp(bytes + 8 + header + 12, params_at(p, 0), 15 * sizeof(float)));
    params_release(p);
    arena_free(&a);
}

TEST(safetensors_lists_both_sides_of_a_mismatch)
{
    arena a = {0};
    err e = {0};
    params *p = two_params(&a, true), *q = params_open(&a);
    const char *path = test_path("m.safetensors");
    EXPECT_OK(safetensors_save_params(path, p, false, NULL, &e), e);
    (void)params_declare(q, "fc.weight", shape_of(2, 5, 3), (init){0}, &e);
    (void)params_declare(q, "head.bias", shape_of(1, 3), (init){0}, &e);
    EXPECT_OK(params_allocate(q, 0, &e), e);
    EXPECT_ERR(safetensors_load_params(path, q, NULL, &e), e, ERR_MISMATCH,
               "missing: head.bias; unexpected: fc.bias; wrong shape: fc.weight (is [3, 5], must "
               "be [5, 3])");
    EXPECT(params_at(q, 0)[0] == 0);
    params_release(p);
    params_release(q);
    arena_free(&a);
}

TEST(safetensors_converts_element_types)
{
    // f16 1.5, -0.25, smallest subnormal; bf16 -2; f64 pi
    const uint8_t data[] = {0x00, 0x3e, 0x00, 0xb4, 0x01, 0x00, 0x00, 0xc0,
                            0x18, 0x2d, 0x44, 0x54, 0xfb, 0x21, 0x09, 0x40};
    const char *header = "{\"h\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[0,6]},\"b\":{"
                         "\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[6,8]},"
                         "\"d\":{\"dtype\":\"F64\",\"shape\":[1,1],\"data_offsets\":[8,16]}}   ";
    arena a = {0};
    err e = {0};
    strbuf b = {0};
    const char *path = test_path("t.safetensors");
    strbuf_add(&b, (char[8]){(char)strlen(header)}, 8);
    strbuf_add(&b, header, strlen(header));
    strbuf_add(&b, (const char *)data, sizeof data);
    EXPECT_OK(file_write(path, b.s, b.len, &e), e);
    strbuf_free(&b);
    safetensors *s = safetensors_open(path, &a, &e);
    if (!test_expect(s != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    float h[3], x;
    EXPECT_OK(safetensors_read(s, safetensors_find(s, "h"), h, &e), e);
    EXPECT(h[0] == 1.5f && h[1] == -0.25f && h[2] == 0x1p-24f);
    EXPECT_OK(safetensors_read(s, safetensors_find(s, "b"), &x, &e), e);
    EXPECT(x == -2);
    EXPECT_OK(safetensors_read(s, safetensors_find(s, "d"), &x, &e), e);
    EXPECT_NEAR(x, 3.14159265, 1e-6);
    safetensors_close(s);
    arena_free(&a);
}

TEST(safetensors_refuses_files_that_lie)
{
    static const struct {
        const char *header;
        size_t data;
        err_code code;
        const char *part;
    } cases[] = {
        {"[]", 0, ERR_FORMAT, "no JSON object"},
        {"{\"a\":", 0, ERR_FORMAT, "no safetensors file"},
        {"{} x", 0, ERR_FORMAT, "no safetensors file"},
        {"{\"a\":1}", 0, ERR_FORMAT, "no element type"},
        {"{\"a\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, ERR_FORMAT,
         "no element type"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, ERR_DAMAGED,
         "no valid shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0.5],\"data_offsets\":[0,4]}}", 4, ERR_DAMAGED,
         "no valid shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}}", 4,
         ERR_DAMAGED, "no valid shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, ERR_DAMAGED,
         "ends before it begins"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}", 4, ERR_DAMAGED,
         "its shape needs 32 bits"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 5, ERR_DAMAGED,
         "is cut short: 3 of the 8 bytes of its tensors are missing; get the file again"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, ERR_DAMAGED,
         "not two whole numbers"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,1e300]}}", 4, ERR_DAMAGED,
         "not two whole numbers"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, ERR_DAMAGED,
         "its shape needs 64 bits"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, ERR_DAMAGED,
         "hole"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\","
         "\"shape\":[1],\"data_offsets\":[0,4]}}",
         4, ERR_DAMAGED, "overlaps"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"F32\","
         "\"shape\":[1],\"data_offsets\":[4,8]}}",
         8, ERR_FORMAT, "duplicate"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 5, ERR_DAMAGED,
         "1 bytes behind"},
        {"{\"__metadata__\":{\"a\":1}}", 0, ERR_FORMAT, "metadata 'a' is no text"},
        {"{\"__metadata__\":[]}", 0, ERR_FORMAT, "no object"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        err e = {0};
        const char *path = make_file("x.safetensors", cases[i].header, cases[i].data);
        EXPECT_ERR(safetensors_open(path, &a, &e), e, cases[i].code, cases[i].part);
        arena_free(&a);
    }
}

TEST(safetensors_refuses_short_and_foreign_files)
{
    arena a = {0};
    err e = {0};
    const char *path = test_path("x.safetensors");
    EXPECT_ERR(safetensors_open(path, &a, &e), e, ERR_MISSING, "cannot be opened");
    EXPECT_ERR(safetensors_open(test_dir(), &a, &e), e, ERR_IO, "is a folder");
    EXPECT_OK(file_write(path, "", 0, &e), e);
    EXPECT_ERR(safetensors_open(path, &a, &e), e, ERR_EMPTY, "0 bytes");
    EXPECT_OK(file_write(path, "\x89HDF\r\n\x1a\n\0\0\0\0\0\0\0\0", 16, &e), e);
    EXPECT_ERR(safetensors_open(path, &a, &e), e, ERR_FORMAT, "header length");
    EXPECT_OK(file_write(path, "\xff\0\0\0\0\0\0\0{}", 10, &e), e);
    EXPECT_ERR(safetensors_open(path, &a, &e), e, ERR_DAMAGED,
               "is cut short: 253 of the 255 bytes of its header are missing; get the file again");
    arena_free(&a);
}

TEST(safetensors_refuses_types_and_values_that_are_no_weights)
{
    arena a = {0};
    err e = {0};
    float out[4];
    safetensors *s = safetensors_open(
        make_file("i.safetensors",
                  "{\"a\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8),
        &a, &e);
    EXPECT(s && !safetensors_read(s, 0, out, &e));
    EXPECT_HAS(e.text, "type I64");
    safetensors_close(s);
    uint8_t inf[] = {56, 0, 0, 0, 0, 0, 0, 0};
    strbuf b = {0};
    strbuf_add(&b, (char *)inf, 8);
    strbuf_printf(&b, "%-56s", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}");
    strbuf_add(&b, "\0\0\x80\x7f", 4);
    const char *path = test_path("inf.safetensors");
    EXPECT_OK(file_write(path, b.s, b.len, &e), e);
    s = safetensors_open(path, &a, &e);
    EXPECT(s && !safetensors_read(s, 0, out, &e));
    EXPECT_HAS(e.text, "no finite number");
    safetensors_close(s);
    strbuf_free(&b);
    arena_free(&a);
}

// A network whose norm divides by the root of it would open nowhere.
TEST(safetensors_refuse_a_variance_below_0)
{
    arena a = {0};
    err e = {0};
    const model_def *m = model_find("instrument_recognizer");
    m = model_configure(m, "width=4 bands=16 frames=16", &a, &e);
    params *p = m ? filled_params(m, &a) : NULL;
    EXPECT_OK(p != NULL, e);
    int k = params_find(p, "blocks.2.norm.running_var");
    params_at(p, k)[3] = -0.5f;
    EXPECT_OK(safetensors_save_params(test_path("v.safetensors"), p, false, NULL, &e), e);
    EXPECT_ERR(safetensors_load_params(test_path("v.safetensors"), p, NULL, &e), e, ERR_VALUE,
               "element 3 of 'blocks.2.norm.running_var' is -0.5, which no statistic is");
    params_release(p);
    arena_free(&a);
}

static bool opens(const char *header, size_t data_bytes, err *e)
{
    arena a = {0};
    safetensors *s = safetensors_open(make_file("one.safetensors", header, data_bytes), &a, e);
    bool ok = s && safetensors_verify(s, e);
    safetensors_close(s);
    arena_free(&a);
    return ok;
}

// As the reference library has it (tests/peers/safetensors_matrix.py asks it).
TEST(safetensors_sound_files_of_every_type)
{
    static const struct {
        const char *type;
        size_t bits;
    } types[] = {{"BOOL", 8},        {"U8", 8},      {"I8", 8},          {"F8_E5M2", 8},
                 {"F8_E4M3", 8},     {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"U16", 16},
                 {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"F16", 16},        {"BF16", 16},
                 {"I32", 32},        {"U32", 32},    {"F32", 32},        {"C64", 64},
                 {"F64", 64},        {"I64", 64},    {"U64", 64},        {"F4", 4},
                 {"F6_E2M3", 6},     {"F6_E3M2", 6}};
    arena a = {0};
    err e = {0};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t bytes = types[i].bits;
        const char *header =
            arena_printf(&a, "{\"w\":{\"dtype\":\"%s\",\"shape\":[2,4],\"data_offsets\":[0,%zu]}}",
                         types[i].type, bytes);
        EXPECT_OK(opens(header, bytes, &e), e);
        EXPECT_ERR(opens(header, bytes + 1, &e), e, ERR_DAMAGED, "bytes behind its last tensor");
    }
    EXPECT_ERR(opens("{\"w\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1, &e), e,
               ERR_DAMAGED, "its shape needs 12 bits");
    EXPECT_ERR(opens("{\"w\":{\"dtype\":\"I4\",\"shape\":[2],\"data_offsets\":[0,1]}}", 1, &e), e,
               ERR_FORMAT, "no element type");
    arena_free(&a);
}

TEST(safetensors_headers_as_the_library_reads_them)
{
#define ONE(before, offsets, behind)                                                               \
    before "\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":" offsets behind "}}"
    err e = {0};
    EXPECT_OK(opens(ONE(" \t\r\n{", "[0,8]", ""), 8, &e), e);
    EXPECT_OK(opens(ONE("{\"__metadata__\":null,", "[0,8]", ""), 8, &e), e);
    EXPECT_OK(opens(ONE("{", "[0,8]", ",\"more\":{\"a\":[1.5]}"), 8, &e), e);
    EXPECT_OK(
        opens(
            "{\"w\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}",
            8, &e),
        e);
    EXPECT_ERR(opens(ONE("{", "[0,8.0]", ""), 8, &e), e, ERR_DAMAGED,
               "the data_offsets of tensor 'w' are not two whole numbers");
    EXPECT_ERR(opens(ONE("{", "[0.0,8]", ""), 8, &e), e, ERR_DAMAGED, "are not two whole numbers");
    EXPECT_ERR(opens(ONE("{", "[0,8e0]", ""), 8, &e), e, ERR_DAMAGED, "are not two whole numbers");
    EXPECT_ERR(opens(ONE("{", "[0,8,8]", ""), 8, &e), e, ERR_DAMAGED, "are not two whole numbers");
    EXPECT_ERR(opens("{\"w\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8, &e),
               e, ERR_DAMAGED, "no valid shape");
    EXPECT_ERR(opens(ONE("{\"__metadata__\":{\"n\":1},", "[0,8]", ""), 8, &e), e, ERR_FORMAT,
               "metadata 'n' is no text");
    EXPECT_ERR(opens(ONE("{\"__metadata__\":[],", "[0,8]", ""), 8, &e), e, ERR_FORMAT,
               "__metadata__ is no object");
    EXPECT_ERR(opens(ONE("\x0b{", "[0,8]", ""), 8, &e), e, ERR_FORMAT,
               "its header is no JSON object");
    EXPECT_ERR(opens("   ", 0, &e), e, ERR_FORMAT, "its header is no JSON object");
}

// What the library passes over and the format forbids, or no program writes: a name twice, a name
// of a zero byte, an entry as a list, -0.
static const char *const differs[] = {"347", "383", "419", "433", "441"};

TEST(safetensors_judged_as_the_library_does)
{
    const char *out;
    char number[8], verdict[16];
    int seen = 0, apart = 0;
    if (!getenv("PEERS_PYTHON") ||
        test_shell(NULL, "\"$PEERS_PYTHON\" -c 'import safetensors' 2>/dev/null")) {
        test_skip("PEERS_PYTHON does not name a Python with safetensors");
        return;
    }
    EXPECT_INT(
        test_shell(&out, "\"$PEERS_PYTHON\" tests/peers/safetensors_matrix.py '%s'", test_dir()),
        0);
    FILE *f = fopen(test_path("list"), "r");
    for (; f && fscanf(f, "%7s %15s", number, verdict) == 2; seen++) {
        arena a = {0};
        err e = {0};
        bool known = false;
        safetensors *s =
            safetensors_open(test_path(arena_printf(&a, "%s.safetensors", number)), &a, &e);
        bool ok = s && safetensors_verify(s, &e), same = ok == !strcmp(verdict, "ok");
        for (size_t i = 0; i < sizeof differs / sizeof *differs; i++)
            known = known || !strcmp(differs[i], number);
        test_expect(same != known, __FILE__, __LINE__, "%s: the library: %s, kmidi: %s", number,
                    verdict, ok ? "ok" : e.text);
        apart += !same;
        safetensors_close(s);
        arena_free(&a);
    }
    EXPECT(seen > 400);
    EXPECT_INT(apart, 5);
    if (f)
        fclose(f);
}
