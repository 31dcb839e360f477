// SPDX-License-Identifier: GPL-3.0-or-later
// anchors.c: where anchors stand, by numbers worked out by hand, and which of them music lights.
#include "data/music/anchors.h"

#include <math.h>

#include "tests/test.h"

TEST(anchors_stand_where_their_families_say)
{
    anchor wall[ANCHORS_MOST];
    EXPECT_INT(anchors_make(ANCHORS_SPARSE, wall), 50);
    EXPECT_INT(anchors_make(ANCHORS_DENSE, wall), ANCHORS_MOST);
    EXPECT_INT(anchors_make(ANCHORS_NORMAL, wall), 100);
    // the third of the second tension of ten: g 1/9, h 1
    EXPECT_INT(wall[5].about, ANCHOR_TENSION);
    EXPECT_NEAR(wall[5].at, 1.0 / 9, 1e-12);
    EXPECT_NEAR(wall[5].y, 0.2 + 0.6 / 9, 1e-12);
    EXPECT_NEAR(wall[5].z, 0.7, 1e-12);
    // the last density, most regular; energies upwards; brightness along the wall; textures
    EXPECT_NEAR(wall[49].y, 0.7, 1e-12);
    EXPECT_NEAR(wall[49].z, 0.9, 1e-12);
    EXPECT_INT(wall[50].about, ANCHOR_ENERGY);
    EXPECT_NEAR(wall[69].y, 0.5, 1e-12);
    EXPECT_NEAR(wall[69].z, 1, 1e-12);
    EXPECT_INT(wall[70].about, ANCHOR_BRIGHTNESS);
    EXPECT_NEAR(wall[71].y, 1.0 / 19, 1e-12);
    EXPECT_NEAR(wall[71].z, 0.5, 1e-12);
    EXPECT_INT(wall[99].about, ANCHOR_COMPLEXITY);
    EXPECT_NEAR(wall[99].y, 0.9, 1e-12);
    EXPECT_NEAR(wall[99].z, 0.9, 1e-12);
}

// Ten seconds: the first half still, the second tense.
static void tense_later(cloud_slice s[CLOUD_SLICES])
{
    for (int k = 0; k < CLOUD_SLICES; k++)
        s[k] =
            (cloud_slice){.tension = k < CLOUD_SLICES / 2 ? 0 : 1, .density = 0.5, .velocity = 0.6};
}

TEST(anchors_are_lit_by_what_is_played)
{
    anchor wall[ANCHORS_MOST];
    cloud_slice s[CLOUD_SLICES];
    tense_later(s);
    anchor_music m = {s, 10, true, false};
    int n = anchors_make(ANCHORS_NORMAL, wall), lit = 0;
    anchors_light(wall, n, &m, 0);
    for (int i = 0; i < n; i++)
        lit += wall[i].active > 0;
    EXPECT_INT(lit, 5);
    for (int i = 0; i < 3; i++) // the three of no tension, and so of the frame's likest
        EXPECT_NEAR(wall[i].active, 0.85, 1e-12);
    EXPECT_NEAR(wall[27].active, 0, 1e-12);
    // of 20 energies 11/19 is nearest to 0.6, then 12/19
    EXPECT_NEAR(wall[61].active, 0.85 * exp(-pow(0.6 - 11.0 / 19, 2) / 0.02), 1e-9);
    EXPECT_NEAR(wall[62].active, 0.85 * exp(-pow(0.6 - 12.0 / 19, 2) / 0.02), 1e-9);
    // five frames behind the turn the first are 0.85^6 of what they were
    anchors_light(wall, n, &m, 5 + 4 * 0.2 + 0.01);
    EXPECT_NEAR(wall[0].active, pow(0.85, 6), 1e-9);
    EXPECT_NEAR(wall[29].active, 0.85, 1e-12);
}

TEST(anchors_of_brightness_need_a_sound)
{
    anchor wall[ANCHORS_MOST];
    cloud_slice s[CLOUD_SLICES] = {0};
    for (int k = 0; k < CLOUD_SLICES; k++) // halfway between all others
        s[k] = (cloud_slice){.brightness = 1, .tension = 0.625, .density = 0.625, .velocity = 0.5};
    int n = anchors_make(ANCHORS_SPARSE, wall);
    anchors_light(wall, n, &(anchor_music){s, 1, true, false}, 0.5);
    for (int i = 35; i < 45; i++)
        EXPECT_NEAR(wall[i].active, 0, 0);
    anchors_light(wall, n, &(anchor_music){s, 1, true, true}, 0.5);
    EXPECT_NEAR(wall[44].active, 0.85, 1e-12);
    anchors_light(wall, n, &(anchor_music){s, 1, false, true}, 0.5);
    EXPECT_NEAR(wall[0].active, 0, 0);
    EXPECT_NEAR(wall[44].active, 0.85, 1e-12);
    // nothing lasts: nothing is lit
    anchors_light(wall, n, &(anchor_music){s, 0, true, true}, 0);
    EXPECT_NEAR(wall[44].active, 0, 0);
}
