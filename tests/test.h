// SPDX-License-Identifier: GPL-3.0-or-later
// test.h: a test is a function; writing it registers it. The runner prints one closing line, "N
// passed, N failed".
//
//     TEST(rng_matches_the_paper)
//     {
//         EXPECT_INT(x, 7);
//         EXPECT_NEAR(y, 0.5, 1e-6);
//         EXPECT_ERR(clip_read("no.wav", &c, &e), e, ERR_MISSING, "no.wav");
//     }
//
// A failed EXPECT prints file, line and values; the test goes on. One that hangs is named and ends
// the program.
//     build/.../tests/all [-v] [-l] [-x NOT-THIS]... [-s I/N] [NAME-PART...]
#ifndef KMIDI_TESTS_TEST_H
#define KMIDI_TESTS_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/larger.h"

// Sanitizers bring their own malloc and keep what was freed: memory then cannot be counted.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

typedef struct test_case {
    const char *name, *file;
    void (*run)(void);
    struct test_case *next;
} test_case;

void test_register(test_case *t);
bool test_expect(bool ok, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
// what the test needs is not on this machine; counted as skipped
void test_skip(const char *why);
const char *test_dir(void);              // an empty folder of this test, removed afterwards
const char *test_path(const char *name); // a path inside it (static, eight in turn)
bool test_files_alike(const char *a, const char *b); // of test_path: the same bytes
const char *test_kmidi(void);                        // the program under test: $KMIDI or ./kmidi
const char *test_self(void);                         // this program
// in a child that a test forks: it dies with this program, as what test_shell starts does
void test_mortal(void);
// Runs a shell command; its exit status (128 + signal when killed); output of stdout and stderr
// together in *out (static), may be NULL.
int test_shell(const char **out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void test_guard(void); // of all that test_shell starts; called once, by the runner
// tests/golden/NAME.json; the test fails when it is not there. json_free it.
json *test_golden(const char *name);
// Numbers that the Python scripts of tests/golden make alike: element i of a tensor that belongs to
// `seed`, in [-scale, scale).
float test_fill(uint32_t seed, uint32_t i, float scale);
uint32_t test_fill_u32(uint32_t seed, uint32_t i); // the hash behind it
// max |a - b| / max |b| over n elements; NaN where there is one
double test_distance(const float *a, const float *b, size_t n);
#define TEST(name)                                                                                 \
    static void test_##name(void);                                                                 \
    static test_case case_##name = {#name, __FILE__, test_##name, NULL};                           \
    __attribute__((constructor)) static void register_##name(void)                                 \
    {                                                                                              \
        test_register(&case_##name);                                                               \
    }                                                                                              \
    static void test_##name(void)

#define EXPECT(cond) test_expect((cond), __FILE__, __LINE__, "%s", #cond)
#define EXPECT_INT(a, b)                                                                           \
    do {                                                                                           \
        long long a_ = (long long)(a), b_ = (long long)(b);                                        \
        test_expect(a_ == b_, __FILE__, __LINE__, "%s is %lld, expected %s = %lld", #a, a_, #b,    \
                    b_);                                                                           \
    } while (0)
#define EXPECT_NEAR(a, b, tol)                                                                     \
    do {                                                                                           \
        double a_ = (a), b_ = (b), t_ = (tol);                                                     \
        test_expect(a_ - b_ <= t_ && b_ - a_ <= t_, __FILE__, __LINE__,                            \
                    "%s is %.9g, expected %s = %.9g within %g", #a, a_, #b, b_, t_);               \
    } while (0)
#define EXPECT_BELOW(a, limit)                                                                     \
    do {                                                                                           \
        double a_ = (a), l_ = (limit);                                                             \
        test_expect(a_ < l_, __FILE__, __LINE__, "%s is %.9g, expected below %g", #a, a_, l_);     \
    } while (0)
#define EXPECT_STR(a, b)                                                                           \
    test_expect(test_same(a, b), __FILE__, __LINE__, "%s is \"%s\", expected \"%s\"", #a,          \
                test_shown(a), test_shown(b))
#define EXPECT_HAS(text, part)                                                                     \
    test_expect(test_has(text, part), __FILE__, __LINE__, "\"%s\" has no \"%s\"",                  \
                test_shown(text), part)
#define EXPECT_OK(call, e) test_expect((call), __FILE__, __LINE__, "%s: %s", #call, (e).text)
#define EXPECT_ERR(call, e, want, part)                                                            \
    do {                                                                                           \
        (e).code = ERR_NONE, (e).text[0] = 0;                                                      \
        test_expect(!(call), __FILE__, __LINE__, "%s succeeded", #call);                           \
        test_expect((e).code == (want) && test_has((e).text, part), __FILE__, __LINE__,            \
                    "%s: error %s \"%s\", expected %s with \"%s\"", #call, err_name((e).code),     \
                    (e).text, err_name(want), part);                                               \
    } while (0)

bool test_same(const char *a, const char *b);
bool test_has(const char *text, const char *part);
const char *test_shown(const char *s);

#endif
