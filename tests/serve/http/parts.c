// SPDX-License-Identifier: GPL-3.0-or-later
// parts.c: what a request passes on its way, without a server around it.
#include <stdio.h>
#include <string.h>

#include "serve/http/counts.h"
#include "serve/http/door.h"
#include "serve/http/encode.h"
#include "serve/http/fields.h"
#include "serve/http/gate.h"
#include "serve/http/kept.h"
#include "serve/http/parcel.h"
#include "serve/http/score.h"
#include "tests/test.h"

TEST(serve_gate_knows_numbers_and_names)
{
    static const char *const names[] = {"box.lan", NULL};
    static const struct {
        const char *host;
        bool known;
    } cases[] = {{"127.0.0.1:8000", true},
                 {"127.0.0.1", true},
                 {"[::1]:8000", true},
                 {"[::1]", true},
                 {"localhost", true},
                 {"LOCALHOST:1", true},
                 {"192.168.1.7:80", true},
                 {"box.lan:80", true},
                 {"BOX.lan", true},
                 {"evil.example", false},
                 {"", false},
                 {":80", false},
                 {"127.0.0.1.evil.com", false},
                 {"localhost.evil", false},
                 {"[::1", false},
                 {"[evil]", false},
                 {"a b", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        test_expect(gate_knows(cases[i].host, names) == cases[i].known, __FILE__, __LINE__,
                    "'%s' is %sknown", cases[i].host, cases[i].known ? "not " : "");
    EXPECT(!gate_knows("box.lan", NULL));
}

TEST(serve_door_knows_its_own_pages)
{
    static const char *const names[] = {"box.lan", NULL};
    static const struct {
        const char *host, *origin;
        bool own;
    } cases[] = {{"127.0.0.1:8000", "http://127.0.0.1:8000", true},
                 {"box.lan", "https://box.lan", true}, // a proxy has TLS for it
                 {"box.lan:8443", "HTTPS://BOX.lan:8443", true},
                 {"box.lan", "https://box.lan:8443", false},
                 {"box.lan", "https://evil.example", false},
                 {"box.lan", "https:/box.lan", false},
                 {"box.lan", "ftp://box.lan", false},
                 {"box.lan", "null", false}};
    door d = {.names = names};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        knock k = {"GET", "/health", cases[i].host, cases[i].origin, "", "", "", "", 0};
        admission in;
        answer a = {0};
        test_expect(door_open(&d, &k, "01234567", &in, &a) == cases[i].own, __FILE__, __LINE__,
                    "'%s' of '%s'", cases[i].origin, cases[i].host);
        answer_free(&a);
    }
}

TEST(serve_base64_is_that_of_the_rfc)
{
    static const char *const cases[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        strbuf b = {0};
        strbuf_add(&b, "", 0);
        encode_base64(cases[i][0], strlen(cases[i][0]), &b);
        EXPECT_STR(b.s ? b.s : "", cases[i][1]);
        strbuf_free(&b);
    }
}

TEST(serve_accept_names_a_file)
{
    EXPECT_INT(score_wanted("audio/wav"), SCORE_WAV);
    EXPECT_INT(score_wanted("audio/midi, audio/x-midi"), SCORE_MIDI);
    EXPECT_INT(score_wanted("application/json, audio/wav"), SCORE_JSON);
    EXPECT_INT(score_wanted("*/*"), SCORE_JSON);
    EXPECT_INT(score_wanted(""), SCORE_JSON);
    const char *rest = SCORE_FORMATS;
    char name[64];
    int f = 0;
    for (; str_name(&rest, name); f++)
        EXPECT_STR(score_name((score_format)f), name);
    EXPECT_INT(f, SCORE_ALL + 1);
}

TEST(serve_keeps_so_much_and_no_more)
{
    err e = {0};
    kept *k = kept_open(&e);
    kept_talk t;
    char name[32], long_line[KEPT_SAID], lyrics[KEPT_LYRICS + 1];
    EXPECT_OK(k != NULL, e);
    memset(long_line, 'x', sizeof long_line);
    long_line[sizeof long_line - 1] = 0;
    for (int i = 0; i < 9; i++)
        kept_say(k, "long", i == 0 ? "first" : long_line, &t);
    EXPECT(t.turns == 9 && strlen(t.said) <= KEPT_SAID && !strstr(t.said, "first"));
    for (int i = 0; i < KEPT_TALKS; i++) {
        snprintf(name, sizeof name, "talk %d", i);
        kept_say(k, name, "hello", &t);
        EXPECT_INT(t.turns, 1);
    }
    kept_say(k, "talk 1", "again", &t);
    EXPECT_STR(t.said, "hello\nagain\n");
    kept_say(k, "long", "anew", &t); // the one that was silent longest is forgotten
    EXPECT_STR(t.said, "anew\n");
    kept_say(k, "talk 0", "anew", &t);
    EXPECT_INT(t.turns, 1);
    kept_lyrics(k, lyrics);
    EXPECT_STR(lyrics, "");
    kept_lyrics_put(k, "\xc3\xa9");
    kept_lyrics(k, lyrics);
    EXPECT_STR(lyrics, "\xc3\xa9");
    kept_close(k);
}

static const char *a_method(int i)
{
    return i == 0 ? "GET" : "?";
}

static const char *a_path(int i)
{
    return i == 0 ? "/x" : "?";
}

TEST(serve_counts_for_prometheus)
{
    counts *c = counts_open(1, 2);
    strbuf b = {0};
    counts_request(c, 0, 200, 0.03);
    counts_request(c, 0, 200, 0.3);
    counts_request(c, -1, 404, 0.0001);
    counts_add(c, COUNTS_READY, 1);
    EXPECT(!counts_ready(c));
    counts_add(c, COUNTS_READY, 1);
    EXPECT(counts_ready(c));
    counts_print(c, a_method, a_path, &b);
    EXPECT_HAS(b.s, "kmidi_api_requests_total{method=\"GET\",path=\"/x\",status=\"200\"} 2\n");
    EXPECT_HAS(b.s, "kmidi_api_requests_total{method=\"any\",path=\"none\",status=\"404\"} 1\n");
    EXPECT_HAS(b.s, "path=\"/x\",le=\"0.025\"} 0\n");
    EXPECT_HAS(b.s, "path=\"/x\",le=\"0.05\"} 1\n");
    EXPECT_HAS(b.s, "path=\"/x\",le=\"+Inf\"} 2\n");
    EXPECT_HAS(b.s, "kmidi_api_request_seconds_sum{method=\"GET\",path=\"/x\"} 0.330000\n");
    EXPECT_HAS(b.s, "kmidi_api_workers_ready 2\n");
    counts_close(c);
    strbuf_free(&b);
}

// ---- To a worker

static const route *carried(job *j, asked *q, err *e)
{
    static parcel p;
    int count = 0;
    bool packed = parcel_pack(&p, &j, 1, e);
    const route *r = packed ? parcel_read(p.bytes, p.n, q, &count, e) : NULL; // files are there
    EXPECT_INT(count, packed);
    parcel_end(&p);
    return r;
}

TEST(serve_requests_reach_their_worker)
{
    arena a = {0};
    err e = {0};
    enum { LONG = 100000 };
    char *body = NEW(&a, char, LONG), *query = NEW(&a, char, 3000 + 1), allowed[64];
    memset(body, 'x', LONG), memset(query, ' ', 3000);
    static const int sizes[] = {0, 1, 8192, 8193, LONG};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        asked q = {.arena = &a};
        job j = {.route = route_find("POST", "/generate", allowed),
                 .id = "01234567",
                 .wants = "audio/wav",
                 .query = "{\"a\": \"b\"}",
                 .bytes = body,
                 .n = (size_t)sizes[i]};
        EXPECT_OK(carried(&j, &q, &e) == route_at(j.route), e);
        EXPECT(q.n == j.n && q.bytes && (!j.n || !memcmp(q.bytes, body, j.n)));
        EXPECT_STR(q.wants, "audio/wav");
        EXPECT_STR(json_str(json_get(q.query, "a"), ""), "b");
        json_free(q.query);
    }
    asked q = {.arena = &a};
    job j = {.query = query};
    EXPECT_ERR(carried(&j, &q, &e), e, ERR_VALUE, "what stands behind '?' is longer than 2999");
    query[2] = 0, memcpy(query, "{}", 2);
    j.route = route_find("POST", "/predict", allowed), j.bytes = body, j.n = 3;
    EXPECT_OK(carried(&j, &q, &e) && q.path && !q.bytes && q.n == 3, e);
    json_free(q.query);
    arena_free(&a);
}

// ---- Fields

static bool num_of(const char *text, double *x, err *e)
{
    json *j = json_parse(text, strlen(text), e);
    fields f = {j, "a."};
    *e = (err){0};
    bool ok = fields_num(&f, "n", 1, 9, x, e);
    json_free(j);
    return ok;
}

TEST(serve_fields_are_what_they_say)
{
    err e = {0};
    double x = 5;
    EXPECT_OK(num_of("{}", &x, &e) && num_of("{\"n\":null}", &x, &e), e);
    EXPECT_NEAR(x, 5, 0);
    EXPECT_OK(num_of("{\"n\":2.5}", &x, &e), e);
    EXPECT_NEAR(x, 2.5, 0);
    EXPECT_ERR(num_of("{\"n\":\"2\"}", &x, &e), e, ERR_VALUE, "a.n is a number from 1 to 9");
    EXPECT_ERR(num_of("{\"n\":10}", &x, &e), e, ERR_VALUE, "and is 10");
}
