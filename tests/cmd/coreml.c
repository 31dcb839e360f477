// SPDX-License-Identifier: GPL-3.0-or-later
// coreml.c: `kmidi export --format coreml` as a user types it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "tests/cmd/fresh.h"
#include "tests/cmd/recogniser.h"
#include "tests/test.h"

static const recogniser_setup plain = {
    .what = "plain", .mel = {{"n_fft", "512"}}, .window = "12", .crop = "last", .views = "1"};

static const char *numbers(const char *package, size_t *n, arena *a)
{
    err e = {0};
    const char *path =
        arena_printf(a, "%s/%s/Data/com.apple.CoreML/weights/weight.bin", test_dir(), package);
    const char *bytes = file_read(a, path, (size_t)64 << 20, n, &e);
    EXPECT_OK(bytes != NULL, e);
    return bytes;
}

TEST(coreml_export_writes_a_package)
{
    arena a = {0};
    err e = {0};
    size_t n, wide;
    uint32_t head[2];
    const char *out, *k = test_kmidi(), *d = test_dir(),
                     *path = arena_strdup(&a, recogniser_checkpoint(&plain, "a.h5", &a));
    EXPECT_INT(test_shell(&out, "%s export '%s' -f coreml -o '%s/x.mlpackage'", k, path, d), 0);
    EXPECT_HAS(out, "x.mlpackage: emotion_recognizer, 403264 parameters, as coreml");
    EXPECT_HAS(out, "output of an example off by ");
    EXPECT_INT(test_shell(&out, "%s export '%s' -f coreml --f32 -o '%s/w.mlpackage'", k, path, d),
               0);
    const char *bytes = numbers("x.mlpackage", &n, &a);
    (void)numbers("w.mlpackage", &wide, &a);
    memcpy(head, bytes, sizeof head);
    EXPECT(head[0] > 10 && head[1] == 2);
    EXPECT(n % 64 == 0 && wide > n && wide > 4 * 403264);
    char *text = file_read(&a, test_path("x.mlpackage/Manifest.json"), 4096, &n, &e);
    json *j = json_parse(text, n, &e);
    const json *items = json_get(j, "itemInfoEntries");
    EXPECT_INT(json_len(items), 2);
    EXPECT_STR(json_str(json_get(json_get(items, json_str(json_get(j, "rootModelIdentifier"), "")),
                                 "path"),
                        ""),
               "com.apple.CoreML/model.mlmodel");
    json_free(j);
    // the same again, over what is there: the same bytes
    EXPECT_INT(test_shell(&out,
                          "cp -r '%s/x.mlpackage' '%s/y' && %s export '%s' -f coreml "
                          "-o '%s/z.mlpackage' && diff -r '%s/y' '%s/z.mlpackage'",
                          d, d, k, path, d, d, d),
               0);
    arena_free(&a);
}

// coremltools finds every package of this test's folder, this one among them, to be sound.
static void judge_by_coremltools(const char *package)
{
    const char *out;
    if (!getenv("COREML_PYTHON")) {
        test_skip("COREML_PYTHON does not name a Python with coremltools");
        return;
    }
    int status =
        test_shell(&out, "\"$COREML_PYTHON\" tests/peers/coreml_check.py '%s'", test_dir());
    test_expect(status == 0, __FILE__, __LINE__, "%s", out);
    EXPECT_HAS(out, package);
}

// The example inside a package is what the package gives (judged by coremltools).
TEST(coreml_packages_test_themselves)
{
    arena a = {0};
    const char *out, *k = test_kmidi(), *d = test_dir(),
                     *path = arena_strdup(&a, recogniser_checkpoint(&plain, "a.h5", &a));
    EXPECT_INT(test_shell(&out,
                          "%s export '%s' -f coreml -o '%s/x.mlpackage' && %s export '%s' "
                          "-f coreml --f32 --no-probe --shape batch=2,time=5 "
                          "-o '%s/w.mlpackage'",
                          k, path, d, k, path, d),
               0);
    arena_free(&a);
    judge_by_coremltools("w.mlpackage");
}

// What an export says of its example: the largest difference, of the largest output.
static double off_by(const char *out)
{
    err e = {0};
    json *j = json_parse(out, strlen(out), &e);
    EXPECT_OK(j != NULL, e);
    double off = json_num(json_get(j, "max_difference"), 1),
           of = json_num(json_get(j, "output_max"), 0);
    json_free(j);
    return off / of;
}

// A network whose sums add up more rounding than is near enough is computed in f32, of weights in
// halves; a shallow one in halves.
TEST(coreml_computes_in_halves_where_that_is_near_enough)
{
    const char *out, *k = test_kmidi(), *d = test_dir();
    fresh_model("deep.h5", "emotion_midi_transformer",
                "layers=8 dim=32 heads=2 ffn=64 cross=0,2 emotion_tokens=2");
    fresh_model("shallow.h5", "groove_predictor", NULL);
    EXPECT_INT(test_shell(&out,
                          "%s export '%s/deep.h5' -f coreml --shape time=16 --json "
                          "-o '%s/x.mlpackage'",
                          k, d, d),
               0);
    EXPECT_HAS(out, "weights of 16 bits, computed in f32, since computed in 16 bits it was off");
    EXPECT(off_by(out) < 1e-3 && off_by(out) > 1e-5);
    EXPECT_INT(test_shell(&out, "%s inspect '%s/x.mlpackage'", k, d), 0);
    EXPECT_HAS(out, "f16 weights, computed in f32");
    EXPECT_INT(
        test_shell(&out, "%s export '%s/shallow.h5' -f coreml --json -o '%s/y.mlpackage'", k, d, d),
        0);
    EXPECT_HAS(out, "each value rounded to 16 bits where the program says so");
    EXPECT(off_by(out) < 5e-4 && off_by(out) > 1e-6);
    judge_by_coremltools("x.mlpackage");
}

TEST(coreml_export_refuses_what_it_cannot_mean)
{
    static const char *const lines[][2] = {
        {"-o '%s/x.onnx'", "ends in .mlpackage"},
        {"--front-end -o '%s/x.mlpackage'", "leave out --front-end, or export as onnx"},
        {"--with-past -o '%s/x.mlpackage'", "leave out --with-past, or export as onnx"},
        {"--shape time=0 -o '%s/x.mlpackage'", "--shape takes batch=N"},
        {"--shape rows=3 -o '%s/x.mlpackage'", "not 'rows=3'"},
        {"--shape time=3x -o '%s/x.mlpackage'", "not 'time=3x'"},
        {"--shape batch=99999999999999999999 -o '%s/x.mlpackage'", "--shape takes batch=N"},
        {"--shape '' -o '%s/x.mlpackage'", "--shape takes batch=N"},
    };
    arena a = {0};
    const char *out, *k = test_kmidi(),
                     *path = arena_strdup(&a, recogniser_checkpoint(&plain, "a.h5", &a));
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const char *options = lines[i][0], *at = strstr(options, "%s");
        EXPECT_INT(test_shell(&out, "%s export '%s' -f coreml %.*s%s%s", k, path,
                              (int)(at - options), options, test_dir(), at + 2),
                   2);
        EXPECT_HAS(out, lines[i][1]);
        EXPECT(!file_exists(test_path("x.mlpackage")));
    }
    arena_free(&a);
}
