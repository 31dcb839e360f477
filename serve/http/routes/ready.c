// SPDX-License-Identifier: GPL-3.0-or-later
// ready.c: whether all workers have begun: 503 until then, and while one is replaced.
#include "serve/http/route.h"

static bool run(asked *q, answer *a, err *e)
{
    const counts *c = q->house->counts;
    bool ready = counts_ready(c);
    json *j = json_object();
    (void)e;
    json_set_bool(j, "ready", ready);
    json_set_str(j, "status", ready ? "ready" : "not_ready");
    json_set_int(j, "workers", counts_workers(c));
    if (!ready)
        json_set_str(j, "detail", "workers are beginning");
    answer_json(a, j);
    a->status = ready ? 200 : 503;
    return true;
}

const route route_ready = {
    .method = "GET",
    .path = "/ready",
    .summary = "Whether requests would be answered now",
    .open = true,
    .gives = "{\"type\":\"object\",\"properties\":{\"ready\":{\"type\":\"boolean\"},\"status\":{"
             "\"type\":\"string\"},\"workers\":{\"type\":\"integer\"}}}",
    .run = run,
};
