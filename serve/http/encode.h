// SPDX-License-Identifier: GPL-3.0-or-later
// encode.h: bytes as text within JSON (base64, RFC 4648), and sound as bytes.
#ifndef KMIDI_SERVE_HTTP_ENCODE_H
#define KMIDI_SERVE_HTTP_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

void encode_base64(const void *bytes, size_t n, strbuf *out);
// A wav file of 16 bits, mono; samples beyond -1..1 are clipped.
void encode_wav(const float *samples, int64_t frames, int rate, strbuf *out);

#endif
