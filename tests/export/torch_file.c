// SPDX-License-Identifier: GPL-3.0-or-later
// torch_file.c (tests): state_dicts of PyTorch's in, ours out, and pickles that are programs.
#include "export/torch_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/bf16.h"
#include "base/f16.h"
#include "base/file.h"
#include "export/archive.h"
#include "export/torch_pickle.h"
#include "tests/test.h"

// ---- What PyTorch wrote (tests/golden/torch_state.py)

static void expect_values(weights *w, const char *name, const char *type, uint32_t seed, int from,
                          int n)
{
    err e = {0};
    float x[16];
    int i = weights_find(w, name);
    if (!test_expect(i >= 0, __FILE__, __LINE__, "no '%s'", name))
        return;
    const weights_entry *t = &w->index->list[i];
    EXPECT_STR(t->dtype, type);
    EXPECT_INT(t->count, n);
    EXPECT_OK(w->read(w->of, i, x, &e), e);
    for (int k = 0; k < n; k++) {
        float was = test_fill(seed, (uint32_t)(from + k), 1),
              is = !strcmp(type, "F16")    ? f16_widen(f16_round(was))
                   : !strcmp(type, "BF16") ? bf16_widen(bf16_round(was))
                                           : was;
        test_expect(x[k] == is, __FILE__, __LINE__, "%s[%d] is %.9g, not %.9g", name, k,
                    (double)x[k], (double)is);
    }
}

static void expect_refused(weights *w, const char *name, const char *part)
{
    err e = {0};
    float x[16];
    int i = weights_find(w, name);
    EXPECT(i >= 0);
    EXPECT_ERR(i < 0 || w->read(w->of, i, x, &e), e, ERR_VALUE, part);
}

static void expect_state(const char *path)
{
    arena a = {0};
    err e = {0};
    float seen = 0;
    weights *w = weights_open(path, &a, &e);
    if (!test_expect(w != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    EXPECT_INT(w->index->n, 12);
    expect_values(w, "fc.weight", "F32", 1, 0, 6);
    expect_values(w, "turned", "F32", 2, 0, 6);
    expect_values(w, "half", "F16", 3, 0, 4);
    expect_values(w, "brain", "BF16", 4, 0, 4);
    expect_values(w, "double", "F64", 5, 0, 4);
    expect_values(w, "first", "F32", 6, 0, 2);
    expect_values(w, "second", "F32", 6, 1, 4);
    expect_values(w, "none", "F32", 7, 0, 0);
    int i = weights_find(w, "seen");
    EXPECT_INT(w->index->list[i].rank, 0);
    EXPECT_OK(w->read(w->of, i, &seen, &e), e);
    EXPECT_NEAR(seen, 7, 0);
    expect_refused(w, "mask", "tensor 'mask' is of type BOOL");
    expect_refused(w, "wide", "type U16");
    expect_refused(w, "eight", "type F8_E4M3");
    EXPECT_OK(w->verify(w->of, &e), e);
    weights_close(w);
    arena_free(&a);
}

TEST(torch_file_reads_what_torch_wrote)
{
    expect_state("tests/golden/torch_state.pt");
    expect_state("tests/golden/torch_state_5.pt");
}

// Any byte of a file may be another: it is read, or refused in a sentence.
TEST(torch_file_survives_any_changed_byte)
{
    arena a = {0};
    err e = {0};
    size_t n;
    char *bytes = file_read(&a, "tests/golden/torch_state.pt", 1 << 20, &n, &e);
    const char *path = test_path("x.pt");
    int refused = 0;
    for (size_t i = 0; bytes && i < n; i += i < 1200 ? 1 : 7) {
        arena b = {0};
        char was = bytes[i];
        bytes[i] = (char)(was ^ 0x41);
        EXPECT_OK(file_write(path, bytes, n, &e), e);
        e = (err){0};
        weights *w = weights_open(path, &b, &e);
        bool ok = w && w->verify(w->of, &e);
        refused += !ok;
        test_expect(ok || e.text[0], __FILE__, __LINE__, "byte %zu: no sentence", i);
        weights_close(w);
        bytes[i] = was;
        arena_free(&b);
    }
    EXPECT(refused > 500);
    arena_free(&a);
}

// ---- What we write

static weights_source two_sources[] = {
    {"fc.weight", 2, {2, 3}, (const float[]){1, 2, 3, 4, 5, 6}, false},
    {"norm.num_batches_tracked", 0, {0}, (const float[]){9}, true},
};

TEST(torch_file_round_trip)
{
    arena a = {0};
    err e = {0};
    float x[6];
    model_meta meta = {.arena = &a};
    meta_set(&meta, "labels", "[\"joy\"]");
    const char *path = test_path("m.pt");
    EXPECT_OK(torch_file_write(path, two_sources, 2, &meta, &e), e);
    weights *w = weights_open(path, &a, &e);
    if (!test_expect(w != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    EXPECT_STR(meta_get(&w->index->meta, "labels"), "[\"joy\"]");
    EXPECT_OK(w->read(w->of, 0, x, &e), e);
    EXPECT(!memcmp(x, two_sources[0].data, sizeof x));
    EXPECT_STR(w->index->list[1].dtype, "I64");
    EXPECT_OK(w->read(w->of, 1, x, &e), e);
    EXPECT_NEAR(x[0], 9, 0);
    weights_close(w);
    size_t n, m;
    const char *one = file_read(&a, path, 1 << 20, &n, &e);
    EXPECT_OK(torch_file_write(test_path("m.pt"), two_sources, 2, &meta, &e), e);
    const char *two = file_read(&a, path, 1 << 20, &m, &e);
    EXPECT(one && two && n == m && !memcmp(one, two, n));
    // the numbers 1 .. 6 begin at a multiple of 64 bytes
    const char *at = memmem(one, n, two_sources[0].data, 6 * sizeof(float));
    EXPECT(at && (at - one) % 64 == 0);
    arena_free(&a);
}

// ---- Files that lie

// A pickle with one storage of 16 bytes beside it.
static const char *state(const char *pickle, size_t n)
{
    err e = {0};
    const char *path = test_path("x.pt");
    const archive_record list[] = {
        {"x/data.pkl", pickle, n}, {"x/data/0", "abcdefghijklmnop", 16}, {"x/version", "3\n", 2}};
    EXPECT_OK(archive_write(path, list, 3, 64, &e), e);
    return path;
}

static bool opens(const char *path, err *e)
{
    arena a = {0};
    weights *w = weights_open(path, &a, e);
    bool ok = w && w->verify(w->of, e);
    weights_close(w);
    arena_free(&a);
    return ok;
}

#define REFUSES(pickle, code, part)                                                                \
    EXPECT_ERR(opens(state(pickle, sizeof pickle - 1), &e), e, code, part)
// {"w": a tensor of a storage "0" of `stored` elements}
#define TENSOR(class, stored, offset, size, stride)                                                \
    "\x80\x02}(X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\n" class      \
        "\nX\1\0\0\0"                                                                              \
        "0"                                                                                        \
        "X\3\0\0\0cpu" stored "tQ" offset size stride "\x89"                                       \
        "}tRu."

TEST(torch_file_calls_nothing)
{
    err e = {0};
    REFUSES("\x80\x02"
            "cos\nsystem\n(X\x4\0\0\0truetR.",
            ERR_FORMAT, "x.pt' holds os.system, and of a pickle only tensors by name are read");
    REFUSES("\x80\x04\x8c\2os\x8c\6system\x93\x8c\4true\x85R.", ERR_FORMAT, "holds os.system");
    REFUSES("\x80\x02"
            "cbuiltins\neval\n(X\1\0\0\0"
            "1tR.",
            ERR_FORMAT, "holds builtins.eval");
    REFUSES("\x80\x02"
            "ctorch._utils\n_rebuild_parameter\n.",
            ERR_FORMAT, "holds torch._utils._rebuild_parameter");
    REFUSES("\x80\x02(ios\nsystem\n.", ERR_FORMAT, "has the instruction INST at byte 3");
    REFUSES("\x80\x02"
            "ccollections\nOrderedDict\n)\x81.",
            ERR_FORMAT, "instruction NEWOBJ");
    REFUSES("\x80\x02\x82\1.", ERR_FORMAT, "instruction EXT1");
    REFUSES("\x80\x02}X\1\0\0\0a)sX\1\0\0\0b)R.", ERR_DAMAGED, "a call of what is no function");
    REFUSES("\x80\x02"
            "ccollections\nOrderedDict\n(K\1tR.",
            ERR_DAMAGED, "a call of what is no");
    REFUSES("\x80\x02"
            "c\xff\xfe\n\x1b[2J\n.",
            ERR_FORMAT, "\\xff\\xfe.");
}

TEST(torch_file_refuses_pickles_that_are_cut_off_or_wrong)
{
    err e = {0};
    REFUSES("", ERR_DAMAGED, "no last instruction at byte 0");
    REFUSES("\x80", ERR_DAMAGED, "that the end cuts off at byte 0");
    REFUSES("\x80\x02X\xff\xff\xff\xff"
            "a.",
            ERR_DAMAGED, "cuts off at byte 2");
    REFUSES("\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
            "a.",
            ERR_DAMAGED, "cuts off");
    REFUSES("\x80\x02"
            "cos\n",
            ERR_DAMAGED, "a name that the end cuts off");
    REFUSES("\x80\x02.", ERR_DAMAGED, "too few values");
    REFUSES("\x80\x02(.", ERR_DAMAGED, "too few values");
    REFUSES("\x80\x02t.", ERR_DAMAGED, "no mark");
    REFUSES("\x80\x02h\5.", ERR_DAMAGED, "a memo that is not there");
    REFUSES("\x80\x02}r\xff\xff\xff\xff.", ERR_DAMAGED, "a memo of nothing");
    REFUSES("\x80\x02]K\1K\2s.", ERR_DAMAGED, "values for what takes none");
    REFUSES("\x80\x02}(K\1u.", ERR_DAMAGED, "values for what takes none");
    REFUSES("\x80\x02K\1}b.", ERR_DAMAGED, "a state for what has none");
    REFUSES("\x80\x02X\1\0\0\0\xff.", ERR_DAMAGED, "a text that is none");
    REFUSES("\x80\x02\x8a\x09.........", ERR_DAMAGED, "more than 64 bits");
    REFUSES("\x80\x02\xfe.", ERR_DAMAGED, "an instruction that Python has not");
    REFUSES("\x80\x02K\1.", ERR_FORMAT, "is a number, not a state_dict");
    REFUSES("\x80\x02}K\1K\2s.", ERR_FORMAT, "names a tensor by a number");
    REFUSES("\x80\x02}X\1\0\0\0aK\2s.", ERR_FORMAT, "holds a number called 'a'");
    REFUSES("\x80\x02}q\0X\1\0\0\0ah\0s.", ERR_FORMAT, "holds a dictionary called 'a'"); // itself
}

TEST(torch_file_keeps_tensors_within_their_storage)
{
    err e = {0};
    EXPECT_OK(
        opens(state(TENSOR("FloatStorage", "K\4", "K\0", "K\2K\2\x86", "K\2K\1\x86"),
                    sizeof TENSOR("FloatStorage", "K\4", "K\0", "K\2K\2\x86", "K\2K\1\x86") - 1),
              &e),
        e);
    REFUSES(TENSOR("FloatStorage", "K\4", "K\1", "K\4\x85", "K\1\x85"), ERR_DAMAGED,
            "a tensor that lies outside its storage");
    REFUSES(TENSOR("FloatStorage", "K\4", "K\0", "K\2K\2\x86", "K\3K\1\x86"), ERR_DAMAGED,
            "outside its storage");
    REFUSES(TENSOR("FloatStorage", "K\4", "J\xff\xff\xff\xff", "K\1\x85", "K\1\x85"), ERR_DAMAGED,
            "no storage, offset, size and strides");
    REFUSES(TENSOR("FloatStorage", "K\4", "K\0", "J\xff\xff\xff\xff\x85", "K\1\x85"), ERR_DAMAGED,
            "no whole numbers");
    REFUSES(TENSOR("FloatStorage", "K\4", "K\0", "K\1\x85", "J\xff\xff\xff\xff\x85"), ERR_DAMAGED,
            "no whole numbers");
    REFUSES(TENSOR("FloatStorage", "K\4", "K\0", "K\1\x85", "K\1K\1\x86"), ERR_DAMAGED,
            "no whole numbers");
    REFUSES(TENSOR("FloatStorage", "K\4", "K\0", "\x8a\x08\0\0\0\0\0\0\0\x70K\3\x86", "K\0K\0\x86"),
            ERR_DAMAGED, "outside its storage");
    REFUSES(TENSOR("FloatStorage", "K\4", "K\0", "K\3\x85", "\x8a\x08\0\0\0\0\0\0\0\x70\x85"),
            ERR_DAMAGED, "outside its storage");
    REFUSES(TENSOR("FloatStorage", "K\5", "K\0", "K\4\x85", "K\1\x85"), ERR_DAMAGED,
            "the storage of tensor 'w' says 5 elements of F32 and has 16 bytes");
    REFUSES(TENSOR("DoubleStorage", "K\4", "K\0", "K\4\x85", "K\1\x85"), ERR_DAMAGED,
            "says 4 elements of F64");
    REFUSES(TENSOR("QInt8Storage", "K\4", "K\0", "K\4\x85", "K\1\x85"), ERR_FORMAT,
            "holds torch.QInt8Storage");
    // a storage of no type, and one that is not in the file
    REFUSES("\x80\x02}(X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storage"
            "ctorch.storage\nUntypedStorage\nX\1\0\0\0"
            "0X\3\0\0\0cpuK\4tQK\0K\4\x85K\1\x85\x89}tRu.",
            ERR_DAMAGED, "a tensor of no type");
    REFUSES("\x80\x02}(X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storage"
            "ctorch\nFloatStorage\nX\4\0\0\0../0X\3\0\0\0cpuK\4tQK\0K\4\x85K\1\x85\x89}tRu.",
            ERR_DAMAGED, "has no record x/data/../0 for tensor 'w'");
}

// Everything that a pickle may make grows with its length alone, and that is bounded.
TEST(torch_file_bounds_what_a_pickle_makes)
{
    err e = {0};
    size_t n = (1 << 20) + 3;
    char *many = malloc(n);
    memset(many, '}', n);
    memcpy(many, "\x80\x02", 2), many[n - 1] = '.';
    EXPECT_ERR(opens(state(many, n), &e), e, ERR_DAMAGED, "too many values");
    memset(many + 2, '(', n - 3);
    EXPECT_ERR(opens(state(many, n), &e), e, ERR_DAMAGED, "too many values");
    free(many);
    n = (16 << 20) + 1;
    many = calloc(n, 1);
    EXPECT_ERR(opens(state(many, n), &e), e, ERR_FORMAT, "record x/data.pkl is of 16777217 bytes");
    free(many);
}

TEST(torch_file_unpacks_no_bomb)
{
    arena a = {0};
    err e = {0};
    const char *out, *path = test_path("bomb.pt"), *d = test_dir();
    if (test_shell(&out, "command -v python3")) {
        test_skip("python3 makes the compressed file");
        return;
    }
    EXPECT_INT(test_shell(&out,
                          "python3 -c \"import zipfile; z = zipfile.ZipFile('%s', 'w', "
                          "zipfile.ZIP_DEFLATED, compresslevel=9); z.writestr('x/data.pkl', "
                          "bytes(1 << 30))\"",
                          path),
               0);
    EXPECT_ERR(opens(path, &e), e, ERR_FORMAT, "its record x/data.pkl is compressed or encrypted");
    EXPECT_INT(test_shell(&out,
                          "python3 -c \"import zipfile; z = zipfile.ZipFile('%s', 'w'); "
                          "z.writestr('x/y', 'z')\"",
                          path),
               0);
    EXPECT_ERR(opens(path, &e), e, ERR_FORMAT, "it has no data.pkl");
    EXPECT_OK(file_write(path, "PK\3\4 and no more", 16, &e), e);
    EXPECT_ERR(opens(path, &e), e, ERR_FORMAT, "is no zip file, or cut off");
    EXPECT_OK(file_write(path, "", 0, &e), e);
    EXPECT_ERR(opens(path, &e), e, ERR_EMPTY, "is empty");
    EXPECT_OK(file_write(path, "\x80\x02\x8a\x0al\xfc\x9c", 7, &e), e);
    EXPECT_ERR(opens(path, &e), e, ERR_FORMAT, "is of PyTorch before 1.6");
    EXPECT_ERR(opens(arena_printf(&a, "%s/none.pt", d), &e), e, ERR_MISSING, "none.pt");
    EXPECT_ERR(opens(d, &e), e, ERR_IO, "is a folder");
    const archive_record big[] = {{"x/data.pkl", "\x80\x02}.", 4}, {"x/byteorder", "big", 3}};
    EXPECT_OK(archive_write(path, big, 2, 64, &e), e);
    EXPECT_ERR(opens(path, &e), e, ERR_FORMAT, "bytes of a number in another order");
    arena_free(&a);
}

// A record that says more than the file has: the sizes in both of its headers are changed.
TEST(torch_file_believes_no_size)
{
    arena a = {0};
    err e = {0};
    size_t n;
    const char *path = state("\x80\x02}.", 4);
    char *bytes = file_read(&a, path, 1 << 16, &n, &e);
    for (size_t i = 0; bytes && i + 30 < n; i++) {
        int at = !memcmp(bytes + i, "PK\3\4", 4) ? 18 : !memcmp(bytes + i, "PK\1\2", 4) ? 20 : 0;
        if (at && bytes[i + (size_t)at] == 4)
            memcpy(bytes + i + at, "\0\0\0\x70\0\0\0\x70", 8);
    }
    EXPECT_OK(file_write(path, bytes, n, &e), e);
    EXPECT_ERR(opens(path, &e), e, ERR_DAMAGED, "");
    arena_free(&a);
}
