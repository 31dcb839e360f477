// SPDX-License-Identifier: GPL-3.0-or-later
// predict.c: many files are judged several at a time, told in their order, with the answers that
// they have alone; one that cannot be read costs a sentence.
#include "base/file.h"
#include "base/str.h"
#include "tests/cmd/recogniser.h"
#include "tests/test.h"

static const recogniser_setup setup = {
    "many",
    {{"preset", "librosa"}, {"sample_rate", "16000"}, {"n_fft", "512"}, {"hop_length", "160"}},
    "60",
    "last",
    "0"};

TEST(predict_hears_files_at_once_and_tells_them_in_order)
{
    enum { FILES = 7 };
    arena a = {0};
    err e = {0};
    const char *path = recogniser_checkpoint(&setup, "c.h5", &a), *corpus = test_path("corpus"),
               *out;
    EXPECT_INT(
        test_shell(NULL, "'%s' synth '%s' --items %d --seconds 2 -q", test_kmidi(), corpus, FILES),
        0);
    size_t n = 0;
    char **files = file_glob(&a, arena_printf(&a, "%s/wav/*.wav", corpus), &n, &e);
    EXPECT_INT(n, FILES);
    strbuf list = {0}, alone = {0};
    for (size_t i = 0; files && i < n; i++) {
        strbuf_printf(&list, " '%s'", files[i]);
        EXPECT_INT(test_shell(&out, "'%s' predict '%s' '%s' --json -q --threads 1", test_kmidi(),
                              path, files[i]),
                   0);
        strbuf_printf(&alone, "%s", out);
    }
    for (int threads = 1; threads <= 3; threads++) {
        EXPECT_INT(test_shell(&out, "'%s' predict '%s' %s --json -q --threads %d", test_kmidi(),
                              path, list.s, threads),
                   0);
        EXPECT_STR(out, alone.s);
        // between the others, and more than one
        EXPECT_INT(test_shell(&out,
                              "'%s' predict '%s' no/such.wav %s '%s' --json -q --threads %d "
                              "2>'%s'",
                              test_kmidi(), path, list.s, path, threads, test_path("said")),
                   1);
        EXPECT_STR(out, alone.s);
        EXPECT_INT(test_shell(&out, "cat '%s'", test_path("said")), 0);
        EXPECT_HAS(out, "no/such.wav");
        EXPECT_HAS(out, "2 of 9 files could not be judged");
    }
    strbuf_free(&list);
    strbuf_free(&alone);
    arena_free(&a);
}
