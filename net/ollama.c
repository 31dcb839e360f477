// SPDX-License-Identifier: GPL-3.0-or-later
// ollama.c: /api/tags, /api/chat (ollama.h).
#include "net/ollama.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "net/http.h"

enum { PORT = 11434, TOKENS = 512, NAMES_SHOWN = 12 };
#define SECONDS     60.0
#define TEMPERATURE 0.7

// ---- Where it is

const char *ollama_url(arena *a, const char *host, err *e)
{
    const char *at = strstr(host, "://");
    const char *name = at ? at + 3 : host;
    size_t n = strcspn(name, "/");
    const char *end = memchr(name, ']', n),
               *colon = memchr(end ? end : name, ':', n - (size_t)((end ? end : name) - name));
    if (n == 0 || name[n + strspn(name + n, "/")] || strpbrk(name, " \t\r\n@?#\\") ||
        (at && !str_starts(host, "http://") && !str_starts(host, "https://")))
        return err_set(e, ERR_USAGE,
                       "'%.80s' is no host; write it as localhost:%d or http://HOST:PORT", host,
                       PORT),
               NULL;
    size_t bare = colon ? (size_t)(colon - name) : n;
    bool any =
        bare == 7 && !memcmp(name, "0.0.0.0", 7); // a server listens there, nobody asks there
    return arena_printf(a, "%.*s%.*s%s%.*s", at ? (int)(at + 3 - host) : 7, at ? host : "http://",
                        any ? 9 : (int)bare, any ? "127.0.0.1" : name,
                        colon || (at && str_starts(host, "https")) ? "" : ":11434",
                        colon ? (int)(n - bare) : 0, colon ? colon : "");
}

static bool number_of(const char *name, double fallback, double least, double most, double *x,
                      err *e)
{
    const char *s = getenv(name);
    char *end;
    *x = fallback;
    if (!s || !*s)
        return true;
    *x = strtod(s, &end);
    return (!*end && *x >= least && *x <= most) ||
           err_set(e, ERR_USAGE, "$%s is a number from %g to %g, not '%.40s'", name, least, most,
                   s);
}

static const char *named(const char *given, const char *variable, const char *fallback)
{
    const char *own = getenv(variable);
    return given ? given : own && *own ? own : fallback;
}

// ---- What it says

static json *ask(ollama_host *h, const char *path, const char *body, int *status, err *e)
{
    http_answer got = {0};
    http_question q = {.url = arena_printf(h->arena, "%s%s", h->url, path),
                       .body = body,
                       .seconds = h->seconds,
                       .env = h->env};
    h->asked++;
    json *j = NULL;
    if (http_ask(&q, &got, e)) {
        j = json_parse(got.body.s ? got.body.s : "", got.body.len, e);
        if (!j)
            err_trail(e, "'%s' answers with what is no JSON", q.url);
    }
    const char *why = json_str(json_get(j, "error"), NULL);
    *status = got.status;
    if (j && (got.status != 200 || why)) {
        err_set(e, ERR_VALUE, "'%s' answers %d: %.200s", q.url, got.status,
                why ? why : "no reason given");
        json_free(j), j = NULL;
    }
    strbuf_free(&got.body);
    return j;
}

// "mistral" is "mistral:latest".
static bool is_model(const char *listed, const char *name)
{
    size_t n = strlen(name);
    return !strncmp(listed, name, n) && (!listed[n] || !strcmp(listed + n, ":latest"));
}

static bool choose_model(ollama_host *h, const json *tags, bool any, err *e)
{
    const json *list = json_get(tags, "models");
    const char *first = NULL;
    strbuf all = {0};
    bool found = false;
    for (size_t i = 0; i < json_len(list); i++) {
        const char *name = json_str(json_get(json_at(list, i), "name"), NULL);
        if (!name)
            continue;
        first = first ? first : name;
        found = found || is_model(name, h->model);
        if (i < NAMES_SHOWN)
            strbuf_printf(&all, "%s%.60s", all.len ? ", " : "", name);
    }
    if (!found && any && first)
        h->model = arena_strdup(h->arena, first), found = true;
    if (!found)
        err_set(e, ERR_MISSING, "'%s' has no model '%.60s'; it has: %s", h->url, h->model,
                all.len ? all.s : "none");
    strbuf_free(&all);
    return found;
}

bool ollama_open(ollama_host *h, const ollama_wish *w, arena *a, const env *v, err *e)
{
    double tokens;
    *h = (ollama_host){.arena = a, .env = v};
    if (!(h->url = ollama_url(a, named(w->host, "OLLAMA_HOST", "localhost"), e)) ||
        !number_of("OLLAMA_TIMEOUT", SECONDS, 0.01, 3600, &h->seconds, e) ||
        !number_of("OLLAMA_TEMPERATURE", TEMPERATURE, 0, 10, &h->temperature, e) ||
        !number_of("OLLAMA_MAX_TOKENS", TOKENS, 1, 1e6, &tokens, e))
        return false;
    h->seconds = w->seconds > 0 ? w->seconds : h->seconds;
    h->tokens = (int)tokens;
    const char *model = named(w->model, "OLLAMA_MODEL", NULL);
    h->model = arena_strdup(a, model ? model : "mistral");
    int status;
    json *tags = ask(h, "/api/tags", NULL, &status, e);
    bool ok = tags && choose_model(h, tags, !model, e);
    json_free(tags);
    return ok;
}

// ---- A question

static json *message(const char *role, const char *text)
{
    json *j = json_object();
    json_set_str(j, "role", role);
    json_set_str(j, "content", text);
    return j;
}

static char *question(const ollama_host *h, const char *system, const char *text,
                      const json *schema, bool no_thinking)
{
    json *j = json_object(), *messages = json_array(), *options = json_object();
    json_push(messages, message("system", system));
    json_push(messages, message("user", text));
    json_set_num(options, "temperature", h->temperature);
    json_set_int(options, "num_predict", h->tokens);
    json_set_int(options, "seed", (int64_t)(h->seed & 0x7fffffff));
    json_set_str(j, "model", h->model);
    json_set(j, "messages", messages);
    json_set_bool(j, "stream", false);
    if (no_thinking)
        json_set_bool(j, "think", false);
    if (schema)
        json_set(j, "format", json_clone(schema));
    json_set(j, "options", options);
    strbuf out = {0};
    json_dump(j, 0, &out);
    json_free(j);
    return strbuf_keep(&out, h->arena);
}

static bool is_blank(const char *s)
{
    return !s[strspn(s, " \t\r\n")];
}

// The content of an answer; NULL with a sentence. *again: it may be better without `think`.
static const char *answer(ollama_host *h, const char *system, const char *text, const json *schema,
                          bool no_thinking, bool *again, err *e)
{
    int status;
    json *j = ask(h, "/api/chat", question(h, system, text, schema, no_thinking), &status, e);
    const json *m = json_get(j, "message");
    const char *content = json_str(json_get(m, "content"), "");
    *again = j || (status >= 400 && status != 404);
    if (j && is_blank(content)) {
        bool thought = !is_blank(json_str(json_get(m, "thinking"), ""));
        err_set(e, ERR_EMPTY, "'%s' answers nothing%s", h->model,
                thought ? ", all it wrote was thinking" : "");
        content = "";
    }
    const char *kept = j && !is_blank(content) ? arena_strdup(h->arena, content) : NULL;
    json_free(j);
    return kept;
}

json *ollama_unwrap(const char *content, err *e)
{
    const char *from = strchr(content, '{'), *to = strrchr(content, '}');
    if (!from || !to || to < from) {
        err_set(e, ERR_FORMAT, "there is no object in it");
        return NULL;
    }
    return json_parse(from, (size_t)(to - from) + 1, e);
}

json *ollama_json(ollama_host *h, const char *system, const char *text, const json *schema,
                  ollama_judge *is_right, void *user, err *e)
{
    bool again = true;
    for (int k = 0; k < 2 && again; k++) {
        const char *content = answer(h, system, text, schema, k == 0, &again, e);
        json *j = content ? ollama_unwrap(content, e) : NULL;
        if (j && is_right(j, user, e))
            return j;
        if (content)
            err_trail(e, "what '%s' answers is not as it was asked for", h->model);
        json_free(j);
    }
    return NULL;
}

const char *ollama_text(ollama_host *h, const char *system, const char *text, err *e)
{
    bool again = true;
    const char *content = NULL;
    for (int k = 0; k < 2 && again && !content; k++)
        content = answer(h, system, text, NULL, k == 0, &again, e);
    return content;
}
