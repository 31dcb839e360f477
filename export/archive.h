// SPDX-License-Identifier: GPL-3.0-or-later
// archive.h: zip files whose records are stored as they are, by libzip (https://libzip.org); only
// archive.c knows it.
//
//     archive *z = archive_open("model.pt", &arena, e);
//     archive_find(z, "model/data.pkl", &at, &bytes, e)     // at < 0: it has none
//     archive_read(z, at, out, e)
//     archive_close(z);
//
// A file may come from anywhere: records that are compressed or encrypted are refused, so nothing
// unfolds to more than the file has, and so are those that claim more. The library holds what is
// read against its checksum.
#ifndef KMIDI_EXPORT_ARCHIVE_H
#define KMIDI_EXPORT_ARCHIVE_H

#include "base/arena.h"
#include "base/err.h"

typedef struct archive archive;

// Owned by `a`, but for the descriptor. ERR_MISSING, ERR_EMPTY, ERR_FORMAT (no zip file),
// ERR_DAMAGED.
archive *archive_open(const char *path, arena *a, err *e) MUST_CHECK;
void archive_close(archive *z);        // accepts NULL
const char *archive_first(archive *z); // name of its first record; NULL: it is empty
// *at < 0 where there is no such record.
bool archive_find(archive *z, const char *name, int64_t *at, uint64_t *bytes, err *e) MUST_CHECK;
bool archive_read(archive *z, int64_t at, uint8_t *out, err *e) MUST_CHECK; // all its bytes
// Both, into memory of `a`, with a NUL behind; *out is NULL where there is no such record.
// ERR_FORMAT where it is of more than `limit` bytes.
bool archive_take(archive *z, const char *name, uint64_t limit, uint8_t **out, uint64_t *n,
                  err *e) MUST_CHECK;

// One record of a file to be written; its bytes live until archive_write.
typedef struct archive_record {
    const char *name;
    const void *bytes;
    uint64_t n;
} archive_record;

// Written whole or not at all (base/file.h), the same bytes for the same records. Their data begin
// at multiples of `align`.
bool archive_write(const char *path, const archive_record *list, int n, unsigned align,
                   err *e) MUST_CHECK;

const char *archive_library(void); // the library's version, as it calls itself

#endif
