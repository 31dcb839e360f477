// SPDX-License-Identifier: GPL-3.0-or-later
// Digests: FIPS 180-4's vectors, formats.md 3.4's for CRC-32C.
#include <string.h>

#include "base/digest.h"
#include "tests/test.h"

TEST(digest_sha256_vectors)
{
    char hex[65];
    digest_of("abc", 3, hex);
    EXPECT_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_of(NULL, 0, hex);
    EXPECT_STR(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    digest *d = digest_open();
    digest_add(d, "a", 1);
    digest_add(d, "bc", 2);
    digest_close(d, hex);
    EXPECT_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(digest_keeps_texts_apart)
{
    static const char *const pairs[2][2] = {{"ab", "c"}, {"a", "bc"}};
    char hex[2][65];
    for (int i = 0; i < 2; i++) {
        digest *d = digest_open();
        digest_add_str(d, pairs[i][0]);
        digest_add_str(d, pairs[i][1]);
        digest_close(d, hex[i]);
    }
    EXPECT(strcmp(hex[0], hex[1]) != 0);
}

TEST(digest_crc32c_vectors)
{
    EXPECT_INT(crc32c("123456789", 9), 0xe3069283);
    EXPECT_INT(crc32c("", 0), 0);
    uint32_t c = crc32c("123456789", 9), masked = (c >> 15 | c << 17) + 0xa282ead8;
    EXPECT_INT(masked, 0xc78ab0e5);
    static const unsigned char event[24] = {0x09, 0,    0,    0,   0,   0,   0,   0xf0,
                                            0x3f, 0x1a, 0x0d, 'b', 'r', 'a', 'i', 'n',
                                            '.',  'E',  'v',  'e', 'n', 't', ':', '2'};
    c = crc32c(event, 24), masked = (c >> 15 | c << 17) + 0xa282ead8;
    EXPECT_INT(masked, 0x7a57bf86);
}
