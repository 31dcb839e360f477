// SPDX-License-Identifier: GPL-3.0-or-later
// fuzz_targets.c: every target of tests/fuzz by itself, without a fuzzer: its seeds, whole, halved
// and with bytes changed, and some random bytes. It finds what makes a target useless (it no longer
// links, it fails at what it should take), not what `make fuzz` is for.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/test.h"

// LLVMFuzzerTestOneInput, which is called so here (Makefile).
typedef int target_fn(const uint8_t *bytes, size_t n);
#define TARGET(name) target_fn fuzz_##name;
#include "tests/fuzz/targets.def"
#undef TARGET

typedef struct target {
    const char *name;
    target_fn *take;
} target;

static const target targets[] = {
#define TARGET(name) {#name, fuzz_##name},
#include "tests/fuzz/targets.def"
#undef TARGET
};
enum { TARGETS = sizeof targets / sizeof *targets };
enum { CHANGED = 30, RANDOM = 100, RANDOM_BYTES = 400, SEED_MOST = 1 << 20 };

// Input `i` of random ones: the bytes of the tests' own hash, the first ones none at all.
static void take_random(const target *t, int *inputs)
{
    uint8_t bytes[RANDOM_BYTES];
    for (uint32_t i = 0; i < RANDOM; i++, ++*inputs) {
        size_t n = i ? test_fill_u32(7, i) % (RANDOM_BYTES + 1) : 0;
        for (uint32_t k = 0; k < n; k++)
            bytes[k] = (uint8_t)(test_fill_u32(100 + i, k) >> 24);
        t->take(bytes, n);
    }
}

static void take_seed(const target *t, uint8_t *bytes, size_t n, int *inputs)
{
    t->take(bytes, n), ++*inputs;
    t->take(bytes, n / 2), ++*inputs;
    for (uint32_t i = 0; n && i < CHANGED; i++, ++*inputs) {
        size_t at = test_fill_u32(i, 0) % n;
        uint8_t was = bytes[at];
        bytes[at] = (uint8_t)(test_fill_u32(i, 1) >> 24);
        t->take(bytes, n);
        bytes[at] = was;
    }
}

// How many inputs it took is in *inputs, which the parent sees.
static void take_all(const target *t, int *inputs)
{
    arena a = {.name = "seeds"};
    size_t seeds = 0, n;
    char **paths = file_glob(&a, arena_printf(&a, "tests/fuzz/seeds/%s/*", t->name), &seeds, NULL);
    for (size_t i = 0; paths && i < seeds; i++) {
        char *seed = file_read(&a, paths[i], SEED_MOST, &n, NULL);
        CHECK(seed);
        take_seed(t, (uint8_t *)seed, n, inputs);
    }
    arena_free(&a);
    take_random(t, inputs);
}

// In a process of its own, which a target may end, and whose files go with it.
static void expect_takes(const target *t)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    int *inputs = mmap(NULL, sizeof *inputs, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0),
        status = 0;
    CHECK(inputs != MAP_FAILED);
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        test_mortal();
        for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
            signal(fatal[i], SIG_DFL);
        take_all(t, inputs);
        exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    test_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0 && *inputs >= RANDOM, __FILE__,
                __LINE__, "tests/fuzz/%s.c: status %d at input %d", t->name, status, *inputs);
    munmap(inputs, sizeof *inputs);
}

TEST(fuzz_targets_take_their_seeds)
{
    for (int i = 0; i < TARGETS; i++)
        expect_takes(&targets[i]);
}

TEST(fuzz_targets_are_all_listed)
{
    arena a = {0};
    err e = {0};
    size_t n = 0;
    EXPECT_OK(file_glob(&a, "tests/fuzz/*.c", &n, &e) != NULL, e);
    EXPECT_INT(n, TARGETS); // one that is listed and not there does not link
    arena_free(&a);
}
