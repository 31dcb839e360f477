// SPDX-License-Identifier: GPL-3.0-or-later
// library.c (tests): a library that is opened where it is used, or told to be missing.
#include "base/library.h"

#include <math.h>

#include "tests/test.h"

// Of one command each, with dozens of others behind them.
static const char opened[] =
    "openblas|dnnl|gomp|curl|espeak|microhttpd|asound|jack|rubberband|stdc";

typedef struct maths {
    double (*root)(double x);
    double (*power)(double x, double y);
} maths;

static const library_function functions[] = {{"sqrt", offsetof(maths, root)},
                                             {"pow", offsetof(maths, power)},
                                             {"no_such_function", offsetof(maths, root)}};

TEST(library_opens_and_finds)
{
    err e = {0};
    maths m = {0};
    const library all = {"libm", LIBRARY_FILES("m", "6"), functions, 2};
    EXPECT_OK(library_open(&all, &m, &e), e);
    EXPECT(m.root && m.power && m.root(9) == 3 && m.power(2, 10) == 1024);
}

// The C library's own is open all the time, and stays.
TEST(library_is_closed_as_often_as_it_was_opened)
{
    err e = {0};
    maths m = {0};
    const library all = {"libm", LIBRARY_FILES("m", "6"), functions, 2};
    for (int i = 0; i < 3; i++) {
        EXPECT_OK(library_open(&all, &m, &e), e);
        library_close(&all);
    }
    EXPECT_OK(library_open(&all, &m, &e), e);
    EXPECT(m.root(16) == 4);
    const library none = {"libnone", LIBRARY_FILES("kmidi-none", "1"), functions, 1};
    library_close(&none);
}

TEST(library_that_lacks_something_is_told)
{
    err e = {0};
    maths m = {0};
    const library old = {"libm", LIBRARY_FILES("m", "6"), functions, 3};
    EXPECT(!library_open(&old, &m, &e) && e.code == ERR_MISSING);
    EXPECT_STR(e.text,
               "libm has no no_such_function; install the version that this kmidi was built with");
    const library none = {"libnone", LIBRARY_FILES("kmidi-none", "1"), functions, 1};
    e = (err){0};
    EXPECT(!library_open(&none, &m, &e) && e.code == ERR_MISSING);
    EXPECT_HAS(e.text, "libnone is not installed (");
}

TEST(library_of_one_command_is_not_loaded_by_all)
{
    const char *out;
    if (test_shell(NULL, "command -v objdump")) {
        test_skip("needs objdump");
        return;
    }
    EXPECT_INT(test_shell(&out, "objdump -p %s | grep NEEDED", test_kmidi()), 0);
    EXPECT_HAS(out, "libhdf5");
    EXPECT_INT(test_shell(&out, "objdump -p %s | grep NEEDED | grep -E '%s'", test_kmidi(), opened),
               1);
    EXPECT_STR(out, "");
}
