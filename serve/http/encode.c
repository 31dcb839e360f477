// SPDX-License-Identifier: GPL-3.0-or-later
// encode.c: see encode.h.
#include "serve/http/encode.h"

#include <math.h>
#include <string.h>

enum { WAV_HEADER = 44, BLOCK = 1024 };

void encode_base64(const void *bytes, size_t n, strbuf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *s = bytes;
    for (size_t i = 0; i < n; i += 3) {
        size_t k = n - i < 3 ? n - i : 3;
        unsigned v =
            (unsigned)s[i] << 16 | (k > 1 ? (unsigned)s[i + 1] << 8 : 0) | (k > 2 ? s[i + 2] : 0u);
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63], k > 1 ? digits[v >> 6 & 63] : '=',
                        k > 2 ? digits[v & 63] : '='};
        strbuf_add(out, four, sizeof four);
    }
}

static void put(unsigned char *to, uint32_t x, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (unsigned char)(x >> (8 * i));
}

void encode_wav(const float *samples, int64_t frames, int rate, strbuf *out)
{
    unsigned char head[WAV_HEADER] = "RIFF....WAVEfmt ", block[2 * BLOCK];
    uint32_t n = (uint32_t)(2 * frames);
    put(head + 4, n + WAV_HEADER - 8, 4);
    put(head + 16, 16, 4), put(head + 20, 1, 2), put(head + 22, 1, 2);
    put(head + 24, (uint32_t)rate, 4), put(head + 28, 2 * (uint32_t)rate, 4);
    put(head + 32, 2, 2), put(head + 34, 16, 2);
    memcpy(head + 36, "data", 4), put(head + 40, n, 4);
    strbuf_add(out, (const char *)head, sizeof head);
    for (int64_t at = 0; at < frames; at += BLOCK) {
        int64_t k = frames - at < BLOCK ? frames - at : BLOCK;
        for (int64_t i = 0; i < k; i++) {
            double x = fmin(fmax((double)samples[at + i], -1), 1);
            put(block + 2 * i, (uint32_t)(int32_t)lround(32767 * x), 2);
        }
        strbuf_add(out, (const char *)block, (size_t)(2 * k));
    }
}
