// SPDX-License-Identifier: GPL-3.0-or-later
// selftest.c (tests): exported files run on the example that they carry give what they say, from
// the waveform on too, and one whose numbers were changed does not; examples that cannot be meant
// are refused.
#include "infer/selftest.h"

#include <math.h>
#include <string.h>

#include "base/larger.h"
#include "tests/cmd/recogniser.h"
#include "tests/test.h"

static const recogniser_setup setup = {.what = "heard",
                                       .mel = {{"preset", "librosa"},
                                               {"sample_rate", "16000"},
                                               {"n_fft", "400"},
                                               {"hop_length", "160"}},
                                       .window = "40",
                                       .crop = "center",
                                       .views = "3"};

// The largest difference of outputs from what the file says, of the largest that it says.
static double apart(const onnx_model *m, arena *a)
{
    err e = {0};
    selftest_example x;
    onnx_named out[SELFTEST_PORTS];
    double d = 0, most = 0;
    onnx_runner *r =
        selftest_read(&m->meta, "file", a, &x, &e) ? onnx_runner_open(m, NULL, a, &e) : NULL;
    for (int i = 0; r && i < x.n_out; i++)
        out[i] = (onnx_named){.name = x.out[i].name};
    if (!test_expect(r && onnx_runner_go(r, x.n_in, x.in, x.n_out, out, a, &e), __FILE__, __LINE__,
                     "%s", e.text))
        return NAN;
    for (int i = 0; i < x.n_out; i++)
        for (int64_t k = 0; k < x.out[i].x.n; k++) {
            d = larger(d, fabs((double)out[i].x.f[k] - (double)x.out[i].x.f[k]));
            most = larger(most, fabs((double)x.out[i].x.f[k]));
        }
    onnx_runner_close(r);
    return d / most;
}

// All numbers of the first constant of that many axes with the other sign.
static void spoil(onnx_model *m, int type, arena *a)
{
    int i = 0;
    while (m->tensors[i].type != type || m->tensors[i].rank < 2)
        i++;
    uint8_t *bytes =
        memcpy(arena_alloc(a, 1, m->tensors[i].bytes), m->tensors[i].data, m->tensors[i].bytes);
    for (size_t k = 0; k < m->tensors[i].bytes; k++)
        bytes[k] = type == ONNX_INT8 ? (uint8_t)-bytes[k] : k % 4 == 3 ? bytes[k] ^ 0x80 : bytes[k];
    m->tensors[i].data = bytes;
}

TEST(selftest_of_files_is_what_they_give)
{
    static const struct {
        const char *options;
        double within;
        int spoilt;
    } forms[] = {{"onnx", 1e-5, ONNX_FLOAT},
                 {"onnx --front-end", 1e-4, ONNX_FLOAT},
                 {"onnx-int8 --front-end", 1e-4, ONNX_INT8},
                 {"onnx-int8 --quant dynamic", 0.01, ONNX_INT8}};
    arena a = {0};
    err e = {0};
    const char *path = arena_strdup(&a, recogniser_checkpoint(&setup, "a.h5", &a)), *out;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        EXPECT_INT(test_shell(&out, "%s export '%s' -o '%s/x.onnx' --overwrite --format %s --json",
                              test_kmidi(), path, test_dir(), forms[i].options),
                   0);
        EXPECT_HAS(out, "\"checked\": \"file read again and run, operation by operation\"");
        onnx_model *m = onnx_read(test_path("x.onnx"), &a, &e);
        if (!test_expect(m != NULL, __FILE__, __LINE__, "%s", e.text))
            return;
        double d = apart(m, &a);
        test_expect(d < forms[i].within, __FILE__, __LINE__, "%s: %g", forms[i].options, d);
        spoil(m, forms[i].spoilt, &a);
        d = apart(m, &a);
        test_expect(!(d < 0.03), __FILE__, __LINE__, "%s, changed: %g", forms[i].options, d);
    }
    arena_free(&a);
}

TEST(selftest_that_cannot_be_meant_is_refused)
{
#define INPUT(shape, value)                                                                        \
    "{\"inputs\": [{\"name\": \"x\", \"shape\": " shape ", \"value\": \"" value "\"}], "           \
    "\"outputs\": [{\"name\": \"y\", \"shape\": [2], \"values\": [1, 2]}], \"tolerance\": 0.1}"
    static const char *const wrong[] = {
        "",
        "[]",
        "{}",
        INPUT("[-1]", SELFTEST_WAVE),
        INPUT("[1, 2, 3, 1, 2, 3, 1, 2, 3]", SELFTEST_WAVE),
        INPUT("[3000000000, 3000000000]", SELFTEST_WAVE),
        INPUT("[2]", "i mod 0"),
        INPUT("[2]", "system(1)"),
        "{\"inputs\": [], \"outputs\": [], \"tolerance\": 1}",
    };
    arena a = {0};
    err e = {0};
    selftest_example x;
    model_meta meta = {.arena = &a};
    EXPECT_ERR(selftest_read(&meta, "f.onnx", &a, &x, &e), e, ERR_EMPTY, "carries no example");
    meta_set(&meta, "selftest", INPUT("[2, 3]", "i mod 4"));
    EXPECT_OK(selftest_read(&meta, "f.onnx", &a, &x, &e), e);
    EXPECT(x.n_in == 1 && x.in[0].x.i && x.in[0].x.i[5] == 1 && x.out[0].x.f[1] == 2);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        model_meta bad = {.arena = &a};
        meta_set(&bad, "selftest", wrong[i]);
        EXPECT_ERR(selftest_read(&bad, "f.onnx", &a, &x, &e), e, ERR_DAMAGED,
                   "'f.onnx': its 'selftest' is not an example");
    }
    arena_free(&a);
}
