// SPDX-License-Identifier: GPL-3.0-or-later
// mil_format.h: what the writer and the reader of packages both know of the format (mil.h).
//
// The file of numbers: a head of 64 bytes, then for each array a record of 64 and its numbers, all
// from multiples of 64 on.
#ifndef KMIDI_EXPORT_MIL_FORMAT_H
#define KMIDI_EXPORT_MIL_FORMAT_H

#include <stdint.h>

#define MIL_FOLDER "com.apple.CoreML"
#define MIL_MARK   0xDEADBEEFu

enum { MIL_PLACE = 64, MIL_BLOBS = 2, MIL_BLOB_F16 = 1, MIL_BLOB_F32 = 2 };

typedef struct mil_record {
    uint32_t mark, type;
    uint64_t bytes, place, padding, zeros[4];
} mil_record;
_Static_assert(sizeof(mil_record) == MIL_PLACE, "a record is as long as the format says");

#endif
