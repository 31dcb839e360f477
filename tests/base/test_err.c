// SPDX-License-Identifier: GPL-3.0-or-later
// Errors: the sentence, its trail, its cut, and what becomes of control characters.
#include <errno.h>
#include <string.h>

#include "tests/test.h"

TEST(err_builds_a_trail_from_the_inside_out)
{
    err e = {0};
    EXPECT(!err_set(&e, ERR_FORMAT, "'%s' is %d bytes long", "a.wav", 12));
    EXPECT(!err_trail(&e, "manifest line %d", 7));
    EXPECT_STR(e.text, "manifest line 7: 'a.wav' is 12 bytes long");
    EXPECT_INT(e.code, ERR_FORMAT);
    EXPECT(!err_set(NULL, ERR_IO, "nobody listens"));
    EXPECT(!err_trail(NULL, "nobody listens"));
}

TEST(err_may_be_given_its_own_text)
{
    err e = {0};
    err_set(&e, ERR_VALUE, "inner");
    err_set(&e, ERR_CONFIG, "outer (%s)", e.text);
    EXPECT_STR(e.text, "outer (inner)");
}

TEST(err_cuts_what_is_too_long)
{
    err e = {0};
    char name[5000];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    err_set(&e, ERR_IO, "%s", name);
    EXPECT_INT(strlen(e.text), sizeof e.text - 1);
    EXPECT_STR(e.text + sizeof e.text - 4, "...");
    err_trail(&e, "before");
    EXPECT_INT(strlen(e.text), sizeof e.text - 1);
    EXPECT(strncmp(e.text, "before: xxx", 11) == 0);
}

TEST(err_keeps_to_one_line)
{
    err e = {0};
    err_set(&e, ERR_IO, "'%s' is missing", "a\nb\033[2J");
    EXPECT_STR(e.text, "'a?b?[2J' is missing");
}

TEST(err_errno_names_the_reason)
{
    err e = {0};
    errno = ENOENT;
    err_errno(&e, "'%s' cannot be opened", "x");
    EXPECT_STR(e.text, "'x' cannot be opened: No such file or directory");
    EXPECT_INT(e.code, ERR_MISSING);
    errno = EACCES;
    err_errno(&e, "'x'");
    EXPECT_INT(e.code, ERR_IO);
}

TEST(err_codes_have_status_and_name)
{
    EXPECT_INT(err_status(ERR_NONE), 0);
    EXPECT_INT(err_status(ERR_USAGE), 2);
    EXPECT_INT(err_status(ERR_CONFIG), 2);
    EXPECT_INT(err_status(ERR_DAMAGED), 1);
    EXPECT_INT(err_status(ERR_STOPPED), 75);
    EXPECT_STR(err_name(ERR_DAMAGED), "damaged");
}
