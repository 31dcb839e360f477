// SPDX-License-Identifier: GPL-3.0-or-later
// answer.c: see answer.h.
#include "serve/http/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// All types that an answer may have: bytes from another process name one by its place here.
static const char *const types[] = {
    "application/json",
    "text/html; charset=utf-8",
    "text/plain; version=0.0.4; charset=utf-8",
    "audio/midi",
    "audio/wav",
    "image/svg+xml",
};
enum { TYPES = sizeof types / sizeof *types };

typedef struct packed {
    int32_t status, type;
    uint64_t n; // bytes of the body, which follows
} packed;

void answer_free(answer *a)
{
    strbuf_free(&a->body);
    *a = (answer){0};
}

void answer_json(answer *a, json *j)
{
    answer_free(a);
    a->status = 200, a->type = types[0];
    json_dump(j, 0, &a->body);
    json_free(j);
}

void answer_file(answer *a, const char *type, strbuf *bytes)
{
    answer_free(a);
    *a = (answer){.status = 200, .type = type, .body = *bytes};
    *bytes = (strbuf){0};
}

static void refuse(answer *a, int status, const char *id, const char *text)
{
    json *j = json_object();
    arena scratch = {.name = "answer"};
    json_set_str(j, "detail", str_utf8_escape(&scratch, text));
    json_set_int(j, "status_code", status);
    json_set_str(j, "request_id", id);
    answer_json(a, j);
    a->status = status;
    arena_free(&scratch);
}

void answer_refuse(answer *a, int status, const char *id, const char *fmt, ...)
{
    char text[1000];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    refuse(a, status, id, text);
}

static int status_of(err_code code)
{
    static const struct {
        err_code code;
        int status;
    } table[] = {{ERR_USAGE, 422},    {ERR_CONFIG, 422},  {ERR_VALUE, 422},   {ERR_FORMAT, 422},
                 {ERR_DAMAGED, 422},  {ERR_EMPTY, 422},   {ERR_MISSING, 409}, {ERR_MEMORY, 413},
                 {ERR_MISMATCH, 409}, {ERR_TIMEOUT, 504}, {ERR_STOPPED, 499}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].code == code)
            return table[i].status;
    return 500;
}

void answer_error(answer *a, const char *id, const err *e)
{
    refuse(a, status_of(e->code), id, e->text);
}

bool answer_wanted(const char *accept, const char *type)
{
    return strstr(accept, type) && !strstr(accept, "json") && !strstr(accept, "*/*");
}

void answer_pack(const answer *a, strbuf *out)
{
    packed head = {.status = a->status, .n = a->body.len};
    while (a->status && head.type < TYPES - 1 && strcmp(types[head.type], a->type))
        head.type++;
    strbuf_add(out, (const char *)&head, sizeof head);
    strbuf_add(out, a->body.s ? a->body.s : "", a->body.len);
}

size_t answer_unpack(const void *bytes, size_t n, answer *a)
{
    packed head;
    answer_free(a);
    if (n < sizeof head)
        return 0;
    memcpy(&head, bytes, sizeof head);
    if (head.type < 0 || head.type >= TYPES || head.n > n - sizeof head ||
        (head.status && (head.status < 100 || head.status > 599)))
        return 0;
    a->status = head.status, a->type = types[head.type];
    strbuf_add(&a->body, (const char *)bytes + sizeof head, (size_t)head.n);
    return sizeof head + (size_t)head.n;
}
