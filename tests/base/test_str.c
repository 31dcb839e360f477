// SPDX-License-Identifier: GPL-3.0-or-later
// Text: growing, nearest names, sizes, times, UTF-8, paths.
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "tests/test.h"

TEST(strbuf_grows)
{
    strbuf b = {0};
    EXPECT(b.s == NULL);
    strbuf_add(&b, "", 0);
    EXPECT_STR(b.s, "");
    for (int i = 0; i < 1000; i++)
        strbuf_printf(&b, "%d,", i);
    EXPECT_INT(b.len, strlen(b.s));
    EXPECT_INT(b.len, 10 * 2 + 90 * 3 + 900 * 4);
    EXPECT(str_ends(b.s, ",998,999,"));
    arena kept = {0};
    EXPECT(str_ends(strbuf_keep(&b, &kept), ",998,999,"));
    EXPECT(b.s == NULL);
    EXPECT_STR(strbuf_keep(&b, &kept), "");
    arena_free(&kept);
    EXPECT(b.s == NULL);
}

TEST(str_nearest_suggests_what_was_meant)
{
    static const char *const keys[] = {"batch_size", "epochs",          "seed",      "lr",
                                       "grad_clip",  "label_smoothing", "max_steps", "min_epochs"};
    static const struct {
        const char *typed, *meant;
    } cases[] = {{"bach_size", "batch_size"},
                 {"batchsize", "batch_size"},
                 {"batch-size", "batch_size"},
                 {"BATCH_SIZE", "batch_size"},
                 {"epoch", "epochs"},
                 {"sede", "seed"},
                 {"rl", "lr"},
                 {"lable_smoothing", "label_smoothing"},
                 {"gradclip", "grad_clip"},
                 {"colour", NULL},
                 {"x", NULL},
                 {"", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        EXPECT_STR(str_nearest(cases[i].typed, keys, 8), cases[i].meant);
    char huge[500];
    memset(huge, 'a', sizeof huge - 1);
    huge[499] = 0;
    EXPECT_STR(str_nearest(huge, keys, 8), NULL);
    EXPECT_STR(str_nearest("seed", keys, 0), NULL);
}

TEST(str_bytes_reads_sizes)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0},
                {"1048576", 1048576},
                {"512 MiB", 512ull << 20},
                {"6GiB", 6ull << 30},
                {"6gib", 6ull << 30},
                {"1.5GB", 1500000000},
                {"2k", 2048},
                {"7B", 7},
                {"0.5 KiB", 512},
                {"1TiB", 1ull << 40},
                {"3G", 3ull << 30},
                {"18446744073709551615", UINT64_MAX}};
    static const char *const bad[] = {"",
                                      "GiB",
                                      "-1",
                                      "6 GiBs",
                                      "6XB",
                                      "1e9",
                                      "0x10",
                                      "18446744073709551616",
                                      "17179869184GiB",
                                      " 5",
                                      "6 ki b",
                                      "nan"};
    uint64_t n;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (EXPECT(str_bytes(good[i].text, &n)))
            EXPECT_INT(n, good[i].bytes);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        test_expect(!str_bytes(bad[i], &n), __FILE__, __LINE__, "\"%s\" was taken for a size",
                    bad[i]);
}

TEST(str_shows_sizes_and_times)
{
    char s[32];
    EXPECT_STR(str_human_bytes(0, s), "0 B");
    EXPECT_STR(str_human_bytes(1023, s), "1023 B");
    EXPECT_STR(str_human_bytes(1536, s), "1.5 KiB");
    EXPECT_STR(str_human_bytes((1 << 20) - 1, s), "1.0 MiB");
    EXPECT_STR(str_human_bytes(6ull << 30, s), "6.0 GiB");
    EXPECT_STR(str_human_bytes(UINT64_MAX, s), "16.0 EiB");
    EXPECT_STR(str_human_time(0.0123, s), "12 ms");
    EXPECT_STR(str_human_time(2.25, s), "2.2 s");
    EXPECT_STR(str_human_time(59.4, s), "59 s");
    EXPECT_STR(str_human_time(59.7, s), "1 min 0 s");
    EXPECT_STR(str_human_time(200, s), "3 min 20 s");
    EXPECT_STR(str_human_time(7260, s), "2 h 1 min");
    EXPECT_STR(str_human_time(100000, s), "1 d 3 h");
    EXPECT_STR(str_human_time(NAN, s), "?");
    EXPECT_STR(str_human_time(-1, s), "?");
}

TEST(str_utf8_knows_what_is_well_formed)
{
    static const char *const good[] = {"",
                                       "abc",
                                       "\xc3\xa4",
                                       "\xe2\x82\xac",
                                       "\xf0\x9f\x8e\xb5",
                                       "\xed\x9f\xbf",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {
        "\x80", "\xc3",      "\xc0\xaf",         "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xff", "a\xe2\x82", "\xf5\x80\x80\x80", "\xc3("};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        EXPECT(str_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        EXPECT(!str_utf8(bad[i], strlen(bad[i])));
}

// Forty words of three letters: 25 of them are a line.
TEST(strbuf_wraps_at_a_page)
{
    strbuf b = {0}, words = {0};
    for (int i = 0; i < 40; i++)
        strbuf_printf(&words, "%sabc", i ? " " : "");
    strbuf_wrap(&b, words.s, 0, 2);
    EXPECT_INT(strcspn(b.s, "\n"), 25 * 4 - 1);
    EXPECT(str_starts(b.s + 25 * 4, "  abc abc"));
    EXPECT_INT(b.len, 25 * 4 + 2 + 15 * 4);
    strbuf_free(&b);
    strbuf_wrap(&b, "one\ntwo [three four] five", STR_PAGE - 12, 4);
    EXPECT_STR(b.s, "one\n    two [three four] five\n");
    strbuf_free(&b);
    strbuf_wrap(&b, "two [three four] five", STR_PAGE - 12, 4);
    EXPECT_STR(b.s, "two\n    [three four] five\n");
    strbuf_free(&b);
    strbuf_wrap(&b, "an open [ bracket", STR_PAGE - 11, 0);
    EXPECT_STR(b.s, "an open [\nbracket\n");
    strbuf_free(&b), strbuf_free(&words);
}

TEST(path_parts)
{
    arena a = {0};
    EXPECT_STR(path_join(&a, "a", "b"), "a/b");
    EXPECT_STR(path_join(&a, "a/", "b"), "a/b");
    EXPECT_STR(path_join(&a, "a", "/b"), "/b");
    EXPECT_STR(path_join(&a, "", "b"), "b");
    EXPECT_STR(path_dir(&a, "a/b/c"), "a/b");
    EXPECT_STR(path_dir(&a, "c"), ".");
    EXPECT_STR(path_dir(&a, "/c"), "/");
    EXPECT_STR(path_base("a/b.wav"), "b.wav");
    EXPECT_STR(path_base("b.wav"), "b.wav");
    EXPECT_STR(path_stem(&a, "x/b.tar.gz"), "b.tar");
    EXPECT_STR(path_stem(&a, "x/.hidden"), ".hidden");
    EXPECT(str_starts("params/x", "params/") && !str_starts("par", "params"));
    EXPECT(str_ends("a.h5", ".h5") && !str_ends("h5", ".h5"));
    arena_free(&a);
}

// What a shell makes of it is the word again.
TEST(str_quotes_for_the_shell)
{
    static const struct {
        const char *word, *quoted;
    } cases[] = {{"runs/first", "runs/first"},
                 {"optim.lr=3e-4", "optim.lr=3e-4"},
                 {"", "''"},
                 {"sh [1], \xc3\xa4", "'sh [1], \xc3\xa4'"},
                 {"it's", "'it'\\''s'"},
                 {"a;b $(c) `d` \"e\" *", "'a;b $(c) `d` \"e\" *'"},
                 {"~/x", "'~/x'"},
                 {"two\nlines", "'two\nlines'"}};
    arena a = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *out;
        char *quoted = str_quoted(&a, cases[i].word);
        EXPECT_STR(quoted, cases[i].quoted);
        EXPECT_INT(test_shell(&out, "printf %%s %s", quoted), 0);
        EXPECT_STR(out, cases[i].word);
    }
    arena_free(&a);
}

TEST(str_ends_any_whatever_the_case)
{
    static const char *const endings[] = {".mid", ".kar", NULL};
    EXPECT(str_ends_any("a.mid", endings) && str_ends_any("A.KAR", endings) &&
           str_ends_any(".Mid", endings));
    EXPECT(!str_ends_any("mid", endings) && !str_ends_any("a.midi", endings) &&
           !str_ends_any("", endings));
}

TEST(str_is_cut_between_characters)
{
    static const struct {
        size_t most, head;
        const char *tail;
    } cases[] = {{0, 0, ""},
                 {1, 1, "b"},
                 {2, 1, "b"},
                 {3, 3,
                  "\xc3\xa4"
                  "b"},
                 {4, 4,
                  "a\xc3\xa4"
                  "b"},
                 {9, 4,
                  "a\xc3\xa4"
                  "b"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EXPECT_INT(str_head("a\xc3\xa4"
                            "b",
                            cases[i].most),
                   cases[i].head);
        EXPECT_STR(str_tail("a\xc3\xa4"
                            "b",
                            cases[i].most),
                   cases[i].tail);
    }
    EXPECT_INT(str_head("\x80\x80\x80", 2), 0); // no character at all
    EXPECT_STR(str_tail("\xf0\x9f\x8e\xb5", 3), "");
}

TEST(str_utf8_escape_keeps_what_is_text)
{
    arena a = {0};
    const char *fine = "größe \xf0\x9f\x8e\xb5";
    EXPECT(str_utf8_escape(&a, fine) == fine);
    EXPECT_STR(str_utf8_escape(&a, "gl\xfc"
                                   "ck \xc3\xa4 \xc3"),
               "gl\\xfcck \xc3\xa4 \\xc3");
    EXPECT_STR(str_utf8_escape(&a, "\xed\xa0\x80"), "\\xed\\xa0\\x80"); // a surrogate
    arena_free(&a);
}
