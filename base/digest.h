// SPDX-License-Identifier: GPL-3.0-or-later
// digest.h: SHA-256 (libcrypto) for fingerprints, cache keys and dataset checksums; CRC-32C for
// event files.
#ifndef KMIDI_BASE_DIGEST_H
#define KMIDI_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

typedef struct digest digest;

digest *digest_open(void);
void digest_add(digest *d, const void *bytes, size_t n);
void digest_add_str(digest *d, const char *s); // with its NUL, so that "ab","c" and "a","bc" differ
void digest_close(digest *d, char hex[65]);    // writes 64 hex digits and a NUL, frees d
void digest_of(const void *bytes, size_t n, char hex[65]);
uint32_t crc32c(const void *bytes, size_t n);
// of what `crc` is of and these behind it; 0: of nothing
uint32_t crc32c_more(uint32_t crc, const void *bytes, size_t n);

const char *digest_library(void); // the library's version, as it calls itself

#endif
