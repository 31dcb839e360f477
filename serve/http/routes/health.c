// SPDX-License-Identifier: GPL-3.0-or-later
// health.c: one answer that satisfies both readers there are: those of music_brain.api, which
// look for {"status": "ok", "version"}, and those of api/main.py, which look for "healthy" and for
// timestamp, services and system. Which word it is, the setup says.
#include <time.h>

#include "base/version.h"
#include "serve/http/route.h"

static void set_time(json *j)
{
    char text[40];
    time_t now = time(NULL);
    struct tm t;
    gmtime_r(&now, &t);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &t);
    json_set_str(j, "timestamp", text);
}

static void add_model(json *list, const trained *d, const char *part)
{
    if (!d)
        return;
    json *j = json_object();
    json_set_str(j, "name", d->model->name);
    json_set_str(j, "part", part);
    json_push(list, j);
}

static json *models_json(const shelf *s)
{
    json *list = json_array();
    for (int i = 0; i < SHELF_PLACES; i++)
        add_model(list, shelf_by(s, (shelf_place)i), shelf_part((shelf_place)i));
    for (int i = 0; i < s->n_ears; i++)
        add_model(list, s->ears[i], "ear");
    return list;
}

static json *services_json(const house *h)
{
    json *all = json_object(), *brain = json_object(), *language = json_object();
    json_set_bool(brain, "available", counts_ready(h->counts));
    json_set_str(brain, "version", KMIDI_VERSION);
    json_set_bool(language, "named", h->language != NULL);
    json_set(all, "music_brain", brain);
    json_set_bool(all, "api", true);
    json_set(all, "language_model", language);
    return all;
}

static bool run(asked *q, answer *a, err *e)
{
    const house *h = q->house;
    json *j = json_object();
    (void)e;
    bool ready = counts_ready(h->counts);
    json_set_str(j, "status", !h->production ? "ok" : ready ? "healthy" : "degraded");
    json_set_str(j, "version", KMIDI_VERSION);
    set_time(j);
    json_set(j, "services", services_json(h));
    json_set(j, "system", pulse_json(h->pulse));
    json_set(j, "models", models_json(h->models));
    json_set_num(j, "uptime_seconds", counts_seconds(h->counts));
    answer_json(a, j);
    return true;
}

const route route_health = {
    .method = "GET",
    .path = "/health",
    .summary = "That the service is there, what it stands on and which models it has",
    .open = true,
    .gives = "{\"type\":\"object\",\"required\":[\"status\",\"version\"],\"properties\":{"
             "\"status\":{\"type\":\"string\"},\"version\":{\"type\":\"string\"},"
             "\"timestamp\":{\"type\":\"string\"},\"services\":{\"type\":\"object\"},"
             "\"system\":{\"type\":[\"object\",\"null\"]},\"models\":{\"type\":\"array\"}}}",
    .run = run,
};
