// SPDX-License-Identifier: GPL-3.0-or-later
// mel_text.c: the settings of a mel spectrogram as text: lines, JSON, presets, configurations.
#include "data/audio/mel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/features/feature.h"
#include "tests/test.h"

// The first row of the table is the preset, which is resolved into the others.
static void line(const mel_settings *s, strbuf *out)
{
    setting_line(mel_table + 1, mel_table_n - 1, s, out);
}

TEST(mel_settings_survive_text_and_json)
{
    static const char *const presets[] = {"none", "librosa", "torchaudio"};
    err e = {0};
    const feature_def *d = feature_find("mel", &e);
    for (size_t i = 0; i < 3; i++) {
        mel_settings s = {0}, back = {0};
        strbuf a = {0}, b = {0};
        EXPECT_OK(mel_set(&s, "sample_rate", "11025", &e) &&
                      mel_set(&s, "preset", presets[i], &e) && mel_resolve(&s, &e),
                  e);
        json *j = feature_json(d, &s);
        EXPECT_OK(feature_from_json(d, &back, j, &e), e);
        line(&s, &a), line(&back, &b);
        EXPECT_STR(b.s, a.s);
        json_free(j);
        strbuf_free(&a), strbuf_free(&b);
    }
}

TEST(mel_presets_are_the_libraries_defaults)
{
    err e = {0};
    mel_settings l = {0}, t = {0}, wide = {0};
    strbuf s = {0};
    EXPECT_OK(mel_set(&l, "preset", "librosa", &e) && mel_resolve(&l, &e), e);
    line(&l, &s);
    EXPECT_STR(s.s,
               "sample_rate=22050 resampler=soxr_hq n_fft=2048 win_length=2048 hop_length=512 "
               "n_mels=128 fmin=0 fmax=11025 "
               "scale=slaney norm=slaney "
               "nyquist=exact power=2 center=true pad=constant log=db log_floor=1e-10 top_db=80");
    s.len = 0;
    EXPECT_OK(mel_set(&t, "sample_rate", "11025", &e) && mel_set(&t, "preset", "torchaudio", &e) &&
                  mel_resolve(&t, &e),
              e);
    line(&t, &s);
    EXPECT_STR(s.s,
               "sample_rate=11025 resampler=soxr_hq n_fft=400 win_length=400 hop_length=200 "
               "n_mels=128 fmin=0 fmax=5512 scale=htk norm=none "
               "nyquist=floor power=2 center=true pad=reflect log=db log_floor=1e-10 top_db=none");
    // torchaudio's hop follows the window, librosa's does not.
    EXPECT_OK(mel_set(&wide, "preset", "torchaudio", &e) && mel_set(&wide, "n_fft", "1024", &e) &&
                  mel_resolve(&wide, &e),
              e);
    EXPECT_INT(wide.hop_length, 512);
    strbuf_free(&s);
}

TEST(mel_settings_refuse_with_a_sentence)
{
    err e = {0};
    mel_settings s = {0};
    EXPECT_ERR(mel_set(&s, "n_ftt", "512", &e), e, ERR_CONFIG, "did you mean 'n_fft'?");
    EXPECT_ERR(mel_set(&s, "n_fft", "many", &e), e, ERR_CONFIG,
               "n_fft: 'many' is not a whole number from 16 to 65536");
    EXPECT_ERR(mel_set(&s, "n_fft", "512.5", &e), e, ERR_CONFIG, "whole number");
    EXPECT_ERR(mel_set(&s, "n_fft", "0", &e), e, ERR_CONFIG, "whole number");
    EXPECT_ERR(mel_set(&s, "log_floor", "nan", &e), e, ERR_CONFIG, "log_floor");
    EXPECT_ERR(mel_set(&s, "scale", "slany", &e), e, ERR_CONFIG,
               "did you mean 'slaney'?; it may be slaney or htk");
    EXPECT_ERR(mel_set(&s, "center", "yes", &e), e, ERR_CONFIG, "neither true nor false");
    EXPECT_ERR(mel_set(&s, "fmin", "9000", &e) && mel_resolve(&s, &e), e, ERR_CONFIG,
               "fmin 9000 Hz is not below fmax 8000 Hz");
    s = (mel_settings){0};
    EXPECT_ERR(mel_set(&s, "win_length", "2048", &e) && mel_resolve(&s, &e), e, ERR_CONFIG,
               "win_length 2048 is over n_fft 1024");
    s = (mel_settings){0};
    EXPECT_ERR(mel_set(&s, "fmax", "9000", &e) && mel_resolve(&s, &e), e, ERR_CONFIG,
               "half of the sample rate");
    s = (mel_settings){0};
    EXPECT_ERR(mel_set(&s, "normalise", "bands", &e) && mel_set(&s, "log", "none", &e) &&
                   mel_resolve(&s, &e),
               e, ERR_CONFIG, "normalise bands is of logarithms, and log is none");
    s = (mel_settings){0};
    EXPECT_ERR(mel_set(&s, "chroma", "classes", &e) && mel_set(&s, "n_mels", "12", &e) &&
                   mel_resolve(&s, &e),
               e, ERR_CONFIG, "chroma takes 12 of n_mels 12 and leaves no band; raise n_mels");
    s = (mel_settings){0};
    EXPECT_ERR(mel_set(&s, "chroma", "key", &e) && mel_set(&s, "log", "none", &e) &&
                   mel_resolve(&s, &e),
               e, ERR_CONFIG, "chroma key is of logarithms, and log is none");
    s = (mel_settings){0};
    EXPECT_ERR(mel_set(&s, "preset", "librosa", &e) && mel_set(&s, "level", "true", &e) &&
                   mel_resolve(&s, &e),
               e, ERR_CONFIG, "level stands beside bands without a limit; leave top_db out");
    s = (mel_settings){0};
    EXPECT_ERR(mel_set(&s, "level", "true", &e) && mel_set(&s, "n_mels", "1", &e) &&
                   mel_resolve(&s, &e),
               e, ERR_CONFIG, "raise n_mels");
    EXPECT_ERR(mel_set(&s, "overlap", "0.5", &e), e, ERR_CONFIG,
               "overlap: '0.5' is not a number from 1 to 64");
    EXPECT_ERR(feature_find("mell", &e), e, ERR_CONFIG, "did you mean 'mel'?");
}

TEST(mel_settings_come_from_a_config)
{
    arena a = {0};
    err e = {0};
    config_key *keys;
    const feature_def *d = feature_find("mel", &e);
    size_t n = feature_keys(d, &a, &keys);
    config_table table = {.what = "test", .keys = keys, .n = n};
    config *c = config_open(&table, &a);
    const char *text = "mel:\n  preset: librosa\n  sample_rate: 44100\n  top_db: none\n  power: "
                       "1\n  center: false\n  fmin: 30\n";
    mel_settings s = {0}, bad = {0};
    EXPECT_OK(config_parse(c, text, strlen(text), "x.yaml", &e) && config_finish(c, &e) &&
                  feature_configure(d, &s, c, &e),
              e);
    EXPECT_INT(s.sample_rate, 44100);
    EXPECT_INT(s.n_fft, 2048);
    EXPECT_INT(s.power, 1);
    EXPECT(!s.center && s.top_db == 0 && s.fmin == 30);
    config *w = config_open(&table, &a);
    EXPECT_OK(config_parse(w, "mel:\n  top_db: much\n", 20, "y.yaml", &e) && config_finish(w, &e),
              e);
    EXPECT_ERR(feature_configure(d, &bad, w, &e), e, ERR_CONFIG, "y.yaml:2:");
    arena_free(&a);
}
