// SPDX-License-Identifier: GPL-3.0-or-later
// route.c: the table, and what is the same for all of them (route.h).
#include "serve/http/route.h"

#include <stdio.h>
#include <string.h>

static const route *const routes[] = {
#define ROUTE(name) &route_##name,
#include "serve/http/routes/routes.def"
#undef ROUTE
};
enum { ROUTES = sizeof routes / sizeof *routes };

int route_count(void)
{
    return ROUTES;
}

const route *route_at(int i)
{
    return i >= 0 && i < ROUTES ? routes[i] : NULL;
}

// HEAD is GET whose body is not sent.
int route_find(const char *method, const char *path, char allowed[64])
{
    const char *as = strcmp(method, "HEAD") ? method : "GET";
    int found = -1;
    allowed[0] = 0;
    for (int i = 0; i < ROUTES; i++) {
        if (strcmp(routes[i]->path, path))
            continue;
        if (!strcmp(routes[i]->method, as))
            return i;
        snprintf(allowed + strlen(allowed), 64 - strlen(allowed), "%s%s", *allowed ? ", " : "",
                 routes[i]->method);
        found = -2;
    }
    return found;
}

static bool run_json(const route *r, asked *q, answer *a, err *e)
{
    json *body = json_parse(q->bytes ? q->bytes : "", q->n, e);
    bool ok = body && (json_type(body) == JSON_OBJECT ||
                       err_set(e, ERR_FORMAT, "the body is no object {...}"));
    q->body = body;
    ok = ok && r->run(q, a, e);
    json_free(body);
    q->body = NULL;
    return ok;
}

void route_answer(const route *r, asked *q, answer *a, int n)
{
    err e = {0};
    if (r->together) {
        r->together(q, a, n);
        return;
    }
    bool ok = r->takes == TAKES_JSON ? run_json(r, q, a, &e) : r->run(q, a, &e);
    if (!ok)
        answer_error(a, q->id, &e);
}
