// SPDX-License-Identifier: GPL-3.0-or-later
// runner.c: a test program that is stopped takes what it had started with it.
#include <stdlib.h>

#include "tests/test.h"

// Run by the test below in a second runner: names a process that would last, and waits for it.
static bool is_probe(void)
{
    const char *note = getenv("KMIDI_RUNNER_PROBE");
    if (note)
        (void)test_shell(NULL, "sleep 60 & echo $! >%s; wait", note);
    return note != NULL;
}

TEST(runner_leaves_no_child_behind)
{
    static const char *const signals[] = {"TERM", "HUP", "KILL", "SEGV", "ALRM"};
    if (is_probe())
        return;
    for (int i = 0; i < 5; i++) {
        const char *note = test_path(signals[i]);
        EXPECT_INT(test_shell(NULL,
                              "KMIDI_RUNNER_PROBE=%s %s runner_leaves >%s.out & p=$!; for i in "
                              "$(seq 100); do [ -s %s ] && break; sleep 0.05; done; "
                              "[ -s %s ] && kill -0 $(cat %s) && kill -%s $p || exit 3; wait $p; "
                              "for i in $(seq 100); do kill -0 $(cat %s) 2>/dev/null || exit 0; "
                              "sleep 0.05; done; kill $(cat %s); exit 4",
                              note, test_self(), note, note, note, note, signals[i], note, note),
                   0);
    }
    const char *out;
    EXPECT_INT(test_shell(&out, "cat %s.out", test_path("ALRM")), 0);
    EXPECT_HAS(out, "FAIL runner_leaves_no_child_behind: does not end in ");
    EXPECT_HAS(out, "0 passed, 1 failed, and others not run\n");
}
