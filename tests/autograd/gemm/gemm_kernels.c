// SPDX-License-Identifier: GPL-3.0-or-later
// gemm_kernels.c: which kernels the libraries compute with: those for this CPU, or for a smaller
// one where KMIDI_ISA says so.
#include <stdlib.h>
#include <string.h>

#include "autograd/gemm/gemm.h"
#include "base/variant.h"
#include "tests/test.h"

// "onednn 2.6.3 (avx512), openblas 0.3.21 (SkylakeX)", as a program of its own says it: a library
// is loaded once in a process.
static const char *products_with(const char *environment, arena *a)
{
    const char *out;
    err e = {0};
    EXPECT_INT(test_shell(&out,
                          "env -u OPENBLAS_CORETYPE -u ONEDNN_MAX_CPU_ISA -u DNNL_MAX_CPU_ISA "
                          "-u KMIDI_GEMM -u KMIDI_BF16 -u KMIDI_INT8 %s %s info --json",
                          environment, test_kmidi()),
               0);
    json *j = json_parse(out, strlen(out), &e);
    EXPECT_OK(j != NULL, e);
    const char *said = arena_strdup(a, json_str(json_get(j, "gemm"), ""));
    json_free(j);
    return said;
}

#ifdef KMIDI_HAS_v4
static bool names_any(const char *said, const char *const *cores)
{
    for (; *cores; cores++)
        if (strstr(said, *cores))
            return true;
    return false;
}

TEST(gemm_libraries_take_the_kernels_of_our_width)
{
    static const char *const of_avx2[] = {"(Haswell", "(Zen", "(Excavator", NULL},
                             *const of_avx512[] = {"(SkylakeX", "(Cooperlake", "(Sapphire", NULL},
                             *const onednn[VARIANT_COUNT] = {"(sse41)", "(avx2)", "(avx512)"};
    arena a = {.name = "kernels"};
    for (variant v = VARIANT_BASE; v <= variant_best(); v++) {
        const char *said = products_with(arena_printf(&a, "KMIDI_ISA=%s", variant_name(v)), &a);
        EXPECT_INT(names_any(said, of_avx2), v == VARIANT_V3);
        EXPECT_INT(names_any(said, of_avx512), v == VARIANT_V4);
        EXPECT_HAS(said, onednn[v]);
    }
    arena_free(&a);
}
#endif

TEST(gemm_openblas_takes_the_kernels_that_its_own_variable_names)
{
    arena a = {.name = "kernels"};
#ifdef KMIDI_HAS_v4
    EXPECT_HAS(products_with("OPENBLAS_CORETYPE=Prescott", &a), "(Prescott by OPENBLAS_CORETYPE)");
#else
    EXPECT_HAS(products_with("OPENBLAS_CORETYPE=ARMV8", &a), "(armv8 by OPENBLAS_CORETYPE)");
#endif
    arena_free(&a);
}

// What has the name of a library and nothing in it, found before the true one.
static bool put_empty(const char *folder, const char *soname)
{
    const char *out;
    return test_shell(&out,
                      "mkdir -p '%s' && echo 'int none;' | gcc -shared -x c - -Wl,-soname,%s -o "
                      "'%s/%s'",
                      folder, soname, folder, soname) == 0;
}

static void refused_with(const char *folder, const char *set, const char *part)
{
    const char *out;
    EXPECT_INT(test_shell(&out,
                          "LD_LIBRARY_PATH='%s' KMIDI_GEMM= KMIDI_BF16= KMIDI_INT8= %s %s info",
                          folder, set, test_kmidi()),
               1);
    EXPECT_HAS(out, part);
}

TEST(gemm_library_that_cannot_be_opened_gives_way)
{
    const char *folder = test_path("libraries");
    arena a = {.name = "kernels"};
#ifdef __linux__
    bool can = !test_shell(NULL, "command -v gcc >/dev/null") &&
               put_empty(folder, "libdnnl.so.2") && put_empty(folder, "libdnnl.so.3");
#else
    bool can = false;
#endif
    if (!can) {
        test_skip("needs gcc, and a system that finds libraries by LD_LIBRARY_PATH");
        return;
    }
    const char *said = products_with(arena_printf(&a, "LD_LIBRARY_PATH='%s'", folder), &a);
    EXPECT(strstr(said, "openblas ") == said);
    EXPECT_HAS(said, ", no onednn");
    refused_with(folder, "KMIDI_GEMM=onednn", "KMIDI_GEMM: onednn has no dnnl_");
    refused_with(folder, "KMIDI_GEMM=onednn", "its package is libdnnl");
    refused_with(folder, "KMIDI_BF16=onednn", "KMIDI_BF16: onednn has no dnnl_");
    EXPECT(put_empty(folder, "libopenblas.so.0"));
    refused_with(folder, "", "its package is libopenblas0-pthread (Debian)");
    refused_with(folder, "", "its package is libdnnl"); // whichever this CPU would rather have
    arena_free(&a);
}

TEST(gemm_openblas_leaves_the_environment_as_it_was)
{
    static const char *const names[] = {"OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS"};
    arena a = {.name = "kernels"};
    const char *before[2];
    for (int i = 0; i < 2; i++)
        before[i] = getenv(names[i]) ? arena_strdup(&a, getenv(names[i])) : NULL;
    gemm_ways w;
    err e = {0};
    setenv("KMIDI_GEMM", "openblas", 1);
    EXPECT_OK(gemm_choose(&w, &e), e);
    for (int i = 0; i < 2; i++)
        EXPECT(!before[i] == !getenv(names[i]) &&
               (!before[i] || !strcmp(before[i], getenv(names[i]))));
    arena_free(&a);
}
