// SPDX-License-Identifier: GPL-3.0-or-later
// live.c: whether the server's thread runs.
#include "serve/http/route.h"

static bool run(asked *q, answer *a, err *e)
{
    json *j = json_object();
    (void)q, (void)e;
    json_set_bool(j, "alive", true);
    json_set_str(j, "status", "alive");
    answer_json(a, j);
    return true;
}

const route route_live = {
    .method = "GET",
    .path = "/live",
    .summary = "Whether the server runs",
    .open = true,
    .gives = "{\"type\":\"object\",\"properties\":{\"alive\":{\"type\":\"boolean\"},\"status\":{"
             "\"type\":\"string\"}}}",
    .run = run,
};
