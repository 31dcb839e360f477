// SPDX-License-Identifier: GPL-3.0-or-later
// clip_whole.c: lengths that audio containers state, against the bytes that are there
// (clip_whole.h).
//
// Reference: Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" (RIFF), EBU
// Tech 3306 (RF64), Apple's "Audio Interchange File Format 1.3", RFC 3533 (Ogg). Programs that
// write wav to a pipe do not know its length: ffmpeg states 0xffffffff, sox 0x7ffff000, arecord
// 0x7fffffff or more. Such lengths say nothing.
#include "data/audio/clip_whole.h"

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
    uint32_t le =
        (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    return big ? __builtin_bswap32(le) : le;
}

static void put(clip_header *h, int64_t at, int bytes, bool big, int64_t value)
{
    h->patch_at = at, h->patch_bytes = bytes;
    for (int i = 0; i < bytes; i++)
        h->patch[big ? bytes - 1 - i : i] = (unsigned char)((uint64_t)value >> 8 * i);
}

// The length of the samples that RF64's first chunk holds in place of the 32 bits of `data`; -1:
// none that says anything.
static int64_t long_length(clip_file *f)
{
    unsigned char ds64[24];
    if (clip_file_read(f, ds64, sizeof ds64, 12) != (int64_t)sizeof ds64 ||
        memcmp(ds64, "ds64", 4) != 0)
        return -1;
    uint64_t n = u32(ds64 + 16, false) | (uint64_t)u32(ds64 + 20, false) << 32;
    return n > 0 && n < (uint64_t)1 << 60 ? (int64_t)n : -1;
}

// Whether chunks, one behind the other, lead from `at` to the end exactly: then no samples are
// there.
static bool only_chunks(clip_file *f, int64_t at, int64_t size, bool big)
{
    unsigned char head[8];
    for (int i = 0; i < CHUNKS_MOST && at < size; i++) {
        if (clip_file_read(f, head, 8, at) != 8)
            return false;
        for (int k = 0; k < 4; k++)
            if (head[k] < 32 || head[k] > 126)
                return false;
        int64_t length = u32(head + 4, big);
        at += 8 + length + (length & 1);
    }
    return at >= size && at <= size + 1;
}

// `length` bytes from `at` on.
static bool all_there(int64_t size, int64_t at, int64_t length, clip_header *h)
{
    h->stated = length;
    h->missing = length - (size - at);
    return h->missing <= 0;
}

// The chunk with the samples, whose bytes begin at `at`.
static bool samples_whole(clip_file *f, int64_t size, const container *c, int64_t at,
                          int64_t length, clip_header *h)
{
    bool known = length < length_unknown;
    if (c->rf64 && !known && (length = long_length(f)) < 0) {
        put(h, 12 + 16, 8, false, size - at);
        return true;
    }
    if (length == 0 && c->form[0] == 'W' && at < size && !only_chunks(f, at, size, c->big)) {
        h->unfinished = true;
        put(h, at - 4, 4, c->big, size - at < length_unknown ? size - at : length_unknown - 1);
        return true;
    }
    return !(known || c->rf64) || all_there(size, at, length, h);
}

// Walks the chunks of RIFF or FORM to the one with the samples.
static bool chunks_whole(clip_file *f, int64_t size, const container *c, clip_header *h)
{
    unsigned char head[8];
    int64_t at = 12;
    for (int i = 0; i < CHUNKS_MOST && clip_file_read(f, head, 8, at) == 8; i++) {
        int64_t length = u32(head + 4, c->big);
        at += 8;
        if (!memcmp(head, c->samples, 4))
            return samples_whole(f, size, c, at, length, h);
        at += length + (length & 1);
    }
    return true;
}

// Sun's au: magic, where the samples begin, their bytes (all ones: to the end).
static bool au_whole(const unsigned char *head, int64_t size, bool big, clip_header *h)
{
    int64_t at = u32(head + 4, big), length = u32(head + 8, big);
    if (length == 0 && at < size) {
        h->unfinished = true;
        put(h, 8, 4, big, 0xffffffff);
    }
    return length >= length_unknown || all_there(size, at, length, h);
}

// Apple's caf: chunks with lengths of 64 bits; -1 for the samples is "to the end", which libsndfile
// refuses where chunks follow.
static bool caf_whole(clip_file *f, int64_t size, clip_header *h)
{
    unsigned char head[12];
    int64_t at = 8;
    for (int i = 0; i < CHUNKS_MOST && clip_file_read(f, head, 12, at) == 12; i++) {
        int64_t length = (int64_t)((uint64_t)u32(head + 4, true) << 32 | u32(head + 8, true));
        at += 12;
        if (!memcmp(head, "data", 4) && (length == -1 || length == 0) && at < size) {
            h->unfinished = length == 0;
            put(h, at - 8, 8, true, size - at);
        }
        if (!memcmp(head, "data", 4))
            return length < 0 || all_there(size, at, length, h);
        if (length < 0 || length > size - at)
            return true;
        at += length;
    }
    return true;
}

// The last page's table of segments says how long the page is.
static bool ogg_whole(clip_file *f, int64_t size, clip_header *h)
{
    unsigned char tail[OGG_PAGE_MOST + OGG_HEADER];
    int64_t from = size > (int64_t)sizeof tail ? size - (int64_t)sizeof tail : 0;
    int64_t n = clip_file_read(f, tail, sizeof tail, from), at = n - 4;
    while (at >= 0 && memcmp(tail + at, "OggS", 4) != 0)
        at--;
    if (at < 0)
        return true;
    int64_t segments = at + OGG_HEADER <= n ? tail[at + OGG_HEADER - 1] : 1,
            body = at + OGG_HEADER + segments, end = body;
    for (int64_t i = at + OGG_HEADER; i < body && i < n; i++)
        end += tail[i];
    h->stated = end - at;
    h->missing = end - n;
    return end <= n;
}

bool clip_whole(clip_file *f, int64_t size, clip_header *h)
{
    unsigned char head[12];
    *h = (clip_header){0};
    if (clip_file_read(f, head, sizeof head, 0) != (int64_t)sizeof head)
        return true;
    for (size_t i = 0; i < sizeof containers / sizeof *containers; i++)
        if (!memcmp(head, containers[i].magic, 4) && !memcmp(head + 8, containers[i].form, 4))
            return chunks_whole(f, size, &containers[i], h);
    if (!memcmp(head, "OggS", 4))
        return ogg_whole(f, size, h);
    if (!memcmp(head, ".snd", 4) || !memcmp(head, "dns.", 4))
        return au_whole(head, size, head[0] == '.', h);
    return memcmp(head, "caff", 4) || caf_whole(f, size, h);
}
