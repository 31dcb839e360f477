// SPDX-License-Identifier: GPL-3.0-or-later
// attributes.c: what an index says besides is kept, whole or not at all, and is still an object
// when it comes back.
#include "data/readers/attributes.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/readers/reader.h"
#include "data/readers/rows.h"
#include "data/shards/shard.h"
#include "data/shards/shard_write.h"
#include "tests/test.h"

static const char *put(const char *name, const char *text)
{
    err e = {0};
    EXPECT_OK(file_write(test_path(name), text, strlen(text), &e), e);
    return test_path(name);
}

// Of each list only the name that was taken is left out.
TEST(attributes_are_what_was_not_taken)
{
    static const char *const taken[] = {"path|audio", "label|text", "split", NULL};
    static const struct {
        const char *all, *kept;
    } cases[] = {
        {"{\"path\": \"a\", \"label\": \"joy\"}", NULL},
        {"{}", NULL},
        {"{\"audio\": \"a\", \"take\": 3, \"tags\": [1, \"x\"]}",
         "{\"take\": 3, \"tags\": [1, \"x\"]}"},
        {"{\"path\": \"a\", \"audio\": \"b\", \"label\": null, \"text\": \"joy\", \"mic\": null}",
         "{\"audio\": \"b\"}"},
        {"{\"label\": \"joy\", \"text\": \"he said \\\"h\\u00e9\\\"\", \"split\": \"train\"}",
         "{\"text\": \"he said \\\"h\xc3\xa9\\\"\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        err e = {0};
        json *j = json_parse(cases[i].all, strlen(cases[i].all), &e);
        EXPECT_STR(attributes_of(&a, j, taken), cases[i].kept);
        json_free(j);
        arena_free(&a);
    }
}

TEST(attributes_are_bounded)
{
    arena a = {0};
    json *j = json_object();
    char *text = NEW(&a, char, ATTRIBUTES_BYTES + 1);
    memset(text, 'x', ATTRIBUTES_BYTES);
    text[ATTRIBUTES_BYTES - 9] = 0; // {"a": "..."} is exactly as long as it may be
    json_set_str(j, "a", text);
    const char *kept = attributes_text(&a, j);
    EXPECT_INT(strlen(kept), ATTRIBUTES_BYTES);
    EXPECT(attributes_ok(kept));
    EXPECT(!attributes_ok(arena_printf(&a, "%s ", kept)));
    j = json_object();
    text[ATTRIBUTES_BYTES - 9] = 'x', text[ATTRIBUTES_BYTES - 8] = 0;
    json_set_str(j, "a", text);
    kept = attributes_text(&a, j);
    EXPECT_STR(kept, "{\"left_out_bytes\": 16385}");
    EXPECT(attributes_ok("") && attributes_ok("{}") && !attributes_ok("[]") &&
           !attributes_ok("{") && !attributes_ok("{\"a\": \"\xff\"}"));
    arena_free(&a);
}

static void expect_rows(const char *path, const char *const *want, size_t n)
{
    static const char *const columns[] = {"path", NULL}, *const taken[] = {"path|midi", "label",
                                                                           NULL};
    arena a = {0};
    err e = {0};
    rows *r = rows_open(path, columns, &e);
    EXPECT_OK(r != NULL, e);
    for (size_t i = 0; r && i < n; i++) {
        EXPECT_INT(rows_next(r, &e), PULL_ONE);
        EXPECT_STR(rows_attributes(r, &a, taken), want[i]);
    }
    rows_close(r);
    arena_free(&a);
}

TEST(attributes_of_every_kind_of_index)
{
    expect_rows(put("a.csv", "path,label,year,note\na,joy,1999,\"x, y\"\nb,joy,,\nc,joy,,\xff\n"),
                (const char *const[]){"{\"year\": \"1999\", \"note\": \"x, y\"}", NULL, NULL}, 3);
    expect_rows(put("a.jsonl", "{\"path\": \"a\", \"year\": 1999}\n{\"path\": \"b\"}\n"),
                (const char *const[]){"{\"year\": 1999}", NULL}, 2);
    expect_rows(
        put("a.json",
            "{\"path\": {\"0\": \"a\", \"1\": \"b\"}, \"year\": {\"0\": 1999, \"1\": null}}"),
        (const char *const[]){"{\"year\": 1999}", NULL}, 2);
}

static shard *shard_with(const char *const *attributes, int n)
{
    static const float mel[4] = {1, 2, 3, 4};
    err e = {0};
    shard_info info = {
        .dataset = "test", .split = "train", .settings = "{\"mel\": {}}", .n_mels = 2};
    shard_writer *w = shard_create(test_path("a.h5"), &info, &e);
    for (int i = 0; i < n; i++) {
        shard_item item = {
            .mel = mel, .frames = 2, .label = -1, .path = "a", .attributes = attributes[i]};
        EXPECT_OK(shard_add(w, &item, &e), e);
    }
    EXPECT_OK(shard_finish(w, &e), e);
    shard *s = shard_open(test_path("a.h5"), &e);
    EXPECT_OK(s != NULL, e);
    return s;
}

// A dataset stands in the shard from the first item on that has any.
TEST(attributes_go_into_a_shard_and_come_back)
{
    arena a = {0};
    err e = {0};
    const char *const *texts;
    shard *s = shard_with((const char *const[]){NULL, NULL, "{\"pitch\": 60}", NULL}, 4);
    EXPECT_OK(shard_attributes(s, &a, &texts, &e), e);
    EXPECT(texts && !*texts[0] && !*texts[1] && !*texts[3]);
    EXPECT_STR(texts[2], "{\"pitch\": 60}");
    shard_close(s);
    s = shard_with((const char *const[]){NULL, NULL}, 2);
    EXPECT_OK(shard_attributes(s, &a, &texts, &e), e);
    EXPECT(!texts);
    shard_close(s);
    s = shard_with((const char *const[]){"[60]"}, 1); // from elsewhere
    EXPECT_ERR(shard_attributes(s, &a, &texts, &e), e, ERR_DAMAGED,
               "'attributes' is not an object");
    shard_close(s);
    const char *out;
    EXPECT_INT(test_shell(&out, "%s verify %s", test_kmidi(), test_path("a.h5")), 1);
    EXPECT_HAS(out, "'attributes' is not an object");
    arena_free(&a);
}

TEST(attributes_of_a_manifest_reach_the_shard)
{
    const char *out;
    err e = {0};
    arena a = {0};
    const char *const *texts;
    EXPECT_INT(test_shell(&out, "%s synth %s --items 2 --seconds 0.5", test_kmidi(), test_dir()),
               0);
    put("manifest.jsonl",
        "{\"path\": \"wav/00000.wav\", \"label\": \"joy\", \"text\": \"la la\", \"mic\": "
        "{\"gain\": 2}, \"split\": \"train\"}\n"
        "{\"path\": \"wav/00001.wav\", \"label\": \"joy\", \"split\": \"train\"}\n");
    EXPECT_INT(test_shell(&out, "%s prepare configs/data/audio_manifest.yaml --out %s/s root=%s",
                          test_kmidi(), test_dir(), test_dir()),
               0);
    shard *s = shard_open(test_path("s/train-00000.h5"), &e);
    if (!test_expect(s != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    EXPECT_OK(shard_attributes(s, &a, &texts, &e), e);
    EXPECT_STR(texts ? texts[0] : NULL, "{\"text\": \"la la\", \"mic\": {\"gain\": 2}}");
    EXPECT_STR(texts ? texts[1] : NULL, "");
    shard_close(s);
    EXPECT_INT(test_shell(&out, "%s inspect %s/s/train-00000.h5", test_kmidi(), test_dir()), 0);
    EXPECT_HAS(out, "mic                1");
    arena_free(&a);
}
