// SPDX-License-Identifier: GPL-3.0-or-later
// openapi.c: the description of all routes, OpenAPI 3.1, out of their own definitions.
#include <ctype.h>
#include <string.h>

#include "base/version.h"
#include "serve/http/route.h"

static json *schema_of(const char *text)
{
    err e = {0};
    json *j = json_parse(text, strlen(text), &e);
    CHECK(j != NULL);
    return j;
}

static json *content(const char *type, json *schema)
{
    json *media = json_object(), *j = json_object();
    json_set(media, "schema", schema);
    json_set(j, type, media);
    return j;
}

static json *described(const char *text, json *content_or_null)
{
    json *j = json_object();
    json_set_str(j, "description", text);
    if (content_or_null)
        json_set(j, "content", content_or_null);
    return j;
}

static json *answers(const route *r)
{
    json *j = json_object();
    static const char error[] = "{\"type\":\"object\",\"required\":[\"detail\"],\"properties\":{"
                                "\"detail\":{\"type\":\"string\"},\"status_code\":{\"type\":"
                                "\"integer\"},\"request_id\":{\"type\":\"string\"}}}";
    json_set(j, "200",
             described("Done", r->gives ? content("application/json", schema_of(r->gives)) : NULL));
    json_set(j, "default",
             described("A sentence in detail says what is wrong",
                       content("application/json", schema_of(error))));
    return j;
}

static json *body_of(const route *r)
{
    json *j = json_object();
    json_set_bool(j, "required", true);
    json_set(j, "content",
             r->takes == TAKES_JSON
                 ? content("application/json", schema_of(r->asks))
                 : content("application/octet-stream",
                           schema_of("{\"type\":\"string\",\"format\":\"binary\"}")));
    return j;
}

static void add_route(json *paths, const route *r)
{
    char method[8] = "";
    json *o = json_object();
    for (size_t i = 0; r->method[i] && i < sizeof method - 1; i++)
        method[i] = (char)tolower((unsigned char)r->method[i]);
    if (!json_get(paths, r->path))
        json_set(paths, r->path, json_object());
    json_set_str(o, "summary", r->summary);
    if (r->takes != TAKES_NOTHING)
        json_set(o, "requestBody", body_of(r));
    json_set(o, "responses", answers(r));
    json_set((json *)json_get(paths, r->path), method, o);
}

static bool run(asked *q, answer *a, err *e)
{
    json *j = json_object(), *info = json_object(), *paths = json_object();
    (void)q, (void)e;
    json_set_str(info, "title", "kmidi serve");
    json_set_str(info, "version", KMIDI_VERSION);
    for (int i = 0; i < route_count(); i++)
        add_route(paths, route_at(i));
    json_set_str(j, "openapi", "3.1.0");
    json_set(j, "info", info);
    json_set(j, "paths", paths);
    answer_json(a, j);
    return true;
}

const route route_openapi = {
    .method = "GET",
    .path = "/openapi.json",
    .summary = "This description",
    .open = true,
    .run = run,
};
