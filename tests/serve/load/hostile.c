// SPDX-License-Identifier: GPL-3.0-or-later
// hostile.c: requests that no good client sends, drawn from a seed, a kind a function.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/rng.h"
#include "base/str.h"
#include "tests/serve/load/load.h"

enum { THREADS = 16, STATUSES = 600 };

typedef struct foe {
    int fd;
    rng dice;
    uint32_t number, draws;
} foe;

static uint32_t draw(foe *f, uint32_t below)
{
    return rng_below(f->dice, f->number, f->draws++, below);
}

static void say(foe *f, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t k = proc_send(f->fd, bytes, n);
        if (k <= 0)
            return;
        bytes += k, n -= (size_t)k;
    }
}

static void say_text(foe *f, const char *text)
{
    say(f, text, strlen(text));
}

static void nap(int ms)
{
    struct timespec t = {.tv_nsec = ms * 1000000L};
    nanosleep(&t, NULL);
}

static const char *const paths[] = {"/generate", "/interrogate", "/lyrics", "/spectocloud/render",
                                    "/predict"};

static const char *some_path(foe *f)
{
    return paths[draw(f, sizeof paths / sizeof *paths)];
}

static void say_post(foe *f, const char *path, const char *body, size_t n)
{
    strbuf b = {0};
    strbuf_printf(&b,
                  "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: "
                  "%zu\r\n\r\n",
                  path, strcmp(path, "/predict") ? "application/json" : "audio/wav", n);
    strbuf_add(&b, body, n);
    say(f, b.s, b.len);
    strbuf_free(&b);
}

// ---- Kinds

static void broken_json(foe *f)
{
    static const char *const texts[] = {
        "{",
        "[[[[[[[[[[[[[[[[",
        "{\"intent\":{\"emotional_intent\":\"\\ud800\"}}",
        "nul",
        "{\"intent\":{\"emotional_intent\":\"x\",\"technical\":{\"bars\":1e308}}}",
        "{\"intent\":{\"emotional_intent\":\"x\",\"technical\":{\"bpm\":-0.0}}}",
        "{\"a\":1,\"a\":2}",
        "\xff\xfe{}",
        "{\"message\":\"\\u0000\"}",
        "{\"plan\":{\"kmidi_plan\":1,\"plan\":{\"mode\":3,\"tempo_bpm\":1e9}}}",
        "{\"midi_events\":[{\"time\":1e18,\"note\":60}]}",
        "{\"midi_events\":[{\"time\":0,\"note\":60,\"duration\":3600}],\"duration\":0.01}"};
    const char *text = texts[draw(f, sizeof texts / sizeof *texts)];
    say_post(f, some_path(f), text, strlen(text));
}

static void mutated_json(foe *f)
{
    char text[] =
        "{\"intent\":{\"emotional_intent\":\"grief and joy\",\"technical\":{\"key\":\"Am\","
        "\"bpm\":90,\"progression\":[\"Am\",\"F\"],\"genre\":\"waltz\",\"bars\":2}},"
        "\"seed\":3,\"message\":\"hello\",\"lyrics\":\"la\",\"midi_events\":[{\"time\":0,"
        "\"note\":60}],\"duration\":1}";
    for (uint32_t i = 0, n = 1 + draw(f, 4); i < n; i++)
        text[draw(f, sizeof text - 1)] = (char)draw(f, 256);
    say_post(f, some_path(f), text, sizeof text - 1);
}

static void no_sound(foe *f)
{
    char bytes[4096];
    static const char *const heads[] = {
        "RIFF\xff\xff\xff\xffWAVEfmt ", "fLaC", "ID3\4", "OggS", "FORM", "\xff\xfb\x90"};
    const char *head = heads[draw(f, sizeof heads / sizeof *heads)];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)draw(f, 256);
    memcpy(bytes, head, strlen(head));
    say_post(f, "/predict", bytes, sizeof bytes);
}

static void huge_announced(foe *f)
{
    static const char *const lengths[] = {
        "99999999999", "18446744073709551616", "-1", "1e9", "0x10", "4294967296"};
    strbuf b = {0};
    strbuf_printf(&b,
                  "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                  "Content-Length: %s\r\n\r\n{}",
                  some_path(f), lengths[draw(f, sizeof lengths / sizeof *lengths)]);
    say(f, b.s, b.len);
    strbuf_free(&b);
}

static void huge_sent(foe *f)
{
    static const char block[65536];
    say_text(f, "POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 80; i++)
        say_text(f, "10000\r\n"), say(f, block, sizeof block), say_text(f, "\r\n");
    say_text(f, "0\r\n\r\n");
}

static void bad_chunks(foe *f)
{
    static const char *const chunks[] = {"zz\r\n{}\r\n", "ffffffffffffffff\r\n{}", "-2\r\n{}\r\n",
                                         "2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n", "2\r\n{}0\r\n"};
    say_text(f, "POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                "Transfer-Encoding: chunked\r\n\r\n");
    say_text(f, chunks[draw(f, sizeof chunks / sizeof *chunks)]);
}

static void path_trick(foe *f)
{
    static const char *const tricks[] = {"/../../../../etc/passwd",
                                         "/%2e%2e/%2e%2e/etc/passwd",
                                         "//etc/passwd",
                                         "/health%00.json",
                                         "/health/../generate",
                                         "http://evil.example/health",
                                         "*",
                                         "/predict?model=%ff%fe",
                                         "/predict?model=../../x",
                                         "/?a=b&a=c&&&=",
                                         "/%",
                                         "/%zz",
                                         "\\..\\..\\x"};
    strbuf b = {0};
    strbuf_printf(&b, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
                  tricks[draw(f, sizeof tricks / sizeof *tricks)]);
    say(f, b.s, b.len);
    strbuf_free(&b);
}

static void long_head(foe *f)
{
    strbuf b = {0};
    bool path = draw(f, 2);
    strbuf_printf(&b, "GET /%s", path ? "" : "health HTTP/1.1\r\nHost: localhost\r\nX: ");
    for (uint32_t i = 0, n = draw(f, 100000); i < n; i++)
        strbuf_add(&b, "a", 1);
    strbuf_printf(&b, "%s", path ? " HTTP/1.1\r\nHost: localhost\r\n\r\n" : "\r\n\r\n");
    say(f, b.s, b.len);
    strbuf_free(&b);
}

static void garbage(foe *f)
{
    char bytes[2048];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)draw(f, 256);
    say(f, bytes, draw(f, sizeof bytes));
    shutdown(f->fd, SHUT_WR);
}

static void bad_head(foe *f)
{
    static const char *const heads[] = {
        "GET /health HTTP/9.9\r\n\r\n",
        "GET  /health\r\n\r\n",
        "GET /health HTTP/1.1\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "\r\n\r\n\r\n",
        "GET /health HTTP/1.1\nHost: localhost\n\n",
        "GET /health HTTP/1.1\r\nHost: localhost\r\n"
        " folded\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: "
        "chunked\r\n\r\n{}",
        "POST /generate HTTP/1.1\r\nHost: localhost\r\nExpect: 1000\r\n\r\n",
        "POST /generate HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n\x1f\x8b",
        "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nOrigin: http://x\r\n\r\n",
        "TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "CONNECT evil:443 HTTP/1.1\r\n\r\n"};
    say_text(f, heads[draw(f, sizeof heads / sizeof *heads)]);
}

static void slow(foe *f)
{
    static const char text[] = "POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                               "application/json\r\nContent-Length: 50\r\n\r\n{\"intent\"";
    size_t n = draw(f, sizeof text);
    for (size_t i = 0; i < n; i++) {
        say(f, text + i, 1);
        if (i % 16 == 0)
            nap(5);
    }
}

static void half_closed(foe *f)
{
    static const char body[] = "{\"intent\":{\"emotion\":\"joy\",\"technical\":{\"bars\":2}}}";
    say_post(f, "/generate", body, sizeof body - 1);
    shutdown(f->fd, SHUT_WR);
}

// The connection is cut by a reset while the answer is made.
static void cut(foe *f)
{
    static const char body[] = "{\"intent\":{\"emotion\":\"joy\",\"technical\":{\"bars\":16}},"
                               "\"output_format\":\"all\"}";
    struct linger at_once = {.l_onoff = 1};
    say_post(f, "/generate", body, sizeof body - 1);
    nap((int)draw(f, 20));
    setsockopt(f->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

static void pipelined(foe *f)
{
    for (uint32_t i = 0, n = 1 + draw(f, 20); i < n; i++)
        say_text(f, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    say_post(f, "/interrogate", "{\"message\":\"x\"}", 15);
}

static void silent(foe *f)
{
    (void)f;
}

static const struct {
    const char *name;
    void (*act)(foe *f);
    bool waits; // for an answer
} kinds[] = {{"broken_json", broken_json, true},
             {"mutated_json", mutated_json, true},
             {"no_sound", no_sound, true},
             {"huge_announced", huge_announced, true},
             {"huge_sent", huge_sent, true},
             {"bad_chunks", bad_chunks, false},
             {"path_trick", path_trick, true},
             {"long_head", long_head, true},
             {"garbage", garbage, true},
             {"bad_head", bad_head, false},
             {"slow", slow, false},
             {"half_closed", half_closed, true},
             {"cut", cut, false},
             {"pipelined", pipelined, true},
             {"silent", silent, false}};
enum { KINDS = sizeof kinds / sizeof *kinds };

// ---- All of them

typedef struct army {
    int port, n;
    uint64_t seed;
    atomic_int next, by_status[STATUSES];
} army;

static int status_of(int fd, int seconds)
{
    char text[4096];
    int status = 0;
    size_t got = 0;
    struct timeval most = {.tv_sec = seconds};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    while (got < 12) {
        ssize_t k = recv(fd, text + got, sizeof text - 1 - got, 0);
        if (k <= 0)
            return 0;
        got += (size_t)k;
    }
    text[got] = 0;
    return sscanf(text, "HTTP/1.%*d %d", &status) == 1 && status < STATUSES ? status : 0;
}

static void *fight(void *user)
{
    army *a = user;
    for (int i; (i = atomic_fetch_add(&a->next, 1)) < a->n;) {
        foe f = {.fd = load_connect(a->port),
                 .number = (uint32_t)i,
                 .dice = rng_stream(a->seed, "hostile", 0)};
        uint32_t kind = draw(&f, KINDS);
        if (f.fd < 0)
            continue;
        kinds[kind].act(&f);
        if (kinds[kind].waits)
            atomic_fetch_add(&a->by_status[status_of(f.fd, 30)], 1);
        close(f.fd);
    }
    return NULL;
}

static int health(int port)
{
    foe f = {.fd = load_connect(port)};
    if (f.fd < 0)
        return 0;
    say_text(&f, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    int status = status_of(f.fd, 60);
    close(f.fd);
    return status;
}

int load_hostile(int port, int n, uint64_t seed)
{
    static army a;
    pthread_t threads[THREADS];
    a.port = port, a.n = n, a.seed = seed;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, fight, &a);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    int after = health(port);
    printf("{\"hostile\": %d, \"health\": %d, \"statuses\": {", n, after);
    for (int s = 0, some = 0; s < STATUSES; s++)
        if (a.by_status[s])
            printf("%s\"%d\": %d", some++ ? ", " : "", s, (int)a.by_status[s]);
    printf("}}\n");
    return after == 200 ? 0 : 1;
}
