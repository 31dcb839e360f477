// SPDX-License-Identifier: GPL-3.0-or-later
// service.c: the service as its clients see it: what it answers, what it refuses and why, and how
// it stops.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hw.h"
#include "data/midi/midi.h"
#include "tests/cmd/fresh.h"
#include "tests/serve/http/served.h"
#include "tests/test.h"

#define JSON_TYPE "application/json"

static reply generate(const char *body)
{
    return served_ask("POST", "/generate", JSON_TYPE, body);
}

static void expect_refused(const char *body, int status, const char *part)
{
    reply r = generate(body);
    EXPECT_INT(r.status, status);
    EXPECT_HAS(reply_detail(&r), part);
    EXPECT_INT(json_int(json_get(r.json, "status_code"), 0), status);
    reply_free(&r);
}

// As the clients of music_brain.api read it.
static void check_health(const char *word)
{
    reply r = served_ask("GET", "/health", NULL, NULL);
    EXPECT_INT(r.status, 200);
    EXPECT_STR(json_str(json_get(r.json, "status"), ""), word);
    EXPECT_STR(json_str(json_get(r.json, "version"), ""), "0.1.0");
    const json *brain = json_get(json_get(r.json, "services"), "music_brain");
    EXPECT(json_bool(json_get(brain, "available"), false));
    EXPECT(json_str(json_get(r.json, "timestamp"), NULL) != NULL);
    const json *system = json_get(r.json, "system");
    double left = 1048576 * json_num(json_get(system, "memory_available_mb"), 0),
           share = json_num(json_get(system, "memory_percent"), -1) / 100;
    EXPECT_NEAR(left, (1 - share) * (double)hw_memory(), 1e-6 * (double)hw_memory());
    EXPECT_HAS(r.head.s, "X-Request-ID: ");
    reply_free(&r);
}

TEST(serve_answers_as_the_older_services_do)
{
    if (!served_start("--workers 1"))
        return;
    check_health("ok");
    reply r = served_ask("GET", "/emotions", NULL, NULL);
    EXPECT_INT(json_type(r.json), JSON_ARRAY);
    bool sorted = json_len(r.json) > 20, grief = false;
    for (size_t i = 1; i < json_len(r.json); i++) {
        sorted = sorted &&
                 strcmp(json_str(json_at(r.json, i - 1), ""), json_str(json_at(r.json, i), "")) < 0;
        grief = grief || !strcmp(json_str(json_at(r.json, i), ""), "grief");
    }
    EXPECT(sorted && grief);
    reply_free(&r);
    r = served_ask("GET", "/live", NULL, NULL);
    EXPECT_INT(r.status, 200);
    reply_free(&r);
    r = served_ask("HEAD", "/health", NULL, NULL);
    EXPECT_INT(r.body.len, 0);
    reply_free(&r);
    EXPECT_INT(served_stop(SIGTERM), 0);

    if (!served_start("--workers 1 --production"))
        return;
    check_health("healthy");
    r = served_ask("GET", "/emotions", NULL, NULL);
    EXPECT_INT(json_len(json_get(r.json, "emotions")), json_int(json_get(r.json, "count"), 0));
    reply_free(&r);
    EXPECT_INT(served_stop(SIGINT), 0);
}

// ---- Its description

static bool described(const json *paths, const char *path, const char *field)
{
    const json *j = json_get(json_get(paths, path), "post");
    j = json_get(json_get(json_get(j, "requestBody"), "content"), JSON_TYPE);
    return json_get(json_get(json_get(j, "schema"), "properties"), field) != NULL;
}

TEST(serve_describes_what_it_takes)
{
    static const char *const fields[][2] = {
        {"/generate", "intent|output_format|seed|plan|player|models|llm|lyrics"},
        {"/interrogate", "message|session_id"},
        {"/lyrics", "lyrics|text"},
        {"/spectocloud/render",
         "midi_events|midi_file_path|audio_file_path|duration|emotion_trajectory|mode|frame_idx|"
         "output_path|fps|rotate|anchor_density|n_particles"}};
    char name[64];
    if (!served_start("--workers 1"))
        return;
    reply r = served_ask("GET", "/openapi.json", NULL, NULL);
    const json *paths = json_get(r.json, "paths");
    EXPECT_INT(r.status, 200);
    EXPECT_INT(json_len(paths), 13);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        for (const char *rest = fields[i][1]; str_name(&rest, name);)
            test_expect(described(paths, fields[i][0], name), __FILE__, __LINE__,
                        "%s: %s is not described", fields[i][0], name);
    reply_free(&r);
    served_stop(SIGTERM);
}

TEST(serve_generates_what_compose_would)
{
    fresh_model("melody.h5", "melody_transformer", NULL);
    fresh_model("groove.h5", "groove_predictor", NULL);
    if (!served_start("melody.h5 groove.h5 --workers 1"))
        return;
    reply r = generate("{\"intent\":{\"emotional_intent\":\"a melancholic ballad about loss\","
                       "\"technical\":{\"key\":\"Am\",\"bpm\":72,\"bars\":8,\"bmp\":1}},"
                       "\"output_format\":\"all\",\"seed\":3}");
    const json *result = json_get(r.json, "result"), *plan = json_get(result, "plan"),
               *parts = json_get(result, "parts"), *files = json_get(r.json, "files");
    EXPECT_INT(r.status, 200);
    EXPECT_STR(json_str(json_get(r.json, "status"), ""), "success");
    EXPECT_STR(json_str(json_get(json_get(result, "affect"), "primary"), ""), "grief");
    EXPECT_STR(json_str(json_get(plan, "root_note"), ""), "A");
    EXPECT_STR(json_str(json_get(plan, "mode"), ""), "aeolian");
    EXPECT_NEAR(json_num(json_get(plan, "tempo_bpm"), 0), 72, 0);
    EXPECT_INT(json_len(json_get(plan, "chord_symbols")), 8);
    EXPECT_STR(json_str(json_get(json_get(parts, "melody"), "by"), ""), "melody_transformer");
    EXPECT_STR(json_str(json_get(json_get(parts, "harmony"), "by"), ""), "rule");
    EXPECT_STR(json_str(json_get(json_get(r.json, "lyrics"), "source"), ""), "none");
    EXPECT_HAS(json_str(json_at(json_get(r.json, "ignored"), 0), ""), "did you mean 'bpm'?");
    EXPECT_HAS(json_str(json_get(json_get(files, "svg"), "text"), ""), "<svg");
    EXPECT_HAS(json_str(json_get(json_get(files, "midi"), "base64"), ""), "TVRoZA"); // MThd
    EXPECT_HAS(json_str(json_get(json_get(files, "wav"), "base64"), ""), "UklGR");   // RIFF
    // The result, given back, plays the same.
    strbuf again = {0};
    strbuf_printf(&again, "{\"output_format\":\"midi\",\"plan\":");
    json_dump(result, 0, &again);
    strbuf_add(&again, "}", 1);
    reply second = generate(again.s);
    EXPECT_STR(json_str(json_get(json_get(json_get(second.json, "files"), "midi"), "base64"), "x"),
               json_str(json_get(json_get(files, "midi"), "base64"), "y"));
    reply_free(&second);
    again.len--;
    strbuf_printf(&again, ",\"seed\":4}"); // by another seed
    second = generate(again.s);
    EXPECT_INT(json_int(json_get(json_get(second.json, "result"), "seed"), 0), 4);
    EXPECT(
        strcmp(json_str(json_get(json_get(json_get(second.json, "files"), "midi"), "base64"), ""),
               json_str(json_get(json_get(files, "midi"), "base64"), "")));
    strbuf_free(&again);
    reply_free(&r), reply_free(&second);
    EXPECT_INT(served_stop(SIGTERM), 0);
    EXPECT_HAS(served_log(), "POST /generate 200");
    EXPECT(!strstr(served_log(), "melancholic"));
}

TEST(serve_gives_files_as_they_are)
{
    arena a = {0};
    err e = {0};
    if (!served_start("--workers 1"))
        return;
    static const char body[] = "{\"intent\":{\"emotion\":\"joy\",\"technical\":{\"bars\":4,\"bpm\":"
                               "120}}}";
    reply r =
        served_with("POST", "/generate", "Content-Type: application/json\r\nAccept: audio/midi\r\n",
                    body, sizeof body - 1);
    EXPECT_INT(r.status, 200);
    EXPECT_HAS(r.head.s, "Content-Type: audio/midi");
    const midi_song *s = midi_parse(&a, "reply", r.body.s, r.body.len, &e);
    EXPECT_OK(s != NULL, e);
    EXPECT_NEAR(s ? s->seconds : 0, 8, 0.5);
    reply_free(&r);
    // The sound is the command's.
    r = served_with("POST", "/generate", "Content-Type: application/json\r\nAccept: audio/wav\r\n",
                    body, sizeof body - 1);
    EXPECT_HAS(r.head.s, "Content-Type: audio/wav");
    EXPECT_INT(test_shell(NULL,
                          "'%s' compose -q --emotion joy --bars 4 --tempo 120 -o '%s' --wav '%s' "
                          "--simple-tones",
                          test_kmidi(), test_path("joy.mid"), test_path("joy.wav")),
               0);
    size_t n = 0;
    const char *wav = file_read(&a, test_path("joy.wav"), 1 << 24, &n, &e);
    EXPECT(wav && n == r.body.len && !memcmp(wav, r.body.s, n));
    reply_free(&r);
    arena_free(&a);
    served_stop(SIGTERM);
}

TEST(serve_says_what_is_wrong)
{
    if (!served_start("--workers 1"))
        return;
    expect_refused("{", 422, "not valid JSON");
    expect_refused("[]", 422, "is no object");
    expect_refused("{}", 422, "intent is missing");
    expect_refused("{\"intent\":{}}", 422, "intent.emotional_intent is missing");
    expect_refused("{\"intent\":3}", 422, "intent is an object");
    expect_refused("{\"intent\":{\"emotional_intent\":7}}", 422, "emotional_intent is a text");
    expect_refused("{\"intent\":{\"emotion\":\"joyy\"}}", 422, "did you mean 'joy'");
    expect_refused("{\"intent\":{\"emotional_intent\":\"x\",\"technical\":{\"genre\":\"walz\"}}}",
                   422, "did you mean 'waltz'");
    expect_refused("{\"intent\":{\"emotional_intent\":\"x\",\"technical\":{\"key\":\"H#\"}}}", 422,
                   "'H#' is no key");
    expect_refused("{\"intent\":{\"emotional_intent\":\"x\",\"technical\":{\"bpm\":0}}}", 422,
                   "intent.technical.bpm is a number from 20 to 400, and is 0");
    expect_refused("{\"intent\":{\"emotional_intent\":\"x\",\"technical\":{\"bars\":10000}}}", 422,
                   "from 1 to 4096, and is 10000");
    expect_refused("{\"intent\":{\"emotional_intent\":\"x\",\"technical\":{\"progression\":[\"Am\","
                   "\"Q\"]}}}",
                   422, "chord 2: 'Q' is no chord");
    expect_refused("{\"intent\":{\"emotional_intent\":\"x\"},\"player\":true}", 409,
                   "no player is open");
    expect_refused("{\"intent\":{\"emotional_intent\":\"x\"},\"output_format\":\"midii\"}", 422,
                   "did you mean 'midi'");
    expect_refused("{\"plan\":{\"kmidi_plan\":1}}", 422, "plan: ");
    reply r = generate("{\"intent\":{\"emotional_intent\":\"\xe6\x82\xb2\xe3\x81\x97\xe3\x81\xbf "
                       "\xf0\x9f\x98\xa2\",\"technical\":{\"bars\":1,\"key\":null}}}");
    EXPECT_INT(r.status, 200);
    reply_free(&r);
    served_stop(SIGTERM);
}

TEST(serve_refuses_who_may_not_ask)
{
    if (!served_start("--workers 1 --token secret-of-ours --origin http://localhost:1420"))
        return;
    static const struct {
        const char *method, *path, *headers;
        int status;
    } cases[] = {
        {"GET", "/health", "", 200},
        {"GET", "/", "", 200},
        {"GET", "/emotions", "", 401},
        {"GET", "/emotions", "Authorization: Bearer secret-of-other\r\n", 401},
        {"GET", "/emotions", "Authorization: Bearer secret-of-ours\r\n", 200},
        {"GET", "/nothing", "Authorization: Bearer secret-of-ours\r\n", 404},
        {"GET", "/nothing", "", 401},
        {"GET", "/health", "Origin: http://evil.example\r\n", 403},
        {"GET", "/health", "Origin: null\r\n", 403},
        {"GET", "/health", "Origin: http://localhost:1420\r\n", 200},
        {"OPTIONS", "/generate", "Origin: http://localhost:1420\r\n", 204},
        {"OPTIONS", "/generate", "Origin: http://evil.example\r\n", 403},
        {"DELETE", "/health", "Authorization: Bearer secret-of-ours\r\n", 405},
        {"GET", "/../../etc/passwd", "Authorization: Bearer secret-of-ours\r\n", 404},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reply r = served_with(cases[i].method, cases[i].path, cases[i].headers, NULL, 0);
        test_expect(r.status == cases[i].status, __FILE__, __LINE__, "%s %s %s: %d, expected %d",
                    cases[i].method, cases[i].path, cases[i].headers, r.status, cases[i].status);
        bool cors = strstr(cases[i].headers, ":1420") != NULL;
        EXPECT(!r.head.s || cors == (strstr(r.head.s, "Access-Control-Allow-Origin") != NULL));
        reply_free(&r);
    }
    static const char rebound[] = "GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    reply r = served_raw(rebound, sizeof rebound - 1);
    EXPECT_INT(r.status, 403);
    reply_free(&r);
    EXPECT_INT(served_stop(SIGTERM), 0);
}

TEST(serve_takes_no_more_than_it_says)
{
    if (!served_start("--workers 1 --max-body 4KiB"))
        return;
    strbuf big = {0};
    for (int i = 0; i < 5000; i++)
        strbuf_add(&big, " ", 1);
    expect_refused(big.s, 413, "longer than 4.0 KiB");
    strbuf_free(&big);
    reply r = served_ask("POST", "/generate", "text/plain", "{}");
    EXPECT_INT(r.status, 415);
    reply_free(&r);
    r = served_ask("POST", "/generate", "application/x-www-form-urlencoded", "a=b");
    EXPECT_INT(r.status, 415);
    reply_free(&r);
    r = served_ask("GET", "/generate", NULL, NULL);
    EXPECT_INT(r.status, 405);
    EXPECT_HAS(r.head.s, "Allow: POST");
    reply_free(&r);
    served_stop(SIGTERM);
}

static void say(int fd, const char *text)
{
    served_send(fd, text, strlen(text));
}

// A header that comes a letter at a time, for as long as the service listens: never idle, never
// done.
static bool is_cut_off(int fd)
{
    struct timespec t = {.tv_nsec = 200000000};
    char c;
    say(fd, "GET /health HTTP/1.1\r\nX-Slow: ");
    for (int i = 0; i < 300; i++) {
        say(fd, "a");
        nanosleep(&t, NULL);
        ssize_t n = recv(fd, &c, 1, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK))
            return true;
    }
    return false;
}

// One that sends nothing, one that sends half, one that has closed its side: the others are served.
TEST(serve_waits_for_nobody)
{
    if (!served_start("--workers 1 --patience 1"))
        return;
    int silent = served_connect(), half = served_connect(), closed = served_connect();
    say(half, "POST /generate HTTP/1.1\r\nContent-Le");
    say(closed, "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    shutdown(closed, SHUT_WR);
    check_health("ok");
    reply r = served_read(closed);
    EXPECT_INT(r.status, 200);
    reply_free(&r);
    r = served_read(silent); // until the service ends the connection
    EXPECT_INT(r.status, 0);
    reply_free(&r);
    r = served_read(half);
    EXPECT_INT(r.status, 0);
    reply_free(&r);
    check_health("ok");
    int slow = served_connect();
    EXPECT(is_cut_off(slow));
    close(slow);
    EXPECT_INT(served_stop(SIGTERM), 0);
}

// ---- The command

static void expect_fails(const char *args, int status, const char *part)
{
    const char *out;
    EXPECT_INT(test_shell(&out, "D=%s; %s serve %s", test_dir(), test_kmidi(), args), status);
    EXPECT_HAS(out, part);
}

TEST(serve_refuses_to_begin)
{
    fresh_model("a.h5", "melody_transformer", NULL);
    fresh_model("b.h5", "melody_transformer", NULL);
    fresh_model("ear.h5", "emotion_recognizer", NULL);
    if (!served_start("--workers 1"))
        return;
    char args[128];
    snprintf(args, sizeof args, "--listen %s", served_host());
    expect_fails(args, 1, "is in use by another program");
    served_stop(SIGTERM);
    expect_fails("--listen here", 2, "is no address to listen at");
    expect_fails("--listen 127.0.0.1:70000", 2, "is no address to listen at");
    expect_fails("--listen 0.0.0.0:0", 2, "so a token is needed");
    expect_fails("--listen 192.0.2.1:0 --token long-enough", 1, "is no address of this machine");
    expect_fails("--listen 127.0.0.1:0 --token short", 2, "8 characters or more");
    expect_fails("--workers 0", 2, "--workers lies from 1 to 64");
    expect_fails("--listen 127.0.0.1:0 $D/a.h5 $D/b.h5", 1, "are both of melody_transformer");
    expect_fails("--listen 127.0.0.1:0 $D/ear.h5", 1, "no feature settings");
    expect_fails("--listen 127.0.0.1:0 $D/none.h5", 1, "none.h5");
    expect_fails("--listen 127.0.0.1:0 --adapter $D/x", 2, "name one");
}
