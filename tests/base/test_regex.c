// SPDX-License-Identifier: GPL-3.0-or-later
// Named groups of regular expressions.
#include <string.h>

#include "base/arena.h"
#include "base/regex.h"
#include "tests/test.h"

static const char *group(arena *a, const regex *r, const char *name)
{
    for (int i = 0; i < regex_groups(r); i++) {
        size_t n;
        const char *at = strcmp(regex_group_name(r, i), name) ? NULL : regex_group(r, i, &n);
        if (at)
            return arena_printf(a, "%.*s", (int)n, at);
    }
    return "-";
}

TEST(regex_named_groups)
{
    arena a = {0};
    err e = {0};
    bool found;
    regex *r = regex_open("(?<speaker>\\d+)_(?P<label>\\w+)(?:-(?<take>\\d))?", REGEX_BEGIN, &e);
    EXPECT_OK(r && regex_match(r, "03_joy-2x", &found, &e) && found, e);
    EXPECT_INT(regex_groups(r), 3);
    EXPECT_STR(group(&a, r, "speaker"), "03");
    EXPECT_STR(group(&a, r, "label"), "joy");
    EXPECT_STR(group(&a, r, "take"), "2");
    EXPECT_OK(regex_match(r, "4_größe", &found, &e) && found, e);
    EXPECT_STR(group(&a, r, "label"), "größe"); // a letter is a letter, as in Python
    EXPECT_STR(group(&a, r, "take"), "-");
    EXPECT_OK(regex_match(r, "x4_joy", &found, &e) && !found, e); // from the first character on
    EXPECT_STR(group(&a, r, "label"), "-");
    regex_close(r);
    r = regex_open("(?<a>(x+x+)+)\\d", REGEX_BEGIN, &e);
    EXPECT_ERR(regex_match(r, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", &found, &e), e,
               ERR_VALUE, "reasonable time");
    regex_close(r);
    EXPECT_ERR((r = regex_open("(?<a", REGEX_BEGIN, &e)) != NULL, e, ERR_VALUE,
               "no regular expression");
    regex_close(NULL);
    arena_free(&a);
}
