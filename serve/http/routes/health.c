// SPDX-License-Identifier: GPL-3.0-or-later
// health.c: one answer that satisfies both readers there are: those of music_brain.api, which
// look for {"status": "ok", "version"}, and those of api/main.py, which look for "healthy" and for
// timestamp, services and system. Which word it is, the setup says.
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/hw.h"
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

// Kilobytes of a line of /proc/meminfo; 0 where there is none.
static double meminfo(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    double kb = 0;
    return at && sscanf(at + strlen(name), ": %lf", &kb) == 1 ? kb : 0;
}

// Of a system that has no /proc there is nothing to say: null, which readers know.
static json *system_json(void)
{
    char text[4096] = "", loads[64] = "";
    double load = 0;
    FILE *f = fopen("/proc/meminfo", "r"), *g = fopen("/proc/loadavg", "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (g && fgets(loads, sizeof loads, g))
        sscanf(loads, "%lf", &load);
    if (f)
        fclose(f);
    if (g)
        fclose(g);
    text[n] = 0;
    double all = meminfo(text, "MemTotal"), left = meminfo(text, "MemAvailable");
    if (all <= 0 || left <= 0)
        return NULL;
    json *j = json_object();
    double busy = 100 * load / (double)sysconf(_SC_NPROCESSORS_ONLN);
    json_set_num(j, "cpu_percent", busy < 100 ? busy : 100);
    json_set_num(j, "memory_percent", 100 * (1 - left / all));
    json_set_num(j, "memory_available_mb", left / 1024);
    return j;
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
    json_set(j, "system", system_json());
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
