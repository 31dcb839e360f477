// SPDX-License-Identifier: GPL-3.0-or-later
// Settings of mel spectrograms as they are judged, stored and read back.
#include <string.h>

#include "data/audio/mel.h"
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
        setting_line(d->table, feature_settings_count(d), s, &was);
        setting_line(d->table, feature_settings_count(d), back, &is);
        EXPECT_STR(is.s, was.s);
        json_free(j);
        strbuf_free(&was);
        strbuf_free(&is);
        arena_free(&a);
    }
}

// Settings that came later are told only where they differ from what was done before: shards and
// checkpoints from before them still fit together, and keys of shards stand.
TEST(mel_settings_that_came_later_go_unsaid)
{
    static const char before[] =
        "{\"sample_rate\": 16000, \"resampler\": \"soxr_hq\", \"n_fft\": 1024, "
        "\"win_length\": 1024, \"hop_length\": 320, \"n_mels\": 128, "
        "\"fmin\": 0.0, \"fmax\": 8000.0, \"scale\": \"slaney\", "
        "\"norm\": \"slaney\", \"nyquist\": \"exact\", \"power\": 2, "
        "\"center\": true, \"pad\": \"reflect\", \"log\": \"ln\", "
        "\"log_floor\": 1e-06, \"top_db\": 0.0}";
    arena a = {0};
    err e = {0};
    strbuf is = {0};
    const feature_def *d = feature_find("mel", &e);
    mel_settings *s = feature_settings(d, &a);
    json *old = json_parse(before, strlen(before), &e);
    EXPECT_OK(old && feature_from_json(d, s, old, &e), e);
    EXPECT(s->overlap == 1 && s->normalise == MEL_NORMALISE_NONE && s->chroma == MEL_CHROMA_NONE &&
           !s->level);
    json *now = feature_json(d, s);
    json_dump(now, 0, &is);
    EXPECT_STR(is.s, before);
    EXPECT_OK(feature_set(d, s, "overlap", "8", &e), e);
    json *wide = feature_json(d, s);
    EXPECT_NEAR(json_num(json_get(wide, "overlap"), 0), 8, 0);
    EXPECT(!json_get(wide, "chroma"));
    json_free(old), json_free(now), json_free(wide);
    strbuf_free(&is);
    arena_free(&a);
}
