// SPDX-License-Identifier: GPL-3.0-or-later
// predict_cloud.c: clouds as files (data/music/cloud_write.h), what `kmidi predict` and `kmidi
// inspect` draw, and what they refuse.
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "data/music/cloud.h"
#include "data/music/cloud_write.h"
#include "tests/data/midi/midi_bytes.h"
#include "tests/test.h"

static int count(const char *text, const char *part)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, part)) != NULL; p += strlen(part))
        n++;
    return n;
}

// Point i at x = i / 1200, pure red, the rest 0.5.
static void fill(float *points)
{
    for (int i = 0; i < CLOUD_POINTS * CLOUD_WIDTH; i++)
        points[i] = 0.5f;
    for (int i = 0; i < CLOUD_POINTS; i++) {
        float *p = points + i * CLOUD_WIDTH;
        p[CLOUD_X] = (float)i / CLOUD_POINTS;
        p[CLOUD_RED] = 1, p[CLOUD_GREEN] = 0, p[CLOUD_BLUE] = -3;
    }
}

static float points[CLOUD_POINTS * CLOUD_WIDTH];

TEST(cloud_as_json_holds_all_numbers)
{
    strbuf out = {0};
    err e = {0};
    fill(points);
    points[CLOUD_WIDTH * 7 + CLOUD_DEPTH] = 0.25f;
    cloud_json(points, &out);
    json *j = json_parse(out.s, out.len, &e);
    EXPECT_OK(j != NULL, e);
    const json *places = json_get(j, "positions"), *rest = json_get(j, "properties");
    EXPECT_INT(json_int(json_get(j, "points"), 0), CLOUD_POINTS);
    EXPECT_INT(json_len(places), CLOUD_POINTS);
    EXPECT_INT(json_len(json_at(json_get(j, "colors"), 3)), 4);
    EXPECT_INT(json_len(rest), CLOUD_POINTS);
    EXPECT_NEAR(json_num(json_at(json_at(places, 600), 0), NAN), 0.5, 1e-5);
    EXPECT_NEAR(json_num(json_at(json_at(rest, 7), 2), NAN), 0.25, 1e-5);
    json_free(j);
    strbuf_free(&out);
}

TEST(cloud_as_ply_has_a_line_a_point)
{
    strbuf out = {0};
    fill(points);
    cloud_ply(points, &out);
    const char *body = strstr(out.s, "end_header\n");
    EXPECT_HAS(out.s, "ply\nformat ascii 1.0\n");
    EXPECT_HAS(out.s, "element vertex 1200\n");
    EXPECT_INT(count(out.s, "property "), 10);
    EXPECT_INT(count(body, "\n"), 1 + CLOUD_POINTS);
    EXPECT_HAS(body, "\n0.5 0.5 0.5 255 0 0 128 0.5 0.5 0.5\n");
    strbuf_free(&out);
}

TEST(cloud_as_svg_stands_alone)
{
    strbuf out = {0};
    fill(points);
    points[0] = 1e30f; // far outside: drawn at the edge
    cloud_svg(points, "a <b>\x01\xff.mid", "joy & sorrow", &out);
    EXPECT_HAS(out.s, "a &lt;b&gt;?\\xff.mid");
    EXPECT_HAS(out.s, "joy &amp; sorrow");
    EXPECT_INT(count(out.s, "<circle"), 2 * CLOUD_POINTS);
    EXPECT_INT(count(out.s, "#ff0000"), CLOUD_POINTS);
    EXPECT_INT(count(out.s, "<g "), count(out.s, "</g>"));
    EXPECT_INT(count(out.s, "<text"), count(out.s, "</text>"));
    EXPECT(!strstr(out.s, "e+") && !strstr(out.s, "nan"));
    strbuf_free(&out);
}

static int run(const char **out, const char *rest)
{
    return test_shell(out, "k=$(realpath %s); cd %s && $k %s 2>&1", test_kmidi(), test_dir(), rest);
}

#define EXPECT_SAYS(status, rest, text)                                                            \
    do {                                                                                           \
        const char *out_;                                                                          \
        EXPECT_INT(run(&out_, rest), status);                                                      \
        EXPECT_HAS(out_, text);                                                                    \
    } while (0)

// From a corpus to a cloud: two pieces, one step.
TEST(cloud_is_drawn_of_sound_and_of_midi)
{
    const char *yaml = "dataset: synth\nsynth: {items: 4, seconds: 2}\nsplit: {val: 0, test: 0}\n"
                       "features: [mel, midi_stats, points]\nmel: {n_mels: 128}\n",
               *train = "model: spectocloud_vit\ndata: {train: [set]}\n"
                        "train: {batch_size: 2, max_steps: 1}\n",
               *out;
    err e = {0};
    smf f = {0};
    EXPECT_OK(file_write(test_path("data.yaml"), yaml, strlen(yaml), &e), e);
    SMF_TRACK(&f, 0, SMF_NOTE(60, 96), 0, SMF_NOTE(72, 96));
    smf_write(&f, test_path("a.mid"));
    EXPECT_SAYS(0, "prepare data.yaml --out set", "4 items prepared");
    EXPECT_OK(file_write(test_path("run.yaml"), train, strlen(train), &e), e);
    EXPECT_SAYS(0, "train run.yaml --run-dir run", "done after 1");
    EXPECT_SAYS(0, "inspect set/train-00000.h5 --svg rule.svg --item 3", "rule.svg");
    EXPECT_SAYS(2, "inspect set/train-00000.h5 --svg rule.svg --item 4", "has 4 items");
    EXPECT_SAYS(0, "predict run a.mid -o clouds --emotion joy --json", "\"points\": 1200");
    EXPECT_INT(test_shell(&out, "cd %s && cat clouds/a.svg", test_dir()), 0);
    EXPECT_HAS(out, "valence +0.90, arousal +0.80");
    EXPECT_INT(
        test_shell(&out, "cd %s && wc -l < clouds/a.ply && wc -c < clouds/a.json", test_dir()), 0);
    EXPECT_HAS(out, "1215");
    // the same music as sound: what is beside it under its name is its MIDI
    EXPECT_SAYS(0, "synth corpus --items 1 --seconds 2 && mkdir s && mv corpus/wav/*.wav s/b.wav",
                "");
    EXPECT_SAYS(0, "predict run s/b.wav -o clouds", "no MIDI beside it");
    EXPECT_INT(test_shell(&out, "cd %s && cp a.mid s/b.mid", test_dir()), 0);
    EXPECT_INT(run(&out, "predict run s/b.wav -o clouds"), 0);
    EXPECT(!strstr(out, "no MIDI"));
    EXPECT_SAYS(2, "predict run a.mid --emotion nowhere", "nowhere");
    EXPECT_SAYS(1, "predict run data.yaml", "data.yaml");
}
