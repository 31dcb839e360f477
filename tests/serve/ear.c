// SPDX-License-Identifier: GPL-3.0-or-later
// ear.c: frames in real time where they depend on the whole, of which only a part was heard.
#include "serve/ear.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cmd/recogniser.h"
#include "tests/data/features/mel_lines.h"
#include "tests/test.h"

enum { RATE = 16000, SAMPLES = 12000 };

// What is normalised over a recording is, while it goes on, normalised over what was heard so far:
// frame t by the mean and deviation of frames 0 to t.
TEST(live_frames_are_normalised_by_what_was_heard)
{
    arena a = {0};
    static const char *const lines[] = {
        "sample_rate=16000 n_fft=400 hop_length=160 n_mels=20 center=false",
        "sample_rate=16000 n_fft=400 hop_length=160 n_mels=20 center=false normalise=item",
        "sample_rate=16000 n_fft=400 hop_length=160 n_mels=20 center=false normalise=bands"};
    float *x = NEW(&a, float, SAMPLES), *got = NEW(&a, float, 20);
    recogniser_sound(x, SAMPLES, 3);
    for (int k = 1; k < 3; k++) {
        feature *plain = mel_open_line(lines[0], variant_best()),
                *f = mel_open_line(lines[k], variant_best());
        int64_t frames, heard = 0;
        float *whole = mel_compute(plain, x, SAMPLES, NULL, &frames);
        ear *r = ear_open(f, RATE, &a);
        for (int at = 0; at < SAMPLES; at += 100)
            for (ear_push(r, x + at, 100); ear_next(r, got); heard++) {
                normal_sums s = normal_open(20, 20, &a);
                float *want = memcpy(NEW(&a, float, 20), whole + heard * 20, 20 * sizeof *want);
                normal_add(&s, whole, heard + 1);
                normal_apply(&s, k == 1 ? NORMAL_ITEM : NORMAL_BANDS, want, 1);
                EXPECT(!memcmp(got, want, 20 * sizeof *got));
            }
        EXPECT_INT(heard, frames);
        free(whole);
        feature_close(plain), feature_close(f);
    }
    arena_free(&a);
}

// The level is that of the largest sample so far.
TEST(live_frames_have_the_level_that_was_heard)
{
    arena a = {0};
    feature *f =
        mel_open_line("n_fft=400 hop_length=160 n_mels=20 center=false level=true", variant_best());
    float x[1000] = {[200] = 0.25f, [450] = -0.5f, [900] = 0.125f}, frame[20];
    static const double levels[] = {0.25, 0.5, 0.5, 0.5};
    ear *r = ear_open(f, RATE, &a);
    int heard = 0;
    ear_push(r, x, 1000);
    for (; ear_next(r, frame); heard++)
        EXPECT_NEAR(frame[19], log(levels[heard] * levels[heard] + 1e-6), 1e-6);
    EXPECT_INT(heard, 4);
    feature_close(f);
    arena_free(&a);
}
