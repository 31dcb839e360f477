// SPDX-License-Identifier: GPL-3.0-or-later
// chroma.c: pitch classes among the bands: that of a tone is the largest, and turned to its key
// music says the same wherever it stands. (Their numbers are held against librosa in mel.c.)
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/features/chroma_turn.h"
#include "data/music/key.h"
#include "tests/data/features/mel_lines.h"
#include "tests/test.h"

// Of a tone the class that is its name is the largest, in every octave that the transform tells
// apart.
TEST(chroma_names_a_tone)
{
    static const char *const line =
        "sample_rate=16000 n_fft=8192 n_mels=40 chroma=classes log=db pad=constant";
    for (int midi = 48; midi < 96; midi += 5) {
        int64_t frames, n = 16000;
        float *x = mel_sine(440 * exp2((midi - 69) / 12.0), 16000, n),
              *a = mel_compute_line(line, x, n, &frames), *classes = a + frames / 2 * 40 + 28;
        int most = 0;
        for (int c = 1; c < 12; c++)
            most = classes[c] > classes[most] ? c : most;
        EXPECT_INT(most, midi % 12);
        free(x), free(a);
    }
}

// What a profile itself says comes out as that profile, tonic first, from each of twelve places.
TEST(chroma_turns_every_key_to_its_tonic)
{
    chroma_turn t;
    chroma_turn_open(&t);
    for (int minor = 0; minor < 2; minor++)
        for (int tonic = 0; tonic < 12; tonic++) {
            float x[12];
            double mean = 0;
            for (int c = 0; c < 12; c++)
                mean += key_profiles[minor][c] / 12;
            for (int c = 0; c < 12; c++)
                x[(c + tonic) % 12] = (float)(3 * key_profiles[minor][c] - 20);
            chroma_turn_run(&t, x);
            for (int c = 0; c < 12; c++)
                EXPECT_NEAR((double)x[c], 3 * (key_profiles[minor][c] - mean), 0.05);
        }
    float flat[12];
    for (int c = 0; c < 12; c++)
        flat[c] = -13.8f;
    chroma_turn_run(&t, flat);
    for (int c = 0; c < 12; c++)
        EXPECT(fabsf(flat[c]) < 1e-5f);
}

// By the formulas, of any numbers.
TEST(chroma_mixes_keys_by_how_well_they_fit)
{
    chroma_turn t;
    chroma_turn_open(&t);
    for (int trial = 0; trial < 20; trial++) {
        float *x = mel_noise((uint32_t)trial, 12, 4), y[12], want[12] = {0};
        double mean = 0, length = 0, w[24], sum = 0;
        for (int c = 0; c < 12; c++)
            mean += (double)x[c] / 12;
        for (int c = 0; c < 12; c++)
            y[c] = x[c] - (float)mean, length += (double)y[c] * (double)y[c];
        for (int k = 0; k < 24; k++) {
            double pm = 0, pp = 0, xy = 0;
            for (int c = 0; c < 12; c++)
                pm += key_profiles[k / 12][c] / 12;
            for (int c = 0; c < 12; c++) {
                double p = key_profiles[k / 12][c] - pm;
                pp += p * p, xy += p * (double)y[(c + k) % 12];
            }
            sum += w[k] = exp(30 * xy / sqrt(pp) / (sqrt(length) + 0.001));
        }
        for (int k = 0; k < 24; k++)
            for (int j = 0; j < 12; j++)
                want[j] += (float)(w[k] / sum) * y[(j + k) % 12];
        chroma_turn_run(&t, x);
        EXPECT_BELOW(test_distance(x, want, 12), 1e-5);
        free(x);
    }
}

// Frames of a key are those of classes, each turned.
TEST(chroma_of_a_key_is_that_of_classes_turned)
{
    enum { N = 9000 };
    int64_t frames;
    chroma_turn t;
    chroma_turn_open(&t);
    float *x = mel_noise(4, N, 0.3f),
          *a = mel_compute_line("n_fft=2048 n_mels=40 log=ln chroma=classes", x, N, &frames),
          *b = mel_compute_line("n_fft=2048 n_mels=40 log=ln chroma=key", x, N, &frames);
    for (int64_t i = 0; i < frames; i++)
        chroma_turn_run(&t, a + i * 40 + 28);
    EXPECT(!memcmp(a, b, (size_t)(frames * 40) * sizeof *a));
    free(x), free(a), free(b);
}
