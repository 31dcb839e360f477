// SPDX-License-Identifier: GPL-3.0-or-later
// request.c (fuzz): the head of a request at the door, and its body in every route that reads JSON
// and needs no model; what comes of it is packed as for another process, and read again. The first
// byte chooses the route, the second the headers; lines before an empty one are headers' values.
#include <stdlib.h>
#include <string.h>

#include "serve/http/door.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { VALUES = 8 };

static const char *values[VALUES];

// The values' lines; where the body begins.
static char *take_head(char *text)
{
    for (int i = 0; i < VALUES; i++) {
        size_t n = strcspn(text, "\n");
        values[i] = text;
        text += n;
        if (*text)
            *text++ = 0;
    }
    return text;
}

static void knock_with(const char *method)
{
    static const char *const names[] = {"box.lan", NULL};
    door d = {.token = "a token of ours",
              .origin = "http://localhost:1420",
              .names = names,
              .json_most = 1000,
              .sound_most = 2000};
    knock k = {.method = method,
               .path = values[0],
               .host = values[1],
               .origin = values[2],
               .authorization = values[3],
               .type = values[4],
               .length = strtoull(values[5], NULL, 10),
               .transfer = values[6],
               .encoding = values[7]};
    admission in = {0};
    answer a = {0};
    bool ok = door_open(&d, &k, "01234567", &in, &a);
    CHECK(ok || (a.status >= 400 && a.body.len > 0));
    CHECK(!ok || in.preflight || route_at(in.route));
    answer_free(&a);
}

static void pack_again(const answer *a)
{
    strbuf b = {0};
    answer again = {0};
    answer_pack(a, &b);
    CHECK(answer_unpack(b.s, b.len, &again) && again.status == a->status &&
          again.body.len == a->body.len);
    answer_free(&again);
    strbuf_free(&b);
}

// A body of more than a few bars takes longer than a fuzzer waits: those that ask for them are
// passed over.
static bool is_short(const char *body)
{
    return !strstr(body, "all") && !strstr(body, "wav") && strlen(body) < 4096;
}

static void ask(const route *r, const char *body)
{
    static kept *memory_of_all;
    static bench bench_of_all;
    err e = {0};
    arena memory = {.name = "request"};
    env v = {0};
    shelf models = {0};
    answer a = {0};
    memory_of_all = memory_of_all ? memory_of_all : kept_open(&e);
    house h = {.models = &models, .env = &v, .kept = memory_of_all, .bench = &bench_of_all};
    json *query = json_object();
    asked q = {.arena = &memory,
               .house = &h,
               .id = "01234567",
               .wants = values[3],
               .query = query,
               .bytes = body,
               .n = strlen(body)};
    route_answer(r, &q, &a, 1);
    CHECK(a.status >= 200 && a.type);
    pack_again(&a);
    answer_free(&a), json_free(query), arena_free(&memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char *const methods[] = {"GET", "POST", "OPTIONS", "HEAD", "X"};
    if (n < 2)
        return 0;
    char *text = malloc(n);
    memcpy(text, bytes + 1, n - 1), text[n - 1] = 0;
    char *body = take_head(text);
    const route *r = route_at(bytes[0] % route_count());
    knock_with(methods[bytes[0] % 5]);
    if (r->takes == TAKES_JSON && is_short(body))
        ask(r, body);
    answer a = {0};
    answer_unpack(bytes, n, &a);
    answer_free(&a);
    free(text);
    return 0;
}
