// SPDX-License-Identifier: GPL-3.0-or-later
// runner.c: a test program that is stopped takes what it had started with it, and each of its tests
// has the environment that the program was started with.
#include <stdlib.h>

#include "autograd/kit.h"
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

// The two below, one behind the other in a second runner: what the first changes, so that nothing
// can be chosen, the second does not see.
TEST(runner_environment_is_a_tests_own)
{
    err e = {0};
    kit k;
    char libraries[128];
    setenv("KMIDI_ISA", "v4", 1), setenv("KMIDI_BF16", "none", 1),
        setenv("KMIDI_RUNNER_NEW", "", 1);
    unsetenv("KMIDI_GEMM"), unsetenv("KMIDI_INT8");
    EXPECT_ERR(kit_choose(&k, &e), e, ERR_USAGE, "KMIDI_BF16 is 'none'");
    // were they not loaded before, it would be for a larger CPU
    EXPECT_HAS(gemm_describe(&(gemm_ways){.first = GEMM_OPENBLAS}, libraries), "openblas");
}

static void expect_as_asked(void)
{
    err e = {0};
    kit k;
    char libraries[128];
    EXPECT_OK(kit_choose(&k, &e), e);
    EXPECT_INT(k.width, VARIANT_BASE);
    EXPECT_INT(k.products.first, GEMM_OPENBLAS);
    EXPECT(k.products.bf16_forced && k.products.bf16 == GEMM_BF16_WIDEN);
    EXPECT_INT(k.products.int8, GEMM_INT8_PAIRS);
    EXPECT_STR(getenv("KMIDI_RUNNER_NEW"), NULL);
    if (variant_lowered())
        EXPECT_HAS(gemm_describe(&k.products, libraries), "(Prescott");
}

TEST(runner_environment_is_given_back)
{
    const char *out;
    if (getenv("KMIDI_RUNNER_ASKED")) {
        expect_as_asked();
        return;
    }
    EXPECT_INT(test_shell(&out,
                          "KMIDI_RUNNER_ASKED=1 KMIDI_ISA=base KMIDI_GEMM=openblas "
                          "KMIDI_BF16=widen KMIDI_INT8=pairs %s runner_environment_is",
                          test_self()),
               0);
    EXPECT_STR(out, "2 passed, 0 failed\n");
}
