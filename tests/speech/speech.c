// SPDX-License-Identifier: GPL-3.0-or-later
// speech.c: what is spoken under an emotion is as high, as long and as loud as the table says,
// measured in the sound; languages, texts of any kind, and translators.
#include "speech/speech.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/music/emotions.h"
#include "tests/net/server.h"
#include "tests/test.h"

typedef struct heard {
    double pitch;   // Hz, the median of voiced frames
    double seconds; // of what sounds
    double level;   // dB, root mean square
} heard;

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

// The lag of the largest normalised autocorrelation from 70 to 500 Hz; 0 where nothing is voiced.
static double pitch_of(const float *x, int n, int rate)
{
    double best = 0.5, found = 0, own = 0;
    for (int i = 0; i < n; i++)
        own += (double)(x[i] * x[i]);
    for (int lag = rate / 500; own > 1e-4 * n && lag <= rate / 70; lag++) {
        double cross = 0, other = 0;
        for (int i = 0; i < n; i++)
            cross += (double)(x[i] * x[i + lag]), other += (double)(x[i + lag] * x[i + lag]);
        double r = cross / sqrt(own * other + 1e-12);
        if (r > best + 0.02) // the shortest of lags that are as good
            best = r, found = (double)rate / lag;
    }
    return found;
}

static heard hear(const speech_sound *s)
{
    heard h = {0};
    int frame = s->rate / 25, lag = s->rate / 70;
    double *pitches = malloc((size_t)(s->frames / frame + 1) * sizeof *pitches), sum = 0;
    size_t n = 0;
    for (int64_t i = 0; i + frame + lag < s->frames; i += frame) {
        pitches[n] = pitch_of(s->samples + i, frame, s->rate);
        n += pitches[n] > 0;
    }
    for (int64_t i = 0; i < s->frames; i++)
        sum += (double)(s->samples[i] * s->samples[i]);
    qsort(pitches, n, sizeof *pitches, by_size);
    h.pitch = n ? pitches[n / 2] : 0;
    h.seconds = (double)s->frames / s->rate;
    h.level = 10 * log10(sum / (double)s->frames);
    free(pitches);
    return h;
}

static heard said(const char *emotion)
{
    double v, a, i;
    err e = {0};
    speech_sound s;
    EXPECT_OK(emotion_parse(emotion, &v, &a, &i, &e), e);
    speech_setting how = {.language = "en", .prosody = speech_prosody_named(emotion, v, a)};
    EXPECT_OK(speech_say(&how, "We went along the river in the early morning. The rain was over.",
                         &s, &e),
              e);
    heard h = hear(&s);
    for (int64_t k = 0; k < s.frames; k++)
        EXPECT(fabsf(s.samples[k]) < 1);
    speech_free(&s);
    return h;
}

TEST(speech_is_as_high_long_and_loud_as_the_emotion)
{
    heard neutral = said("neutral"), joy = said("joy"), grief = said("grief"),
          anger = said("anger");
    EXPECT(neutral.pitch > 80 && neutral.pitch < 140);
    EXPECT_NEAR(12 * log2(joy.pitch / neutral.pitch), 6, 2.5);
    EXPECT_NEAR(12 * log2(grief.pitch / neutral.pitch), -4, 2);
    EXPECT(joy.seconds < 0.9 * neutral.seconds);
    EXPECT(grief.seconds > 1.2 * neutral.seconds);
    EXPECT(anger.seconds < 0.95 * neutral.seconds);
    EXPECT_NEAR(anger.level - neutral.level, 6, 1.5);
    EXPECT_NEAR(grief.level - neutral.level, -6, 2.5);
    EXPECT(anger.level > joy.level && joy.level > neutral.level);
}

TEST(speech_prosody_lies_between_its_neighbours)
{
    speech_prosody joy = speech_prosody_of(0.9, 0.8), near = speech_prosody_of(0.88, 0.78),
                   grief = speech_prosody_named("GRIEF", 0, 0),
                   middle = speech_prosody_of(0.65, 0.6);
    EXPECT_NEAR(joy.pitch, 6, 0);
    EXPECT_NEAR(near.pitch, 6, 0.2);
    EXPECT_NEAR(grief.rate, 0.75, 0);
    EXPECT(middle.pitch > 0 && middle.pitch < 6 && middle.rate > 1 && middle.rate < 1.25);
    for (size_t i = 0; i < emotion_count(); i++) {
        const emotion_name *m = emotion_at(i);
        speech_prosody p = speech_prosody_named(m->name, m->valence, m->arousal);
        EXPECT(fabs(p.pitch) <= 12 && p.range >= 0 && p.range <= 2 && p.rate > 0.4 &&
               p.rate < 2.5 && p.loudness <= 6);
    }
}

static int speak(const char **out, const char *args)
{
    return test_shell(out, "D=%s; %s speak %s", test_dir(), test_kmidi(), args);
}

TEST(speak_takes_any_text_and_says_what_it_cannot)
{
    const char *out;
    EXPECT_INT(speak(&out, "hello --emotion joy -o $D/a.wav --json"), 0);
    EXPECT_HAS(out, "\"by\": \"espeak-ng\"");
    EXPECT_HAS(out, "\"speak\": ");
    EXPECT_INT(speak(&out, "'Привет, мир' 悲しい --language ru -o $D/b.wav"), 0);
    EXPECT_INT(speak(&out, "\"$(printf 'a\\377\\001')\" -o $D/b.wav"), 0);
    EXPECT_INT(speak(&out, "\"$(printf 'no end to it, %.0s' $(seq 400))\" -e anger -o $D/long.wav"),
               0);
    EXPECT_INT(speak(&out, "'' -o $D/x.wav"), 1);
    EXPECT_HAS(out, "nothing to say");
    EXPECT_INT(speak(&out, "hello --language xx-none -o $D/x.wav"), 2);
    EXPECT_HAS(out, "no voice for 'xx-none'");
    EXPECT_INT(speak(&out, "hello --emotion joi -o $D/x.wav"), 2);
    EXPECT_HAS(out, "did you mean 'joy'");
    EXPECT_INT(speak(&out, "hello --translator http://localhost:1 -o $D/x.wav"), 2);
    EXPECT_INT(speak(&out, "hello --to es --translator http://127.0.0.1:1 -o $D/x.wav"), 1);
    EXPECT_HAS(out, "did not answer");
    EXPECT_INT(speak(&out, "-o $D/x.wav"), 2);
    EXPECT(!file_exists(test_path("x.wav")));
}

// Where Apertium is installed with the pair, as Debian's apertium-eng-spa.
TEST(speak_translates_by_apertium)
{
    const char *out;
    if (test_shell(&out, "apertium -l 2>/dev/null | grep -qx ' *eng-spa'")) {
        test_skip("there is no Apertium with the pair eng-spa");
        return;
    }
    EXPECT_INT(speak(&out, "good morning --to es -o $D/a.wav --json"), 0);
    EXPECT_HAS(out, "\"text\": \"buenos d\xc3\xad"
                    "as");
    EXPECT_INT(speak(&out, "good morning --to xx -o $D/b.wav"), 1);
    EXPECT_HAS(out, "Apertium has no pair en-xx");
}

TEST(speak_translates_and_takes_a_voice_of_a_server)
{
    static const recorded list[] = {
        {"/translate", 200, "{\"translatedText\": \"buenos d\\u00edas\"}", 0, false},
        {"/v1/audio/speech", 200, "RIFF....WAVEfmt and what belongs to a wav of a server", 0,
         false},
        {"/v1/audio/speech", 500, "{\"error\": \"no\"}", 0, false}};
    const char *out, *url = server_start(list, 3), *k = test_kmidi(), *d = test_dir();
    EXPECT_INT(test_shell(&out, "%s speak good morning --to es --translator %s -o %s/a.wav --json",
                          k, url, d),
               0);
    EXPECT_HAS(out, "\"text\": \"buenos d\xc3\xad"
                    "as\"");
    EXPECT_HAS(out, "\"language\": \"es\"");
    EXPECT_HAS(server_asked(), "\"source\": \"en\"");
    EXPECT_INT(test_shell(&out, "%s speak hello -e joy --voice-server %s -o %s/b.wav", k, url, d),
               0);
    EXPECT_HAS(server_asked(), "\"speed\": 1.25");
    EXPECT_INT(test_shell(&out, "head -c 4 %s/b.wav", d), 0);
    EXPECT_STR(out, "RIFF");
    EXPECT_INT(test_shell(&out, "%s speak hello --voice-server %s -o %s/c.wav", k, url, d), 1);
    EXPECT_HAS(out, "500 with no wav");
    server_stop();
}
