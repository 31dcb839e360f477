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
enum { CHUNKS_MOST = 10000, OGG_PAGE_MOST = 65307, OGG_HEADER = 27 };

static uint32_t u32(const unsigned char *b, bool big)
{
    uint32_t le = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    return big ? __builtin_bswap32(le) : le;
}

// Walks the chunks of RIFF or FORM to the one with the samples.
static bool chunks_whole(int fd, int64_t size, bool big, const char *samples, int64_t *missing, int64_t *stated)
{
    unsigned char head[8];
    int64_t at = 12;
    for (int i = 0; i < CHUNKS_MOST && pread(fd, head, 8, at) == 8; i++) {
        int64_t length = u32(head + 4, big);
        at += 8;
        if (!memcmp(head, samples, 4)) {
            *stated = length;
            *missing = length >= length_unknown ? 0 : at + length - size;
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
    if ((!memcmp(head, "RIFF", 4) || !memcmp(head, "RIFX", 4)) && !memcmp(head + 8, "WAVE", 4))
        return chunks_whole(fd, size, head[3] == 'X', "data", missing, stated);
    if (!memcmp(head, "RF64", 4) && !memcmp(head + 8, "WAVE", 4))
        return chunks_whole(fd, size, false, "data", missing, stated);
    if (!memcmp(head, "FORM", 4) && (!memcmp(head + 8, "AIFF", 4) || !memcmp(head + 8, "AIFC", 4)))
        return chunks_whole(fd, size, true, "SSND", missing, stated);
    if (!memcmp(head, "OggS", 4))
        return ogg_whole(fd, size, missing, stated);
    return true;
}
