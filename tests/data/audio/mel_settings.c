// SPDX-License-Identifier: GPL-3.0-or-later
// Settings of mel spectrograms as they are judged, stored and read back.
#include "data/features/feature.h"
#include "tests/test.h"

// librosa warns of them, and so do we: 13 bands of 128 lie between two frequencies of a transform
// of 256.
TEST(mel_remarks_on_empty_bands)
{
    arena a = {0};
    err e = {0};
    strbuf some = {0}, none = {0};
    const feature_def *d = feature_find("mel", &e);
    void *s = feature_settings(d, &a);
    EXPECT_OK(feature_set(d, s, "n_fft", "256", &e) && feature_resolve(d, s, &e), e);
    d->remark(s, &some);
    EXPECT_HAS(some.s, "13 of the 128 mel bands are empty");
    void *wide = feature_settings(d, &a);
    EXPECT_OK(feature_set(d, wide, "n_fft", "2048", &e) && feature_resolve(d, wide, &e), e);
    d->remark(wide, &none);
    EXPECT_INT(none.len, 0);
    strbuf_free(&some);
    arena_free(&a);
}

// What is stored of any settings is read back as the same: without a logarithm there is no floor,
// and it is stored as 0.
TEST(mel_settings_come_back_from_json)
{
    static const char *const logs[] = {"none", "db", "ln", "ln_clamp"};
    for (int i = 0; i < 4; i++) {
        arena a = {0};
        err e = {0};
        const feature_def *d = feature_find("mel", &e);
        void *s = feature_settings(d, &a), *back = feature_settings(d, &a);
        strbuf was = {0}, is = {0};
        EXPECT_OK(feature_set(d, s, "log", logs[i], &e) && feature_resolve(d, s, &e), e);
        json *j = feature_json(d, s);
        EXPECT_OK(feature_from_json(d, back, j, &e), e);
        feature_line(d, s, &was);
        feature_line(d, back, &is);
        EXPECT_STR(is.s, was.s);
        json_free(j);
        strbuf_free(&was);
        strbuf_free(&is);
        arena_free(&a);
    }
}
