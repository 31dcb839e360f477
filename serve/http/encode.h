// SPDX-License-Identifier: GPL-3.0-or-later
// encode.h: bytes as text within JSON: base64, RFC 4648.
#ifndef KMIDI_SERVE_HTTP_ENCODE_H
#define KMIDI_SERVE_HTTP_ENCODE_H

#include <stddef.h>

#include "base/str.h"

void encode_base64(const void *bytes, size_t n, strbuf *out);

#endif
