// SPDX-License-Identifier: GPL-3.0-or-later
// h5.h: HDF5, known to base/h5*.c alone. Arrays with names, attributes, and a checksum each.
//
// Every dataset carries an attribute `sha256` of its bytes (row-major, little-endian); readers
// verify it where asked to. Files are made under a temporary name and committed (file.h). Debian's
// library is one lock wide: every call here takes the same mutex, so any thread may use any file.
// Library messages are silenced and come back as one sentence.
#ifndef KMIDI_BASE_H5_H
#define KMIDI_BASE_H5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

typedef struct h5 h5;               // an open file
typedef struct h5_series h5_series; // a dataset that grows by rows while it is written
// H5_TEXT: variable-length UTF-8
typedef enum h5_type { H5_F32, H5_F64, H5_U8, H5_U16, H5_I32, H5_I64, H5_U64, H5_TEXT } h5_type;
enum { H5_RANK = 8 };

typedef struct h5_shape {
    h5_type type;
    int rank;
    uint64_t dim[H5_RANK];
} h5_shape;

// Writing. h5_create makes `path`.tmp-PID; h5_commit closes, syncs and renames it to `path`;
// h5_abandon removes it. `f` is gone after either, whether it succeeded or not; every series must
// have been closed before. Once a write has failed, h5_commit fails too and repeats the reason.
h5 *h5_create(const char *path, err *e) MUST_CHECK;
bool h5_commit(h5 *f, err *e) MUST_CHECK;
void h5_abandon(h5 *f); // accepts NULL
// Groups in `name` ("params/fc1.weight") are made as needed. `data` of H5_TEXT is const char *const
// *.
bool h5_write(h5 *f, const char *name, h5_shape s, const void *data, err *e) MUST_CHECK;
// Attributes of `object` ("/" is the file's root; groups are made as needed).
bool h5_set_text(h5 *f, const char *object, const char *key, const char *value, err *e) MUST_CHECK;
bool h5_set_int(h5 *f, const char *object, const char *key, int64_t value, err *e) MUST_CHECK;
bool h5_set_num(h5 *f, const char *object, const char *key, double value, err *e) MUST_CHECK;
// A dataset [rows, row.dim...]: rows are appended; the checksum is that of all of them. chunk_rows
// 0: about a megabyte. Rows of texts are single texts (rank 0).
// h5_series_close frees `s` even when it fails; it fails when an h5_series_add did.
h5_series *h5_series_open(h5 *f, const char *name, h5_shape row, uint64_t chunk_rows,
                          err *e) MUST_CHECK;
bool h5_series_add(h5_series *s, const void *rows, uint64_t n, err *e) MUST_CHECK;
bool h5_series_close(h5_series *s, err *e) MUST_CHECK;

// Reading.
// no lock on the file; "not an HDF5 file" and "truncated" are told apart
h5 *h5_open(const char *path, err *e) MUST_CHECK;
void h5_close(h5 *f); // accepts NULL
bool h5_has(h5 *f, const char *name);
// A call that reads was refused by the system (a disk, memory), with its sentence: what h5_has and
// others denied may be there.
bool h5_lost(h5 *f, err *e);
bool h5_stat(h5 *f, const char *name, h5_shape *s, err *e) MUST_CHECK;
// The whole dataset into `out` of exactly shape s (else ERR_SHAPE naming both); checksum verified.
// Not for H5_TEXT.
bool h5_read(h5 *f, const char *name, h5_shape s, void *out, err *e) MUST_CHECK;
// Rows [first, first + n) without a checksum.
bool h5_read_rows(h5 *f, const char *name, h5_type type, uint64_t first, uint64_t n, void *out,
                  err *e) MUST_CHECK;
bool h5_read_texts(h5 *f, const char *name, arena *a, char ***out, uint64_t *n, err *e) MUST_CHECK;
bool h5_get_text(h5 *f, const char *object, const char *key, arena *a, char **value,
                 err *e) MUST_CHECK;
bool h5_get_int(h5 *f, const char *object, const char *key, int64_t *value, err *e) MUST_CHECK;
bool h5_get_num(h5 *f, const char *object, const char *key, double *value, err *e) MUST_CHECK;
// Names of the datasets and groups that are in a group, sorted.
bool h5_list(h5 *f, const char *group, arena *a, char ***names, size_t *n, err *e) MUST_CHECK;
// Names of an object's attributes, sorted.
bool h5_attributes(h5 *f, const char *object, arena *a, char ***names, size_t *n,
                   err *e) MUST_CHECK;
// What a dataset, or attribute `key` of an object where that is not NULL, is in words: "f32 [64,
// 128]", also of types that are not read here;
// "" of a group.
bool h5_about(h5 *f, const char *object, const char *key, arena *a, const char **about,
              err *e) MUST_CHECK;
// Checks the checksum of every dataset in constant memory. On the first that differs, or has none:
// false, ERR_DAMAGED, its name.
bool h5_verify(h5 *f, size_t *datasets, err *e) MUST_CHECK;
// The same of a file that others may have written: datasets without a checksum are read to their
// end where they can be.
typedef struct h5_found {
    // all; without a checksum; of those, of a type or a layout that is not read here
    size_t datasets, unsummed, unread;
} h5_found;
bool h5_survey(h5 *f, h5_found *found, err *e) MUST_CHECK;

const char *h5_library(void); // the library's version, as it calls itself

#endif
