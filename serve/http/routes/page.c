// SPDX-License-Identifier: GPL-3.0-or-later
// page.c: the page to try the service (page.html), compiled in. It asks nothing of any other
// machine.
#include "serve/http/route.h"

static const unsigned char page[] = {
#include "page.inc"
};

static bool run(asked *q, answer *a, err *e)
{
    strbuf out = {0};
    (void)q, (void)e;
    strbuf_add(&out, (const char *)page, sizeof page);
    answer_file(a, "text/html; charset=utf-8", &out);
    return true;
}

const route route_page = {
    .method = "GET",
    .path = "/",
    .summary = "A page to try it",
    .open = true,
    .run = run,
};
