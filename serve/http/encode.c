// SPDX-License-Identifier: GPL-3.0-or-later
// encode.c: see encode.h.
#include "serve/http/encode.h"

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
