// SPDX-License-Identifier: GPL-3.0-or-later
// exports.c (tests): what `kmidi export` says of what it wrote, whatever the format, and that it
// keeps what is there.
#include <math.h>
#include <string.h>

#include "tests/test.h"
#include "tests/train/corpus.h"

#define RUN(want, ...) EXPECT_INT(test_shell(&out, __VA_ARGS__), want)

static const char *make_run(void)
{
    const char *out, *d = test_dir(), *k = test_kmidi();
    corpus_make_songs(d, "dynamics_engine");
    RUN(0, "%s train '%s/dynamics_engine.yaml' --run-dir '%s/run' train.epochs=1 -q", k, d, d);
    return d;
}

// What --json says last; json_free it.
static json *said(const char *out)
{
    err e = {0};
    const char *line = strrchr(out, '{');
    json *j = line ? json_parse(line, strlen(line), &e) : NULL;
    test_expect(j != NULL, __FILE__, __LINE__, "no JSON in: %s", out);
    return j;
}

TEST(exports_say_how_far_they_are_from_f32)
{
    static const struct {
        const char *format;
        double difference; // at most, and more than nothing where it is not nought
        int64_t bytes;     // at most
    } formats[] = {{"onnx", 1e-6, 58000},      {"safetensors", 0, 56000},
                   {"pt", 0, 58000},           {"rtneural", 1e-6, 200000},
                   {"onnx-fp16", 1e-3, 30000}, {"onnx-int8", 2e-2, 18000}};
    const char *out, *d = make_run(), *k = test_kmidi();
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        RUN(0, "%s export '%s/run' --format %s -o '%s/x%zu' --data '%s/val-*.h5' --json -q", k, d,
            formats[i].format, d, i, d);
        json *j = said(out);
        double difference = json_num(json_get(j, "max_difference"), -1),
               loss = json_num(json_get(j, "loss"), -1),
               f32 = json_num(json_get(j, "loss_f32"), -2);
        EXPECT_STR(json_str(json_get(j, "format"), ""), formats[i].format);
        EXPECT_HAS(json_str(json_get(j, "checked"), ""), " read again and run");
        EXPECT(difference >= 0 && difference <= formats[i].difference);
        EXPECT((difference > 0) == (formats[i].difference > 0));
        EXPECT(loss > 0 && (fabs(loss - f32) > 1e-6 * f32) == (formats[i].difference > 1e-5));
        EXPECT_NEAR(loss, f32, 0.02 * f32);
        EXPECT(json_int(json_get(j, "bytes"), 0) > 14000 &&
               json_int(json_get(j, "bytes"), 0) <= formats[i].bytes);
        json_free(j);
    }
    RUN(0, "%s export '%s/run' --format pt -o '%s/y.pt' --data '%s/val-*.h5'", k, d, d, d);
    EXPECT_HAS(out, "output of an example off by 0 at most");
    EXPECT_HAS(out, " in f32, ");
}

// The file's own network, from frames on, behind a probe of its own or none, and behind no past.
TEST(exports_are_judged_by_the_network_in_the_file)
{
    static const char *const heard[] = {"onnx --front-end", "onnx-int8 --front-end",
                                        "onnx --no-probe", "onnx-int8 --quant dynamic", "rtneural"};
    const char *out, *d = test_dir(), *k = test_kmidi();
    corpus_make(d);
    RUN(0, "%s train '%s/config.yaml' --run-dir '%s/heard' train.epochs=2 -q", k, d, d);
    for (size_t i = 0; i < sizeof heard / sizeof *heard; i++) {
        RUN(0, "%s export '%s/heard' -o '%s/x%zu' --data '%s/val-*.h5' --json -q --format %s", k, d,
            d, i, d, heard[i]);
        json *j = said(out);
        double loss = json_num(json_get(j, "loss"), -1),
               f32 = json_num(json_get(j, "loss_f32"), -2);
        EXPECT_NEAR(loss, f32, strstr(heard[i], "int8") ? 0.02 : 1e-5);
        EXPECT_INT(json_int(json_get(j, "items"), 0), 9);
        json_free(j);
    }
    corpus_make_songs(d, "emotion_midi_transformer");
    RUN(0,
        "%s train '%s/emotion_midi_transformer.yaml' --run-dir '%s/player' transformer.layers=2 "
        "transformer.dim=32 transformer.heads=2 transformer.ffn=48 train.epochs=1 -q",
        k, d, d);
    RUN(0, "%s export '%s/player' -f onnx --with-past -o '%s/y' --data '%s/val-*.h5' --json -q", k,
        d, d, d);
    json *j = said(out);
    EXPECT_STR(json_str(json_get(j, "checked"), ""),
               "file read again and run, operation by operation, in one step and in two");
    EXPECT_NEAR(json_num(json_get(j, "loss"), -1), json_num(json_get(j, "loss_f32"), -2), 1e-5);
    json_free(j);
}

TEST(exports_keep_what_is_there)
{
    const char *out, *d = make_run(), *k = test_kmidi();
    RUN(0, "echo kept >'%s/x.pt'", d);
    RUN(2, "%s export '%s/run' --format pt -o '%s/x.pt'", k, d, d);
    EXPECT_HAS(out, "x.pt' is there already; add --overwrite to replace it, or name another");
    RUN(0,
        "test \"$(cat '%s/x.pt')\" = kept && %s export '%s/run' --format pt -o '%s/x.pt' "
        "--overwrite",
        d, k, d, d);
    RUN(0, "%s verify '%s/x.pt' && cp -a '%s/x.pt' '%s/was.pt'", k, d, d, d);
    RUN(2, "%s export '%s/run' --format onnx -o '%s/x.pt'", k, d, d);
    RUN(0, "cmp '%s/x.pt' '%s/was.pt'", d, d);
    // a folder with something in it, and one with nothing
    RUN(0,
        "%s train '%s/dynamics_engine.yaml' --run-dir '%s/adapted' train.epochs=1 -q "
        "lora.base='%s/run' lora.r=2 lora.target_modules=all-linear",
        k, d, d, d);
    RUN(0, "mkdir '%s/mine' && %s export '%s/adapted' --format adapter -o '%s/mine' --json", d, k,
        d, d);
    json *j = said(out);
    EXPECT_BELOW(json_num(json_get(j, "max_difference"), 1), 1e-6);
    EXPECT(json_int(json_get(j, "bytes"), 0) > 2000);
    json_free(j);
    RUN(2, "%s export '%s/adapted' --format adapter -o '%s/mine'", k, d, d);
    EXPECT_HAS(out, "mine' is there already");
}
