// SPDX-License-Identifier: GPL-3.0-or-later
// HDF5 files of a stranger: whole, with right checksums, and made to reach beyond themselves or to
// cost more than they are. Made by the library itself, since ours writes none of it.
#include <hdf5.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/h5.h"
#include "base/hw.h"
#include "tests/test.h"

enum { ROWS = 64 };

static hid_t create_in(const char *path, H5F_libver_t format)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, format, H5F_LIBVER_V110);
    hid_t f = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    return f;
}

static hid_t create(const char *path)
{
    return create_in(path, H5F_LIBVER_V110);
}

static hid_t space_of(hsize_t rows)
{
    return H5Screate_simple(1, &rows, NULL);
}

// A dataset of floats by the creation list `how`.
static void put(hid_t f, const char *name, hid_t how, hsize_t rows)
{
    float data[ROWS];
    for (uint32_t i = 0; i < ROWS; i++)
        data[i] = test_fill(3, i, 1);
    hid_t space = space_of(rows),
          d = H5Dcreate2(f, name, H5T_IEEE_F32LE, space, H5P_DEFAULT, how, H5P_DEFAULT);
    if (rows <= ROWS && d >= 0)
        H5Dwrite(d, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
    if (d >= 0)
        H5Dclose(d);
    H5Sclose(space);
}

static void soft(hid_t f)
{
    put(f, "a", H5P_DEFAULT, ROWS);
    H5Lcreate_soft("/a", f, "b", H5P_DEFAULT, H5P_DEFAULT);
}

static void dangling(hid_t f)
{
    H5Lcreate_soft("/nowhere", f, "b", H5P_DEFAULT, H5P_DEFAULT);
}

static void external(hid_t f)
{
    H5Lcreate_external(test_path("other.h5"), "/secret", f, "params", H5P_DEFAULT, H5P_DEFAULT);
}

static void external_deep(hid_t f)
{
    hid_t g = H5Gcreate2(f, "params", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("/etc/passwd", "/", g, "fc1.weight", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(g);
}

static void storage(hid_t f)
{
    hid_t how = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(how, test_path("secret.bin"), 0, ROWS * 4);
    put(f, "a", how, ROWS);
    H5Pclose(how);
}

static void virtual(hid_t f)
{
    hid_t how = H5Pcreate(H5P_DATASET_CREATE), space = space_of(ROWS);
    H5Pset_virtual(how, space, test_path("other.h5"), "/secret", space);
    put(f, "a", how, ROWS);
    H5Sclose(space), H5Pclose(how);
}

static void nested(hid_t f)
{
    hid_t g = H5Gopen2(f, "/", H5P_DEFAULT);
    for (int i = 0; i < 4000; i++) {
        hid_t inner = H5Gcreate2(g, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        H5Gclose(g);
        g = inner;
    }
    put(g, "a", H5P_DEFAULT, ROWS);
    H5Gclose(g);
}

static void cycle(hid_t f)
{
    hid_t g = H5Gcreate2(f, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(f, "/", g, "up", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(f, "/g", g, "self", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(g);
}

// Ten names for each of twelve levels: 10^12 ways down.
static void ladder(hid_t f)
{
    hid_t g = H5Gopen2(f, "/", H5P_DEFAULT);
    for (int i = 0; i < 12; i++) {
        hid_t inner = H5Gcreate2(g, "0", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        for (char name[2] = "1"; *name <= '9'; ++*name)
            H5Lcreate_hard(g, "0", g, name, H5P_DEFAULT, H5P_DEFAULT);
        H5Gclose(g);
        g = inner;
    }
    H5Gclose(g);
}

static void named(hid_t f)
{
    put(f, "a\n'x': ok\033[2J", H5P_DEFAULT, ROWS);
}

static void committed(hid_t f)
{
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    H5Tcommit2(f, "type", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Tclose(type);
}

static void filtered_by(hid_t f, H5Z_filter_t filter)
{
    hid_t how = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk = 16;
    unsigned value[] = {0, 0, 0, 0};
    H5Pset_chunk(how, 1, &chunk);
    if (filter == H5Z_FILTER_SCALEOFFSET)
        H5Pset_scaleoffset(how, H5Z_SO_FLOAT_DSCALE, 2);
    else if (filter == H5Z_FILTER_NBIT)
        H5Pset_nbit(how);
    else
        H5Pset_filter(how, filter, H5Z_FLAG_OPTIONAL, 4, value);
    put(f, "a", how, ROWS);
    H5Pclose(how);
}

static void scaled(hid_t f)
{
    filtered_by(f, H5Z_FILTER_SCALEOFFSET);
}

static void unknown_filter(hid_t f)
{
    filtered_by(f, 32000);
}

static void huge_chunks(hid_t f)
{
    hid_t how = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk = 100 << 20, rows = ROWS, most = H5S_UNLIMITED;
    H5Pset_chunk(how, 1, &chunk);
    H5Pset_deflate(how, 9);
    hid_t space = H5Screate_simple(1, &rows, &most),
          d = H5Dcreate2(f, "a", H5T_IEEE_F32LE, space, H5P_DEFAULT, how, H5P_DEFAULT);
    H5Dclose(d), H5Sclose(space), H5Pclose(how);
}

static void boundless(hid_t f)
{
    hid_t how = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk = 1 << 18;
    H5Pset_chunk(how, 1, &chunk);
    H5Pset_deflate(how, 9);
    put(f, "a", how, (hsize_t)1 << 45); // nothing of it is there
    H5Pclose(how);
}

static const struct {
    const char *name;
    void (*make)(hid_t f);
    const char *says;
} outside[] = {
    {"soft", soft, "is a link to another name"},
    {"dangling", dangling, "is a link to another name"},
    {"external", external, "is a link to another file"},
    {"external_deep", external_deep, "'fc1.weight' is a link to another file"},
    {"storage", storage, "does not lie in this file"},
    {"virtual", virtual, "does not lie in this file"},
    {"nested", nested, "nested more than 16 deep"},
    {"cycle", cycle, "nested more than 16 deep"},
    {"ladder", ladder, "more than 16384 objects"},
    {"named", named, "control characters"},
    {"committed", committed, "neither a group nor a dataset"},
    {"scaled", scaled, "packed by filter 6"},
    {"unknown_filter", unknown_filter, "packed by filter 32000"},
    {"huge_chunks", huge_chunks, "in pieces of more than 16 MiB"},
    {"boundless", boundless, "bytes are stored"},
};

static bool verify(const char *path, err *e)
{
    size_t n = 0;
    h5 *f = h5_open(path, e);
    bool ok = f && h5_verify(f, &n, e);
    h5_close(f);
    return ok;
}

TEST(h5_from_outside_reaches_no_further_than_itself)
{
    err e = {0};
    hid_t other = create(test_path("other.h5"));
    put(other, "secret", H5P_DEFAULT, ROWS);
    H5Fclose(other);
    EXPECT_OK(file_write(test_path("secret.bin"), "secret", 6, &e), e);
    size_t n = sizeof outside / sizeof *outside;
    for (size_t k = 0; k < 2 * n; k++) { // the second time in the format of before HDF5 1.8
        size_t i = k % n;
        const char *path = test_path(outside[i].name);
        hid_t f = create_in(path, k < n ? H5F_LIBVER_V110 : H5F_LIBVER_EARLIEST);
        outside[i].make(f);
        H5Fclose(f);
        double began = hw_seconds();
        e = (err){0};
        bool ok = verify(path, &e);
        test_expect(!ok && test_has(e.text, outside[i].says), __FILE__, __LINE__, "%s: %s",
                    outside[i].name, ok ? "ok" : e.text);
        test_expect(!strpbrk(e.text, "\n\033"), __FILE__, __LINE__, "%s: a control character",
                    outside[i].name);
        EXPECT_BELOW(hw_seconds() - began, 5);
    }
}

// What h5repack and h5py write by their filters is read, row by row and whole.
TEST(h5_from_outside_reads_what_is_packed)
{
    err e = {0};
    float whole[ROWS], row;
    hsize_t chunk = 16;
    hid_t f = create(test_path("packed.h5")), how = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(how, 1, &chunk);
    H5Pset_shuffle(how), H5Pset_deflate(how, 4), H5Pset_fletcher32(how);
    put(f, "a", how, ROWS);
    H5Pclose(how), H5Fclose(f);
    h5 *x = h5_open(test_path("packed.h5"), &e);
    EXPECT_OK(x != NULL, e);
    for (uint64_t i = 0; x && i < ROWS; i++) {
        EXPECT_OK(h5_read_rows(x, "a", H5_F32, i, 1, &row, &e), e);
        EXPECT(row == test_fill(3, (uint32_t)i, 1));
    }
    EXPECT_OK(h5_read_rows(x, "a", H5_F32, 0, ROWS, whole, &e), e);
    EXPECT_ERR(h5_read(x, "a", (h5_shape){H5_F32, 1, {ROWS}}, whole, &e), e, ERR_DAMAGED,
               "no readable checksum");
    h5_close(x);
}

static const char *const words[] = {"one", "", "a longer one", "four", "five"};
enum { WORDS = sizeof words / sizeof *words };

// Texts in pieces of two, packed as `filters` says: s shuffles, d deflates.
static void put_words(hid_t f, const char *name, const char *filters)
{
    hsize_t piece = 2;
    hid_t how = H5Pcreate(H5P_DATASET_CREATE), type = H5Tcopy(H5T_C_S1), space = space_of(WORDS);
    H5Tset_size(type, H5T_VARIABLE);
    if (*filters)
        H5Pset_chunk(how, 1, &piece);
    for (const char *p = filters; *p; p++)
        *p == 's' ? H5Pset_shuffle(how) : H5Pset_deflate(how, 4);
    hid_t d = H5Dcreate2(f, name, type, space, H5P_DEFAULT, how, H5P_DEFAULT);
    H5Dwrite(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, words);
    H5Dclose(d), H5Sclose(space), H5Tclose(type), H5Pclose(how);
}

// The checksum of what is ours goes with it: it is put beside by the library's own attribute.
static void put_checksum(hid_t f, const char *name)
{
    char hex[65];
    digest *sum = digest_open();
    for (int i = 0; i < WORDS; i++)
        digest_add_str(sum, words[i]);
    digest_close(sum, hex);
    hid_t d = H5Dopen2(f, name, H5P_DEFAULT), type = H5Tcopy(H5T_C_S1),
          space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, sizeof hex);
    hid_t a = H5Acreate2(d, "sha256", type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(a, type, hex);
    H5Aclose(a), H5Sclose(space), H5Tclose(type), H5Dclose(d);
}

// As h5repack -f leaves them, in either format.
TEST(h5_from_outside_reads_packed_texts)
{
    static const char *const ways[] = {"", "d", "sd", "s"};
    for (int k = 0; k < 2 * (int)(sizeof ways / sizeof *ways); k++) {
        err e = {0};
        arena a = {0};
        char **got;
        uint64_t n = 0;
        hid_t f = create_in(test_path("words.h5"), k % 2 ? H5F_LIBVER_V110 : H5F_LIBVER_EARLIEST);
        put_words(f, "a", ways[k / 2]), put_checksum(f, "a");
        H5Fclose(f);
        h5 *x = h5_open(test_path("words.h5"), &e);
        EXPECT_OK(x && h5_read_texts(x, "a", &a, &got, &n, &e), e);
        EXPECT_INT(n, WORDS);
        for (uint64_t i = 0; i < n; i++)
            EXPECT_STR(got[i], words[i]);
        h5_close(x);
        arena_free(&a);
    }
}

// A piece that unpacks to less than it stands for.
TEST(h5_from_outside_refuses_a_piece_that_is_short)
{
    // deflated: no bytes at all
    static const unsigned char nothing[] = {0x78, 0x9c, 0x03, 0, 0, 0, 0, 1};
    err e = {0};
    hsize_t zero = 0;
    hid_t f = create(test_path("short.h5"));
    put_words(f, "a", "d"), put_checksum(f, "a");
    hid_t d = H5Dopen2(f, "a", H5P_DEFAULT);
    EXPECT(H5Dwrite_chunk(d, H5P_DEFAULT, 0, &zero, sizeof nothing, nothing) >= 0);
    H5Dclose(d), H5Fclose(f);
    EXPECT(!verify(test_path("short.h5"), &e));
    EXPECT_INT(e.code, ERR_DAMAGED);
}

// What h5py writes by default: the format of before HDF5 1.8, no checksums of ours, types of all
// kinds.
TEST(h5_from_outside_says_what_h5py_wrote)
{
    err e = {0};
    arena a = {0};
    const char *about = NULL;
    h5_found found;
    size_t n;
    hid_t f = create_in(test_path("plain.h5"), H5F_LIBVER_EARLIEST),
          g = H5Gcreate2(f, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    put(g, "rows", H5P_DEFAULT, ROWS), put_words(f, "names", "");
    hid_t space = space_of(3),
          d = H5Dcreate2(f, "short", H5T_STD_I16BE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dclose(d), H5Sclose(space), H5Gclose(g), H5Fclose(f);
    h5 *x = h5_open(test_path("plain.h5"), &e);
    EXPECT_OK(x && h5_about(x, "g/rows", NULL, &a, &about, &e), e);
    EXPECT_STR(about, "f32 [64]");
    EXPECT_OK(h5_about(x, "names", NULL, &a, &about, &e), e);
    EXPECT_STR(about, "text [5]");
    EXPECT_OK(h5_about(x, "short", NULL, &a, &about, &e), e);
    EXPECT_STR(about, "i16 big-endian [3]");
    EXPECT_OK(h5_about(x, "g", NULL, &a, &about, &e), e);
    EXPECT_STR(about, "");
    EXPECT_OK(h5_survey(x, &found, &e), e);
    EXPECT_INT(found.datasets, 3);
    EXPECT_INT(found.unsummed, 3);
    EXPECT_INT(found.unread, 1);
    EXPECT_ERR(h5_verify(x, &n, &e), e, ERR_DAMAGED, "no readable checksum");
    h5_close(x);
    arena_free(&a);
}

// h5repack makes pieces of the shape of what it packs, and the library has none without elements:
// so ours has pieces of its own.
TEST(h5_empty_datasets_are_in_pieces)
{
    err e = {0};
    hsize_t piece[2] = {0};
    h5 *f = h5_create(test_path("empty.h5"), &e);
    EXPECT_OK(h5_write(f, "a", (h5_shape){H5_F32, 2, {0, 5}}, NULL, &e) && h5_commit(f, &e), e);
    hid_t x = H5Fopen(test_path("empty.h5"), H5F_ACC_RDONLY, H5P_DEFAULT),
          d = H5Dopen2(x, "a", H5P_DEFAULT), how = H5Dget_create_plist(d);
    EXPECT_INT(H5Pget_layout(how), H5D_CHUNKED);
    EXPECT_INT(H5Pget_chunk(how, 2, piece), 2);
    EXPECT(piece[0] > 0 && piece[1] > 0);
    H5Pclose(how), H5Dclose(d), H5Fclose(x);
}

TEST(h5_from_outside_is_inspected_and_verified)
{
    const char *out;
    hsize_t one = 1;
    hid_t f = create_in(test_path("told.h5"), H5F_LIBVER_EARLIEST),
          g = H5Gcreate2(f, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    put(g, "rows", H5P_DEFAULT, ROWS), put_words(f, "names", "d");
    int seven = 7;
    hid_t space = H5Screate_simple(1, &one, NULL),
          a = H5Acreate2(g, "n\033", H5T_STD_I32LE, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(a, H5T_NATIVE_INT, &seven);
    H5Aclose(a), H5Sclose(space), H5Gclose(g), H5Fclose(f);
    EXPECT_INT(test_shell(&out, "%s inspect --json %s", test_kmidi(), test_path("told.h5")), 0);
    EXPECT(test_has(out, "\"g/rows\": \"f32 [64]\"") || test_has(out, "\"g/rows\":\"f32 [64]\""));
    EXPECT(test_has(out, "text [5]") && test_has(out, "n?"));
    EXPECT_INT(test_shell(&out, "%s verify %s", test_kmidi(), test_path("told.h5")), 0);
    EXPECT(test_has(out, "its datasets have no checksum of kmidi"));
}
