// SPDX-License-Identifier: GPL-3.0-or-later
// reader.c: indexes as people write them, and as they should not.
#include "data/readers/reader.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "tests/test.h"

static reader *open_text(const char *text, bool outside)
{
    static char root[600];
    err e = {0};
    snprintf(root, sizeof root, "%s", test_dir());
    EXPECT_OK(file_write(test_path("manifest.jsonl"), text, strlen(text), &e), e);
    reader_options o = {.root = root, .outside = outside};
    reader *r = reader_open(reader_find("audio_manifest", &e), &o, &e);
    test_expect(r != NULL, __FILE__, __LINE__, "%s", e.text);
    return r;
}

TEST(reader_takes_manifests_as_people_write_them)
{
    err e = {0};
    reader_item i;
    reader *r = open_text("\xef\xbb\xbf{\"path\": \"a.wav\", \"label\": \"joy\", \"speaker\": 3, "
                          "\"split\": \"train\", \"extra\": [1]}\r\n"
                          "\n"
                          "  \t\n"
                          "{\"audio_filepath\": \"sub/b.wav\", \"emotion\": \"grief\", \"offset\": "
                          "1.5, \"duration\": 2, \"valence\": "
                          "-0.5, \"arousal\": 0.25}\n"
                          "{\"wav\": \"c.wav\", \"text\": \"calm\", \"label\": null, \"group\": "
                          "\"x\", \"intensity\": 0.5}\n"
                          "{\"audio\": \"\\u00e4\\ud834\\udd1e.wav\"}",
                          false);
    EXPECT_INT(reader_next(r, &i, &e), PULL_ONE);
    EXPECT_STR(i.path, "a.wav");
    EXPECT_STR(i.file, test_path("a.wav"));
    EXPECT_STR(i.label, "joy");
    EXPECT_STR(i.group, "3");
    EXPECT_STR(i.split, "train");
    EXPECT(isnan(i.valence));
    EXPECT_INT(i.line, 1);
    EXPECT_INT(reader_next(r, &i, &e), PULL_ONE);
    EXPECT_STR(i.label, "grief");
    EXPECT_NEAR(i.offset, 1.5, 0);
    EXPECT_NEAR(i.duration, 2, 0);
    EXPECT_NEAR(i.valence, -0.5, 0);
    EXPECT_INT(i.line, 4);
    EXPECT_INT(i.number, 1);
    EXPECT(i.split == NULL);
    EXPECT_INT(reader_next(r, &i, &e), PULL_ONE);
    EXPECT_STR(i.label, "calm");
    EXPECT_STR(i.group, "x");
    EXPECT_INT(reader_next(r, &i, &e), PULL_ONE);
    EXPECT_STR(i.path, "ä𝄞.wav");
    EXPECT(i.label == NULL);
    EXPECT_INT(reader_next(r, &i, &e), PULL_END);
    EXPECT_INT(e.code, ERR_NONE);
    reader_close(r);
}

TEST(reader_names_the_line_and_goes_on)
{
    static const struct {
        const char *line, *says;
    } bad[] = {
        {"{\"path\": \"a.wav\", \"label\":", "line"},
        {"[1, 2]", "not a JSON object"},
        {"\"text\"", "not a JSON object"},
        {"{\"label\": \"sad\"}", "no 'path'"},
        {"{\"path\": 7.5, \"label\": \"x\"}", "'path' must be a text"},
        {"{\"path\": \"a.wav\", \"label\": [\"x\"]}", "'label' must be a text"},
        {"{\"path\": \"\", \"label\": \"x\"}", "'path' is empty"},
        {"{\"path\": \"a.wav\", \"valence\": 2, \"arousal\": 0}",
         "'valence' must be a number from -1 to 1"},
        {"{\"path\": \"a.wav\", \"valence\": 0.5}", "only one of valence and arousal"},
        {"{\"path\": \"a.wav\", \"offset\": -1}", "'offset'"},
        {"{\"path\": \"a.wav\", \"duration\": \"long\"}", "'duration'"},
        {"{\"path\": \"a.wav\", \"split\": \"../x\"}", "split '../x'"},
        {"{\"path\": \"../../a.wav\"}", "leaves the dataset's folder"},
        {"{\"path\": \"sub/../../a.wav\"}", "leaves the dataset's folder"},
        {"{\"path\": \"/x/../../a.wav\"}", "leaves the dataset's folder"},
        {"{\"path\": \"a\\u0000.wav\"}", "line"},
        {"{\"path\": \"\xff\xfe.wav\"}", "line"},
        {"{\"path\": \"a.wav\", \"path\": \"b.wav\"}", "line"},
    };
    strbuf text = {0};
    err e = {0};
    reader_item i;
    size_t n = sizeof bad / sizeof *bad;
    for (size_t k = 0; k < n; k++)
        strbuf_printf(&text, "%s\n{\"path\": \"ok.wav\"}\n", bad[k].line);
    reader *r = open_text(text.s, false);
    for (size_t k = 0; k < n; k++) {
        EXPECT_INT(reader_next(r, &i, &e), PULL_BAD);
        EXPECT_HAS(e.text, bad[k].says);
        char line[32];
        snprintf(line, sizeof line, "line %zu:", 2 * k + 1);
        EXPECT_HAS(e.text, line);
        EXPECT_HAS(e.text, "manifest.jsonl");
        EXPECT_INT(reader_next(r, &i, &e), PULL_ONE);
        EXPECT_INT(i.number, k);
    }
    EXPECT_INT(reader_next(r, &i, &e), PULL_END);
    reader_close(r);
    strbuf_free(&text);
}

TEST(reader_lets_paths_out_where_that_is_meant)
{
    err e = {0};
    reader_item i;
    reader *r = open_text("{\"path\": \"/somewhere/a.wav\"}\n{\"path\": \"../a.wav\"}\n", true);
    EXPECT_INT(reader_next(r, &i, &e), PULL_ONE);
    EXPECT_STR(i.file, "/somewhere/a.wav");
    EXPECT_INT(reader_next(r, &i, &e), PULL_ONE);
    reader_close(r);
    arena a = {0};
    EXPECT(reader_resolve(&a, "/data/x", "/data/x/b.wav", false, &e) != NULL);
    EXPECT_STR(reader_resolve(&a, "/data/x", "/data/xy/b.wav", false, &e), "/data/xy/b.wav");
    EXPECT_ERR(reader_resolve(&a, "/data/x", "b/../../y.wav", false, &e), e, ERR_VALUE,
               "'b/../../y.wav' leaves");
    EXPECT(reader_resolve(&a, "/data/x", "a/./../b.wav", false, &e) != NULL);
    arena_free(&a);
}

TEST(reader_skips_a_line_without_end)
{
    enum { LONG = 3 << 20 };
    err e = {0};
    reader_item i;
    strbuf text = {0};
    strbuf_printf(&text, "{\"path\": \"");
    for (int k = 0; k < LONG / 64; k++)
        strbuf_add(&text, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 64);
    strbuf_printf(&text, "\"}\n{\"path\": \"a.wav\"}");
    reader *r = open_text(text.s, false);
    EXPECT_INT(reader_next(r, &i, &e), PULL_BAD);
    EXPECT_HAS(e.text, "line 1: the line is longer than");
    EXPECT_INT(reader_next(r, &i, &e), PULL_ONE);
    EXPECT_INT(i.line, 2);
    reader_close(r);
    strbuf_free(&text);
}

TEST(reader_refuses_an_index_that_is_none)
{
    err e = {0};
    reader_options o = {.root = test_dir(), .index = "gone.jsonl"};
    const reader_def *d = reader_find("audio_manifest", &e);
    EXPECT_ERR(reader_open(d, &o, &e), e, ERR_MISSING, "gone.jsonl");
    o.index = ".";
    EXPECT_ERR(reader_open(d, &o, &e), e, ERR_IO, "is a folder, a file is needed here");
    EXPECT_OK(file_write(test_path("empty.jsonl"), "", 0, &e), e);
    o.index = "empty.jsonl";
    EXPECT_ERR(reader_open(d, &o, &e), e, ERR_EMPTY, "empty.jsonl");
    o.root = NULL;
    EXPECT_ERR(reader_open(d, &o, &e), e, ERR_CONFIG, "root=");
    EXPECT_ERR(reader_find("audio_manifst", &e), e, ERR_CONFIG, "did you mean 'audio_manifest'");
    EXPECT(reader_guess(test_dir()) == NULL);
    EXPECT_OK(file_write(test_path("manifest.jsonl"), "{}", 2, &e), e);
    EXPECT_STR(reader_guess(test_dir())->name, "audio_manifest");
}

TEST(reader_of_the_synthetic_corpus_needs_no_files)
{
    err e = {0};
    reader_item i;
    clip c;
    reader_options o = {.items = 8, .seconds = 0.5, .seed = 4};
    reader *r = reader_open(reader_find("synth", &e), &o, &e);
    for (int k = 0; k < 8; k++) {
        EXPECT_INT(reader_next(r, &i, &e), PULL_ONE);
        EXPECT(i.file == NULL && i.synthetic && i.label && i.group && i.split);
    }
    EXPECT_INT(reader_next(r, &i, &e), PULL_END);
    EXPECT_OK(r->def->clip(&o, 3, &c, &e), e);
    EXPECT_INT(c.frames, 8000);
    clip_free(&c);
    reader_close(r);
}
