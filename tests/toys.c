// SPDX-License-Identifier: GPL-3.0-or-later
// toys.c: what ARCHITECTURE.md says of how to add a model, a feature and so on is tried: each of
// tests/toys/ with one file and one line, in a copy of the tree (tests/toys/toys.sh).
#include <string.h>

#include "base/file.h"
#include "tests/test.h"

static void add(const char *toys)
{
    arena a = {0};
    const char *out, *config = path_dir(&a, path_dir(&a, test_self())),
                     *build = path_dir(&a, config);
    if (test_shell(NULL, "command -v make bash >/dev/null")) {
        test_skip("there is no make, or no bash");
    } else {
        int status = test_shell(&out, "bash tests/toys/toys.sh '%s' '%s' '%s' %s", build,
                                path_base(config), test_path("copy"), toys);
        test_expect(status == 0, __FILE__, __LINE__, "%s", out);
        for (const char *t = toys; *t; t += strspn(t, " ")) {
            size_t n = strcspn(t, " ");
            EXPECT_HAS(out, arena_printf(&a, "%.*s: added", (int)n, t));
            t += n;
        }
    }
    arena_free(&a);
}

TEST(toys_are_added_with_one_file_and_one_line_each)
{
    add("model feature reader command optimiser exporter op");
}
