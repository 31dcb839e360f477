// SPDX-License-Identifier: GPL-3.0-or-later
// routes.c: what listens, remembers, asks a language model and draws.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "data/audio/clip.h"
#include "tests/cmd/recogniser.h"
#include "tests/net/server.h"
#include "tests/serve/http/served.h"
#include "tests/test.h"

static reply post(const char *path, const char *body)
{
    return served_ask("POST", path, "application/json", body);
}

static const char *text_of(const reply *r, const char *key)
{
    return json_str(json_get(r->json, key), "");
}

static void expect_same(const reply *r, const json *want, const char *key)
{
    strbuf a = {0}, b = {0};
    json_dump(json_get(r->json, key), 0, &a), json_dump(json_get(want, key), 0, &b);
    EXPECT_STR(a.s, b.s);
    strbuf_free(&a), strbuf_free(&b);
}

static void expect_note(const char *name, double seconds, const char *part)
{
    enum { MOST = 16000 };
    static float x[MOST];
    arena a = {0};
    err e = {0};
    size_t n;
    recogniser_sound(x, MOST, 1);
    EXPECT_OK(clip_write_wav(test_path(name), x, (int64_t)(seconds * 16000), 16000, &e), e);
    const char *bytes = file_read(&a, test_path(name), 1 << 20, &n, &e);
    reply r = served_with("POST", "/predict", "Content-Type: audio/wav\r\n", bytes, n);
    EXPECT_STR(json_str(json_at(json_get(r.json, "notes"), 0), ""), part);
    reply_free(&r);
    arena_free(&a);
}

// The same answer as the command's, to the last digit, and one sentence for what is no sound.
TEST(serve_hears_what_predict_hears)
{
    arena a = {0};
    err e = {0};
    const char *path = recogniser_checkpoint(&recogniser_ear, "ear.h5", &a), *out, *wav;
    EXPECT_INT(test_shell(NULL, "'%s' synth '%s' --items 1 --seconds 2 -q", test_kmidi(),
                          test_path("corpus")),
               0);
    wav = test_path("corpus/wav/00000.wav");
    EXPECT_INT(test_shell(&out, "'%s' predict '%s' '%s' --json -q", test_kmidi(), path, wav), 0);
    json *want = json_parse(out, strlen(out), &e);
    size_t n;
    const char *bytes = file_read(&a, wav, 1 << 20, &n, &e);
    if (!bytes || !served_start("ear.h5 --workers 1"))
        return;
    reply r = served_with("POST", "/predict", "Content-Type: audio/wav\r\n", bytes, n);
    EXPECT_INT(r.status, 200);
    static const char *const same[] = {"label", "probabilities", "valence", "arousal", "windows"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        expect_same(&r, want, same[i]);
    EXPECT_NEAR(json_num(json_get(r.json, "seconds"), 0), 2, 1e-6);
    EXPECT_STR(text_of(&r, "model"), "emotion_recognizer");
    reply_free(&r);
    expect_note("window.wav", 0.8, ""); // below a second, and longer than a window
    expect_note("brief.wav", 0.3, "shorter than the window of 0.60 s that the model learnt from");
    r = served_with("POST", "/predict?model=emotion_recognizr", "Content-Type: audio/wav\r\n",
                    bytes, n);
    EXPECT_INT(r.status, 409);
    EXPECT_HAS(reply_detail(&r), "did you mean 'emotion_recognizer'");
    reply_free(&r);
    r = served_with("POST", "/predict", "Content-Type: audio/wav\r\n", "RIFF", 4);
    EXPECT_INT(r.status, 422);
    EXPECT_HAS(reply_detail(&r), "the sound ");
    EXPECT(!strstr(reply_detail(&r), "/proc") && !strstr(reply_detail(&r), "/tmp"));
    reply_free(&r);
    r = served_with("POST", "/predict", "Content-Type: audio/wav\r\n", "", 0);
    EXPECT_HAS(reply_detail(&r), "the body is empty");
    reply_free(&r);
    EXPECT_INT(served_stop(SIGTERM), 0);
    json_free(want);
    arena_free(&a);
}

TEST(serve_without_an_ear_says_so)
{
    if (!served_start("--workers 1"))
        return;
    reply r = served_ask("POST", "/predict", "audio/wav", "RIFF");
    EXPECT_INT(r.status, 409);
    EXPECT_HAS(reply_detail(&r), "no model that listens is open");
    reply_free(&r);
    served_stop(SIGTERM);
}

// Two workers, so that what is kept is shared by processes.
TEST(serve_remembers_lyrics_and_talks)
{
    if (!served_start("--workers 2"))
        return;
    reply r = served_ask("GET", "/lyrics", NULL, NULL);
    EXPECT_STR(text_of(&r, "source"), "none");
    reply_free(&r);
    r = post("/lyrics", "{\"lyrics\":\"one two\\n\\nthree\",\"source\":\"user\"}");
    EXPECT_STR(text_of(&r, "status"), "success");
    EXPECT_INT(json_int(json_get(r.json, "lines"), 0), 2);
    EXPECT_INT(json_int(json_get(r.json, "word_count"), 0), 3);
    reply_free(&r);
    r = served_ask("GET", "/lyrics", NULL, NULL);
    EXPECT_STR(text_of(&r, "lyrics"), "one two\n\nthree");
    EXPECT_STR(text_of(&r, "source"), "user");
    reply_free(&r);
    for (int i = 0; i < 4; i++) { // whichever worker has it
        r = post("/generate", "{\"intent\":{\"emotion\":\"joy\",\"technical\":{\"bars\":1}}}");
        EXPECT_STR(json_str(json_get(json_get(r.json, "lyrics"), "source"), ""), "user");
        reply_free(&r);
    }
    r = post("/interrogate", "{\"message\":\"hello\",\"session_id\":\"ours\",\"context\":{}}");
    EXPECT_HAS(text_of(&r, "reply"), "What should somebody feel");
    EXPECT_STR(text_of(&r, "session_id"), "ours");
    reply_free(&r);
    r = post("/interrogate", "{\"message\":\"grief\",\"session_id\":\"ours\"}");
    EXPECT_HAS(text_of(&r, "reply"), "I hear grief");
    EXPECT_INT(json_int(json_get(r.json, "turns"), 0), 2);
    reply_free(&r);
    r = post("/interrogate", "{\"message\":\"a waltz in d minor\",\"session_id\":\"ours\"}");
    const json *plan = json_get(json_get(r.json, "understood"), "plan");
    EXPECT_STR(json_str(json_get(plan, "genre"), ""), "waltz");
    EXPECT_STR(json_str(json_get(plan, "root_note"), ""), "D");
    EXPECT(json_bool(json_get(r.json, "ready"), false));
    reply_free(&r);
    r = post("/interrogate", "{\"message\":\"hello\"}");
    EXPECT_INT(json_int(json_get(r.json, "turns"), 0), 1);
    EXPECT_INT(strlen(text_of(&r, "session_id")), 8);
    reply_free(&r);
    r = post("/interrogate", "{}");
    EXPECT_HAS(reply_detail(&r), "message is missing");
    reply_free(&r);
    r = post("/lyrics", "{\"text\":\"sad\"}");
    EXPECT_HAS(reply_detail(&r), "start 'kmidi serve' with --llm");
    reply_free(&r);
    EXPECT_INT(served_stop(SIGTERM), 0);
}

#define SAID(text) "{\"message\":{\"role\":\"assistant\",\"content\":\"" text "\"}}"

TEST(serve_asks_a_language_model)
{
    static const recorded list[] = {
        {"/api/tags", 200, "{\"models\":[{\"name\":\"mistral:latest\"}]}", 0, false},
        {"/api/chat", 200,
         SAID("{\\\"mood_primary\\\":\\\"nostalgia\\\",\\\"mood_secondary\\\":null,\\\"genre\\\":"
              "\\\"waltz\\\",\\\"tempo_feel\\\":\\\"slow\\\",\\\"key_suggestion\\\":\\\"minor\\\","
              "\\\"themes\\\":[\\\"autumn\\\"],\\\"rule_breaks\\\":[]}"),
         0, false},
        {"/api/chat", 200, SAID("Verse one"), 0, false},
        {"/api/chat", 200, SAID("Verse two"), 0, false},
        {"/api/chat", 500, "{}", 0, false}};
    char args[200];
    snprintf(args, sizeof args, "--workers 1 --llm-host %s", server_start(list, 5));
    if (!served_start(args))
        return;
    reply r = post("/generate", "{\"intent\":{\"emotional_intent\":\"das alte Haus\",\"technical\":"
                                "{\"bars\":2}},\"lyrics\":true}");
    EXPECT_INT(r.status, 200);
    const json *result = json_get(r.json, "result");
    EXPECT_STR(json_str(json_get(result, "by"), ""), "ollama mistral");
    EXPECT_STR(json_str(json_get(json_get(result, "plan"), "genre"), ""), "waltz");
    EXPECT_STR(json_str(json_get(json_get(r.json, "lyrics"), "text"), ""), "Verse one");
    // The plan again: nothing is read, and lyrics are written all the same.
    strbuf again = {0};
    strbuf_printf(&again, "{\"lyrics\":true,\"plan\":");
    json_dump(result, 0, &again);
    strbuf_add(&again, "}", 1);
    reply second = post("/generate", again.s);
    EXPECT_INT(second.status, 200);
    EXPECT_STR(json_str(json_get(json_get(second.json, "lyrics"), "text"), ""), "Verse two");
    strbuf_free(&again), reply_free(&second);
    reply_free(&r);
    // From here on the model fails, and the rules go on.
    r = post("/generate",
             "{\"intent\":{\"emotional_intent\":\"grief\",\"technical\":{\"bars\":2}}}");
    EXPECT_STR(json_str(json_get(json_get(r.json, "result"), "by"), ""), "rules");
    EXPECT_HAS(json_str(json_at(json_get(r.json, "notes"), 0), ""), "the rules read the words");
    reply_free(&r);
    // It is not to be asked, and so there is nobody to write them.
    r = post("/generate", "{\"intent\":{\"emotional_intent\":\"grief\",\"technical\":{\"bars\":2}},"
                          "\"llm\":false,\"lyrics\":true}");
    EXPECT_STR(json_str(json_get(json_get(r.json, "lyrics"), "source"), ""), "none");
    EXPECT_HAS(json_str(json_at(json_get(r.json, "notes"), 0), ""), "llm is false; there are none");
    reply_free(&r);
    r = post("/interrogate", "{\"message\":\"grief\"}");
    EXPECT_STR(text_of(&r, "source"), "rules");
    EXPECT(json_get(r.json, "note") != NULL);
    reply_free(&r);
    EXPECT_INT(served_stop(SIGTERM), 0);
    server_stop();
}

// ---- Clouds

#define EVENTS                                                                                     \
    "\"midi_events\":[{\"time\":0,\"type\":\"note_on\",\"note\":60,\"velocity\":90},{\"time\":0."  \
    "5,"                                                                                           \
    "\"type\":\"note_on\",\"note\":62,\"velocity\":85},{\"time\":1.5,\"type\":\"note_off\","       \
    "\"note\":62}],\"duration\":2"

static void expect_400(const char *body, const char *part)
{
    reply r = post("/spectocloud/render", body);
    EXPECT_INT(r.status, 400);
    EXPECT_HAS(reply_detail(&r), part);
    reply_free(&r);
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *s = text; (s = strstr(s, part)); s += strlen(part))
        n++;
    return n;
}

TEST(serve_draws_clouds)
{
    char args[400];
    EXPECT_INT(test_shell(NULL, "mkdir '%s' && ln -s /etc/passwd '%s'", test_path("pictures"),
                          test_path("pictures/away.svg")),
               0);
    snprintf(args, sizeof args, "--workers 1 --folder %s", test_path("pictures"));
    if (!served_start(args))
        return;
    reply r = post("/spectocloud/render", "{" EVENTS ",\"emotion_trajectory\":[{\"time\":0,"
                                          "\"valence\":0.5},{\"time\":1,\"valence\":0.7}]}");
    EXPECT_INT(r.status, 200);
    EXPECT_STR(text_of(&r, "mode"), "static");
    EXPECT_STR(text_of(&r, "by"), "rule");
    EXPECT_INT(json_int(json_get(r.json, "frames"), 0), 10);
    EXPECT_NEAR(json_num(json_get(r.json, "valence"), 0), 0.6, 1e-9);
    EXPECT_INT(json_type(json_get(r.json, "output_path")), JSON_NULL);
    EXPECT_INT(count(text_of(&r, "svg"), "<circle cx"), 2 * 1200);
    EXPECT_INT(count(text_of(&r, "svg"), "<circle class=\"anchor\""), 100);
    reply_free(&r);
    // some are lit where a picture stands still, none where it moves
    r = post("/spectocloud/render",
             "{" EVENTS ",\"frame_idx\":4,\"n_particles\":600,\"anchor_density\":\"sparse\"}");
    size_t part = count(text_of(&r, "svg"), "<circle cx");
    EXPECT(part > 300 && part < 2 * 600);
    EXPECT_INT(count(text_of(&r, "svg"), "<circle class=\"anchor\""), 50);
    EXPECT(count(text_of(&r, "svg"), " r=\"2.0\" opacity=\"0.15\"/>") < 50);
    reply_free(&r);
    r = post("/spectocloud/render",
             "{" EVENTS ",\"mode\":\"animation\",\"anchor_density\":\"dense\"}");
    EXPECT_INT(count(text_of(&r, "svg"), " r=\"2.0\" opacity=\"0.15\"/>"), 253);
    reply_free(&r);
    static const char one[] = "{" EVENTS "}";
    r = served_with("POST", "/spectocloud/render",
                    "Content-Type: application/json\r\nAccept: application/json, image/svg+xml\r\n",
                    one, sizeof one - 1);
    EXPECT_HAS(text_of(&r, "svg"), "<svg");
    reply_free(&r);
    r = served_with("POST", "/spectocloud/render",
                    "Content-Type: application/json\r\nAccept: image/svg+xml\r\n", one,
                    sizeof one - 1);
    EXPECT_HAS(r.head.s, "Content-Type: image/svg+xml");
    EXPECT_HAS(r.body.s, "<svg");
    reply_free(&r);
    r = post("/spectocloud/render",
             "{" EVENTS ",\"mode\":\"animation\",\"output_path\":\"a.svg\",\"fps\":8}");
    EXPECT_INT(r.status, 200);
    EXPECT_HAS(text_of(&r, "output_path"), "/pictures/a.svg");
    EXPECT(file_exists(test_path("pictures/a.svg")));
    reply_free(&r);
    expect_400("{" EVENTS ",\"output_path\":\"/etc/a.svg\"}", "output_path is not allowed");
    expect_400("{" EVENTS ",\"output_path\":\"../a.svg\"}", "output_path is not allowed");
    expect_400("{" EVENTS ",\"output_path\":\"away.svg\"}", "output_path is not allowed");
    expect_400("{" EVENTS ",\"output_path\":\"a.png\"}", "call it NAME.svg");
    expect_400("{\"midi_file_path\":\"away.svg\"}", "midi_file_path is not allowed");
    expect_400("{\"midi_file_path\":\"none.mid\"}", "there is no such file");
    expect_400("{" EVENTS ",\"fps\":0}", "fps is a number from 1 to 240, and is 0");
    expect_400("{" EVENTS ",\"mode\":\"moving\"}", "mode is one of static|animation");
    expect_400("{\"midi_events\":[],\"duration\":1}", "midi_events cannot be empty");
    expect_400("{\"midi_events\":[{\"time\":0}]}", "midi_events, event 0: note is missing");
    expect_400("{\"midi_events\":[{\"time\":0,\"note\":128}]}", "note is a number from 0 to 127");
    expect_400("{\"midi_events\":[{\"time\":0,\"note\":1,\"type\":\"note_off\"}]}", "no note_on");
    EXPECT_INT(served_stop(SIGTERM), 0);
}
