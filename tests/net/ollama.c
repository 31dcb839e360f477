// SPDX-License-Identifier: GPL-3.0-or-later
// ollama.c: the client of a local language model against recorded answers with every fault that is
// known of such servers.
#include "net/ollama.h"

#include <stdlib.h>
#include <string.h>

#include "compose/intent.h"
#include "compose/mood.h"
#include "net/http.h"
#include "tests/net/server.h"
#include "tests/test.h"

#define TAGS "{\"models\": [{\"name\": \"qwen3:4b\"}, {\"name\": \"mistral:latest\"}]}"
#define GOOD                                                                                       \
    "{\\\"mood_primary\\\": \\\"nostalgia\\\", \\\"mood_secondary\\\": \\\"grief\\\", "            \
    "\\\"genre\\\": "                                                                              \
    "\\\"waltz\\\", \\\"tempo_feel\\\": \\\"slow\\\", \\\"key_suggestion\\\": \\\"minor\\\", "     \
    "\\\"themes\\\": [\\\"home\\\", \\\"autumn\\\"], \\\"rule_breaks\\\": []}"
#define SAID(x) "{\"message\": {\"role\": \"assistant\", \"content\": \"" x "\"}, \"done\": true}"

static const env alone = {0};

static int count(const char *text, const char *part)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, part)) != NULL; p += strlen(part))
        n++;
    return n;
}

// What comes of the answers of /api/chat, at most two; how often it was asked in *asked.
static bool asked_for_intent(const recorded first, const recorded second, song_intent *out,
                             int *asked, err *e)
{
    arena a = {0};
    ollama_host h;
    const recorded list[] = {{"/api/tags", 200, TAGS, 0, false}, first, second};
    const char *url = server_start(list, 3);
    bool ok = ollama_open(&h, &(ollama_wish){.host = url, .seconds = 5}, &a, &alone, e);
    EXPECT_OK(ok, *e);
    EXPECT_STR(h.model, "mistral");
    h.seconds = 1;
    ok = ok && intent_ask(&h, "the old house", out, e);
    *asked = count(server_asked(), "POST /api/chat");
    server_stop();
    out->themes = NULL; // of the arena
    arena_free(&a);
    return ok;
}

TEST(ollama_reads_what_a_text_means)
{
    song_intent t = {0};
    err e = {0};
    int asked;
    const recorded good = {"/api/chat", 200, SAID(GOOD), 0, false};
    EXPECT_OK(asked_for_intent(good, good, &t, &asked, &e), e);
    EXPECT_INT(asked, 1);
    EXPECT_STR(mood_at(t.primary)->name, "nostalgia");
    EXPECT_STR(mood_at(t.secondary)->name, "grief");
    EXPECT_STR(genre_at(t.genre)->name, "waltz");
    EXPECT_INT(t.family, FAMILY_MINOR);
    EXPECT_NEAR(t.pace, 0.8, 0);
    EXPECT_INT(t.n_themes, 2);
    const char *said = server_asked();
    EXPECT_HAS(said, "\"stream\": false");
    EXPECT_HAS(said, "\"think\": false");
    EXPECT_HAS(said, "\"temperature\": 0.7");
    EXPECT_HAS(said, "\"num_predict\": 512");
    EXPECT_HAS(said, "\"format\": {");
    EXPECT_HAS(said, "the old house");
}

TEST(ollama_takes_fences_and_words_off)
{
    for (int k = 0; k < 2; k++) {
        song_intent t = {0};
        err e = {0};
        int asked;
        const recorded r = {
            "/api/chat", 200,
            k ? SAID("Here it is:\\n" GOOD " Enjoy!") : SAID("```json\\n" GOOD "\\n```"), 0, false};
        EXPECT_OK(asked_for_intent(r, r, &t, &asked, &e), e);
        EXPECT_INT(asked, 1);
    }
}

// Empty, all thinking, no JSON, values that the schema forbids, a refusal of `think`: once more,
// without it, and then the answer counts.
TEST(ollama_asks_once_more_without_think)
{
    static const recorded faults[] = {
        {"/api/chat", 200, SAID(""), 0, false},
        {"/api/chat", 200, "{\"message\": {\"content\": \" \", \"thinking\": \"hm, well\"}}", 0,
         false},
        {"/api/chat", 200, SAID("I think it is sad."), 0, false},
        {"/api/chat", 200, SAID("{\\\"mood_primary\\\": "), 0, false},
        {"/api/chat", 200, SAID("{\\\"mood_primary\\\": \\\"hangry\\\"}"), 0, false},
        {"/api/chat", 200, "{\"message\": 5}", 0, false},
        {"/api/chat", 400, "{\"error\": \"mistral does not support thinking\"}", 0, false}};
    const recorded good = {"/api/chat", 200, SAID(GOOD), 0, false};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        song_intent t = {0};
        err e = {0};
        int asked;
        EXPECT_OK(asked_for_intent(faults[i], good, &t, &asked, &e), e);
        EXPECT_INT(asked, 2);
        EXPECT_INT(count(server_asked(), "\"think\""), 1);
        EXPECT_INT(count(server_asked(), "\"format\": {"), 2);
        e = (err){0};
        EXPECT(!asked_for_intent(faults[i], faults[i], &t, &asked, &e));
        EXPECT_INT(asked, 2);
        EXPECT(e.text[0] && !strchr(e.text, '\n'));
    }
}

// What will not get better is asked once.
TEST(ollama_gives_up_on_a_server_that_fails)
{
    static const struct {
        recorded answer;
        err_code code;
        const char *says;
    } faults[] = {
        {{"/api/chat", 200, SAID(GOOD), 3, false}, ERR_TIMEOUT, "did not answer within 1 s"},
        {{"/api/chat", 200, SAID(GOOD), 0, true}, ERR_IO, "did not answer"},
        {{"/api/chat", 302, "http://127.0.0.1:1/", 0, false}, ERR_IO, "redirect (302)"},
        {{"/api/chat", 404, "{\"error\": \"model 'mistral' not found\"}", 0, false},
         ERR_VALUE,
         "404: model 'mistral' not found"},
        {{"/api/chat", 200, "not json at all", 0, false}, ERR_FORMAT, "is no JSON"}};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        song_intent t = {0};
        err e = {0};
        int asked;
        EXPECT_ERR(asked_for_intent(faults[i].answer, faults[i].answer, &t, &asked, &e), e,
                   faults[i].code, faults[i].says);
        EXPECT_INT(asked, 1);
    }
}

TEST(ollama_hosts_are_read)
{
    static const struct {
        const char *given, *url;
    } hosts[] = {{"localhost", "http://localhost:11434"}, {"http://box:80/", "http://box:80"},
                 {"https://box", "https://box"},          {"0.0.0.0", "http://127.0.0.1:11434"},
                 {"0.0.0.0:99", "http://127.0.0.1:99"},   {"[::1]:7", "http://[::1]:7"},
                 {"[::1]", "http://[::1]:11434"}};
    static const char *const none[] = {"",           "http://", "ftp://x",    "a b",
                                       "http://u@x", "x/y",     "file:///etc"};
    arena a = {0};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        err e = {0};
        const char *url = ollama_url(&a, hosts[i].given, &e);
        EXPECT_STR(url ? url : e.text, hosts[i].url);
    }
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        err e = {0};
        EXPECT(!ollama_url(&a, none[i], &e) && e.code == ERR_USAGE);
    }
    arena_free(&a);
}

TEST(ollama_says_which_models_there_are)
{
    arena a = {0};
    ollama_host h;
    err e = {0};
    const recorded tags = {"/api/tags", 200, TAGS, 0, false};
    const char *url = server_start(&tags, 1);
    EXPECT_ERR(ollama_open(&h, &(ollama_wish){url, "llama3.2:70b", 2}, &a, &alone, &e), e,
               ERR_MISSING, "has no model 'llama3.2:70b'; it has: qwen3:4b, mistral:latest");
    EXPECT_OK(ollama_open(&h, &(ollama_wish){url, "qwen3:4b", 2}, &a, &alone, &e), e);
    server_stop();
    e = (err){0};
    EXPECT(!ollama_open(&h, &(ollama_wish){url, NULL, 2}, &a, &alone, &e) && e.code == ERR_IO);
    arena_free(&a);
}

// The command: what came from the model is said, options win, a server that fails leaves the rules.
TEST(ollama_reads_words_for_compose)
{
    static const recorded list[] = {
        {"/api/tags", 200, TAGS, 0, false},
        {"/api/chat", 200, SAID(GOOD), 0, false},
        {"/api/chat", 200, SAID("Verse one\\nof the old house"), 0, false}};
    const char *out, *url = server_start(list, 3), *d = test_dir(), *k = test_kmidi();
    EXPECT_INT(test_shell(&out,
                          "%s compose das alte Haus --llm-host %s --bars 8 --key G -o %s/a.mid "
                          "--lyrics %s/a.txt --json",
                          k, url, d, d),
               0);
    EXPECT_HAS(out, "\"by\": \"ollama mistral\"");
    EXPECT_HAS(out, "\"primary\": \"nostalgia\"");
    EXPECT_HAS(out, "\"genre\": \"waltz\"");
    EXPECT_HAS(out, "\"autumn\"");
    EXPECT_HAS(out, "\"lyrics\": {\"source\": \"ollama mistral\"");
    EXPECT_INT(test_shell(&out,
                          "cat %s/a.txt; %s compose --plan %s/a.plan.json -o %s/b.mid && cmp "
                          "%s/a.mid %s/b.mid",
                          d, k, d, d, d, d),
               0);
    EXPECT_HAS(out, "Verse one\nof the old house\n");
    server_stop();
    EXPECT_INT(test_shell(&out,
                          "%s compose a sad song --llm-host %s --bars 2 -o %s/c.mid --lyrics "
                          "%s/c.txt --json",
                          k, url, d, d),
               0);
    EXPECT_HAS(out, "the rules read the words");
    EXPECT_HAS(out, "\"by\": \"rules\"");
    EXPECT_HAS(out, "\"primary\": \"grief\"");
    EXPECT_INT(test_shell(&out, "%s compose a sad song --llm-host 'a b' -o %s/d.mid", k, d), 2);
    EXPECT_INT(test_shell(&out, "%s compose a sad song --llm --llm-timeout 0 -o %s/d.mid", k, d),
               2);
    EXPECT_INT(test_shell(&out, "%s compose a sad song --lyrics %s/x.txt -o %s/d.mid", k, d, d), 2);
    EXPECT_HAS(out, "--llm");
}
