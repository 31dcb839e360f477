// SPDX-License-Identifier: GPL-3.0-or-later
// emotions.c: what a person writes for an emotion.
#include "data/music/emotions.h"

#include <math.h>

#include "tests/test.h"

TEST(emotions_are_parsed_by_name_or_numbers)
{
    static const struct {
        const char *text;
        double valence, arousal, intensity;
    } good[] = {{"joy", 0.9, 0.8, NAN},
                {"GRIEF", -0.8, -0.6, NAN},
                {"-0.5,1", -0.5, 1, NAN},
                {"0.25, -0.5, 0.75", 0.25, -0.5, 0.75}};
    static const struct {
        const char *text, *says;
    } bad[] = {{"jooy", "did you mean 'joy'"},  {"", "one of: grief, joy"},
               {"0.5", "valence,arousal"},      {"0.5,", "valence,arousal"},
               {"0.5,0.5,", "valence,arousal"}, {"1.5,0", "from -1 to 1"},
               {"0,nan", "from -1 to 1"},       {"0,0,2", "from 0 to 1"},
               {"0,0,0,0", "valence,arousal"}};
    double v, a, i;
    err e = {0};
    for (size_t k = 0; k < sizeof good / sizeof *good; k++) {
        EXPECT_OK(emotion_parse(good[k].text, &v, &a, &i, &e), e);
        EXPECT_NEAR(v, good[k].valence, 0);
        EXPECT_NEAR(a, good[k].arousal, 0);
        EXPECT(isnan(good[k].intensity) ? isnan(i) : i == good[k].intensity);
    }
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        EXPECT_ERR(emotion_parse(bad[k].text, &v, &a, &i, &e), e, ERR_USAGE, bad[k].says);
}
