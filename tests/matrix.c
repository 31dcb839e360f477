// SPDX-License-Identifier: GPL-3.0-or-later
// matrix.c (tests): the combinations, their environment, and the counts of the runs (matrix.h).
#include "tests/matrix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hw.h"
#include "base/variant.h"
#include "tests/test.h"

// Parts of names of tests: of what is compiled for each width, and of what multiplies.
static const char SET[] = "gemm_ ops_forward_equals_reference ops_do_not_depend_on_threads "
                          "model_emotion_recognizer model_melody_transformer "
                          "model_harmony model_groove model_dynamics "
                          "models_do_not_depend_on_threads optim_ mel_ generate_with "
                          "song_features_match trainer_accumulation variant_";

static const char *environment_of(variant v, bool openblas, arena *a)
{
    return arena_printf(a, "KMIDI_ISA=%s KMIDI_GEMM=%s", variant_name(v),
                        openblas ? "openblas" : "onednn");
}

// Failures as they were said, with what they belong to.
static void say_failures(const char *out, const char *environment)
{
    for (const char *line = out; line && *line;
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (!strncmp(line, "FAIL", 4))
            printf("%.*s [%s]\n", (int)strcspn(line, "\n"), line, environment);
}

// The closing line of a run; false when it has none.
static bool read_counts(const char *out, tally *t)
{
    const char *last = NULL;
    for (const char *p = out; (p = strstr(p, " passed, ")); p++)
        last = p;
    while (last && last > out && last[-1] != '\n')
        last--;
    return last && sscanf(last, "%d passed, %d failed, %d skipped", &t->passed, &t->failed,
                          &t->skipped) >= 2;
}

static void run_one(const char *environment, bool verbose, tally *sum)
{
    const char *out;
    tally t = {0};
    double start = hw_seconds();
    int status = test_shell(&out, "%s %s %s", environment, test_self(), SET);
    say_failures(out, environment);
    if (!read_counts(out, &t) || (status != 0 && t.failed == 0)) {
        printf("FAIL matrix: status %d with %s: %s\n", status, environment, out);
        t.failed++;
    }
    if (verbose)
        printf("%s %s (%.3f s): %d tests\n", t.failed ? "FAIL" : "ok  ", environment,
               hw_seconds() - start, t.passed);
    sum->passed += t.passed, sum->failed += t.failed, sum->skipped += t.skipped;
}

void matrix_run(bool verbose, tally *sum)
{
    arena a = {0};
    for (int v = (int)variant_best(); v >= 0; v--)
        for (int library = 0; library < 2; library++)
            run_one(environment_of((variant)v, library == 0, &a), verbose, sum);
    arena_free(&a);
}
