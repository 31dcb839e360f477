// SPDX-License-Identifier: GPL-3.0-or-later
// clip_whole.c: lengths that audio containers state, against the bytes that are there (clip_whole.h).
//
// Reference: Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" (RIFF), EBU Tech 3306 (RF64), Apple's "Audio
// Interchange File Format 1.3", RFC 3533 (Ogg). Programs that write wav to a pipe do not know its length: ffmpeg states 0xffffffff, sox
// 0x7ffff000, arecord 0x7fffffff or more. Such lengths say nothing.
#include "data/clip_whole.h"

#include <string.h>
#include <unistd.h>

static const int64_t length_unknown = 0x7fff0000; // and all above
typedef struct container {
    const char *magic, *form, *samples; // of the file, of its kind, of the chunk with the samples
    bool big, rf64;                     // big-endian; lengths of 64 bits in a chunk of their own
} container;

static const container containers[] = {{"RIFF", "WAVE", "data", false, false},
                                       {"RIFX", "WAVE", "data", true, false},
                                       {"RF64", "WAVE", "data", false, true},
                                       {"FORM", "AIFF", "SSND", true, false},
                                       {"FORM", "AIFC", "SSND", true, false}};

enum { CHUNKS_MOST = 10000, OGG_PAGE_MOST = 65307, OGG_HEADER = 27 };

static uint32_t u32(const unsigned char *b, bool big)
{
    uint32_t le = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    return big ? __builtin_bswap32(le) : le;
}

// The length of the samples that RF64's first chunk holds in place of the 32 bits of `data`.
static int64_t long_length(int fd)
{
    unsigned char ds64[24];
    if (pread(fd, ds64, sizeof ds64, 12) != (ssize_t)sizeof ds64 || memcmp(ds64, "ds64", 4) != 0)
        return 0;
    uint64_t n = u32(ds64 + 16, false) | (uint64_t)u32(ds64 + 20, false) << 32;
    return n < (uint64_t)1 << 60 ? (int64_t)n : 0;
}

// Walks the chunks of RIFF or FORM to the one with the samples.
static bool chunks_whole(int fd, int64_t size, const container *c, int64_t *missing, int64_t *stated)
{
    unsigned char head[8];
    int64_t at = 12;
    for (int i = 0; i < CHUNKS_MOST && pread(fd, head, 8, at) == 8; i++) {
        int64_t length = u32(head + 4, c->big);
        at += 8;
        if (!memcmp(head, c->samples, 4)) {
            bool known = length < length_unknown;
            *stated = c->rf64 && !known ? long_length(fd) : length;
            *missing = known || c->rf64 ? at + *stated - size : 0;
            return *missing <= 0;
        }
        at += length + (length & 1);
    }
    return true;
}

// The last page's table of segments says how long the page is.
static bool ogg_whole(int fd, int64_t size, int64_t *missing, int64_t *stated)
{
    unsigned char tail[OGG_PAGE_MOST + OGG_HEADER];
    int64_t from = size > (int64_t)sizeof tail ? size - (int64_t)sizeof tail : 0;
    int64_t n = pread(fd, tail, sizeof tail, from), at = n - 4;
    while (at >= 0 && memcmp(tail + at, "OggS", 4) != 0)
        at--;
    if (at < 0)
        return true;
    int64_t segments = at + OGG_HEADER <= n ? tail[at + OGG_HEADER - 1] : 1, body = at + OGG_HEADER + segments, end = body;
    for (int64_t i = at + OGG_HEADER; i < body && i < n; i++)
        end += tail[i];
    *stated = end - at;
    *missing = end - n;
    return end <= n;
}

bool clip_whole(int fd, int64_t size, int64_t *missing, int64_t *stated)
{
    unsigned char head[12];
    *missing = *stated = 0;
    if (pread(fd, head, sizeof head, 0) != (ssize_t)sizeof head)
        return true;
    for (size_t i = 0; i < sizeof containers / sizeof *containers; i++)
        if (!memcmp(head, containers[i].magic, 4) && !memcmp(head + 8, containers[i].form, 4))
            return chunks_whole(fd, size, &containers[i], missing, stated);
    if (!memcmp(head, "OggS", 4))
        return ogg_whole(fd, size, missing, stated);
    return true;
}
