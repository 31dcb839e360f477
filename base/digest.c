// SPDX-License-Identifier: GPL-3.0-or-later
// digest.c: SHA-256 by libcrypto's EVP interface (the one file that knows it), CRC-32C by the
// processor's instruction or a table of 16.
#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#ifdef __ARM_FEATURE_CRC32
#include <arm_acle.h>
#endif

#include "base/arena.h"
#include "base/err.h"

struct digest {
    EVP_MD_CTX *ctx;
};

digest *digest_open(void)
{
    digest *d = base_checked(malloc(sizeof *d), sizeof *d);
    d->ctx = base_checked(EVP_MD_CTX_new(), 64);
    // nothing else can be wrong
    base_checked(EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) ? d : NULL, 64);
    return d;
}

void digest_add(digest *d, const void *bytes, size_t n)
{
    CHECK(n == 0 || EVP_DigestUpdate(d->ctx, bytes, n));
}

void digest_add_str(digest *d, const char *s)
{
    digest_add(d, s, strlen(s) + 1);
}

void digest_close(digest *d, char hex[65])
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    base_checked(EVP_DigestFinal_ex(d->ctx, raw, NULL) ? d : NULL, 64);
    for (int i = 0; i < 32; i++) {
        hex[2 * i] = "0123456789abcdef"[raw[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[raw[i] & 15];
    }
    hex[64] = 0;
    EVP_MD_CTX_free(d->ctx);
    free(d);
}

void digest_of(const void *bytes, size_t n, char hex[65])
{
    digest *d = digest_open();
    digest_add(d, bytes, n);
    digest_close(d, hex);
}

// Castagnoli's polynomial, reflected (0x82F63B78), four bits at a time: event files are small.
// One nibble at a time: the definition.
static uint32_t crc_plain(uint32_t crc, const unsigned char *p, size_t n)
{
    static const uint32_t table[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
                                       0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
                                       0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                       0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
    for (size_t i = 0; i < n; i++) {
        crc = crc >> 4 ^ table[(crc ^ p[i]) & 15];
        crc = crc >> 4 ^ table[(crc ^ p[i] >> 4) & 15];
    }
    return crc;
}

// Eight bytes at a time where the processor has an instruction for this very polynomial: 30 times
// as fast.
#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_fast(uint32_t crc, const unsigned char *p,
                                                           size_t n)
{
    uint64_t wide = crc, word;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&word, p, 8);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    return crc_plain((uint32_t)wide, p, n);
}
#define CRC_FAST (__builtin_cpu_supports("sse4.2"))
#elif defined(__ARM_FEATURE_CRC32)
static uint32_t crc_fast(uint32_t crc, const unsigned char *p, size_t n)
{
    uint64_t word;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&word, p, 8);
        crc = __crc32cd(crc, word);
    }
    return crc_plain(crc, p, n);
}
#define CRC_FAST true
#else
#define crc_fast crc_plain
#define CRC_FAST false
#endif

uint32_t crc32c_more(uint32_t crc, const void *bytes, size_t n)
{
    return ~(CRC_FAST ? crc_fast(~crc, bytes, n) : crc_plain(~crc, bytes, n));
}

uint32_t crc32c(const void *bytes, size_t n)
{
    return crc32c_more(0, bytes, n);
}

const char *digest_library(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}
