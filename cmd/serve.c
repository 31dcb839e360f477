// SPDX-License-Identifier: GPL-3.0-or-later
// serve.c: the service of serve/http as a command: models opened and placed, the address said, and
// then it runs until somebody says stop.
#include <stdlib.h>

#include "base/hw.h"
#include "cmd/adapters.h"
#include "cmd/language.h"
#include "cmd/ranges.h"
#include "serve/http/service.h"
#include "train/products.h"

enum { WORKERS = 64, WAITING = 10000, CONNECTIONS = 10000, NAMES = CMD_OPTIONS };

static const option options[] = {
    {"listen", 'l', OPT_TEXT, "ADDRESS",
     "HOST:PORT in numbers (default 127.0.0.1:8000; port 0: any that is free)", false},
    {"token", 0, OPT_TEXT, "TEXT",
     "what clients must send as \"Authorization: Bearer TEXT\" (default $KMIDI_TOKEN); needed "
     "beyond loopback",
     false},
    {"origin", 0, OPT_TEXT, "URL",
     "pages from there may ask from within a browser, as http://localhost:1420", false},
    {"name", 0, OPT_TEXTS, "HOST", "another name that the service goes by in Host; again for more",
     false},
    {"folder", 0, OPT_TEXT, "DIR", "where /spectocloud/render may write the files it is told to",
     false},
    {"production", 0, OPT_FLAG, NULL,
     "/health says healthy, /emotions is an object: as the clients of KmiDi's production API "
     "expect it",
     false},
    {"workers", 0, OPT_INT, "N", "requests at the same time (default: one a core, at most 4)",
     false},
    {"queue", 0, OPT_INT, "N", "requests that may wait; beyond it 429 (default 64)", false},
    {"connections", 0, OPT_INT, "N", "connections at the same time (default 512)", false},
    {"time-limit", 0, OPT_NUM, "S", "that a request may take (default 60)", false},
    {"patience", 0, OPT_NUM, "S", "that a request may take to come (default 10)", false},
    {"max-body", 0, OPT_BYTES, "SIZE", "of a sound file (default 32MiB); JSON has 1MiB at most",
     false},
    LANGUAGE_OPTIONS,
    ADAPTER_OPTION,
    {0},
};

typedef struct order {
    cmd *c;
    shelf shelf;
    trained **models; // [c->n_args]
    ollama_wish language;
    const char **names;
    service_setup setup;
} order;

static const option_range ranges[] = {{"workers", 1, WORKERS},
                                      {"queue", 0, WAITING},
                                      {"connections", 1, CONNECTIONS},
                                      {"max-body", 1024, 1 << 30},
                                      {"time-limit", 0.1, 3600},
                                      {"patience", 0.1, 3600},
                                      {0}};

// ---- Models

// The model of that place, to be changed; NULL: there is none.
static trained *model_at_place(const order *o, shelf_place place)
{
    for (int i = 0; i < o->c->n_args; i++)
        if (o->models[i] == o->shelf.at[place])
            return o->models[i];
    return NULL;
}

static bool open_models(order *o, err *e)
{
    cmd *c = o->c;
    o->models = NEW(c->arena, trained *, (size_t)c->n_args + 1);
    for (int i = 0; i < c->n_args; i++) {
        o->models[i] = trained_open(c->args[i], c->arena, e);
        if (!o->models[i] || !shelf_put(&o->shelf, o->models[i], e))
            return false;
    }
    return adapters_of_music(c, model_at_place(o, SHELF_PLAYER), model_at_place(o, SHELF_MELODY),
                             e);
}

// ---- The service

// A model that is silent leaves the rules their turn within the time of a request.
static void take_language(order *o)
{
    const cmd *c = o->c;
    const char *own = getenv("OLLAMA_TIMEOUT");
    if (!option_given(c, "llm-timeout") && !(own && *own))
        o->language.seconds = o->setup.seconds / 3;
    o->setup.language = language_asked(c) ? &o->language : NULL;
}

static void take_setup(order *o)
{
    const cmd *c = o->c;
    const char *token = getenv("KMIDI_TOKEN");
    int cores = hw_cores();
    o->names = NEW(c->arena, const char *, NAMES + 1);
    for (int i = 0; i < NAMES && option_each(c, "name", i); i++)
        o->names[i] = option_each(c, "name", i);
    o->setup = (service_setup){
        .listen = option_text(c, "listen", "127.0.0.1:8000"),
        .token = option_text(c, "token", token && *token ? token : NULL),
        .origin = option_text(c, "origin", NULL),
        .names = o->names,
        .folder = option_text(c, "folder", NULL),
        .models = &o->shelf,
        .production = option_given(c, "production"),
        .workers = (int)option_int(c, "workers", cores < 4 ? cores : 4),
        .waiting = (int)option_int(c, "queue", 64),
        .connections = (int)option_int(c, "connections", 512),
        .seconds = option_num(c, "time-limit", 60),
        .patience = option_num(c, "patience", 10),
        .body = (uint64_t)option_int(c, "max-body", 32 << 20),
        .env = &o->c->env,
    };
    take_language(o);
}

static void say_ready(const order *o, const service *s)
{
    json *j = json_object(), *models = json_array();
    for (int i = 0; i < o->c->n_args; i++)
        json_push_str(models, o->models[i]->model->name);
    json_set_str(j, "url", service_url(s));
    json_set(j, "models", models);
    json_set_int(j, "workers", o->setup.workers);
    cmd_json(o->c, j);
    cmd_print(o->c, "%s: listening, %d models, %d workers; stop it by Ctrl-C", service_url(s),
              o->c->n_args, o->setup.workers);
}

static bool serve(order *o, err *e)
{
    service *s = service_open(&o->setup, e);
    if (s)
        say_ready(o, s);
    bool ok = s && service_run(s, e);
    service_close(s);
    return ok;
}

static bool run(cmd *c, err *e)
{
    order o = {.c = c};
    bool ok = ranges_hold(c, ranges, e) && language_wish(c, &o.language, e) &&
              products_open(&c->env, c->arena, e) && open_models(&o, e);
    take_setup(&o);
    ok = ok && serve(&o, e);
    for (int i = 0; o.models && i < c->n_args; i++)
        trained_close(o.models[i]);
    return ok;
}

const command cmd_serve = {
    .name = "serve",
    .summary = "Answers over HTTP: music from words, labels of sounds, clouds",
    .usage = "[--listen ADDRESS] [MODEL ...]",
    .options = options,
    .args_min = 0,
    .args_max = -1,
    .polls_stop = true,
    .details =
        "MODEL is a checkpoint or a run folder, of any of the networks; without any, music is "
        "made by rule. A browser finds a page to try it at the address, clients "
        "/openapi.json (docs/serve.md). SIGINT or SIGTERM: what runs is finished.",
    .example = "kmidi serve runs/melody runs/harmony runs/groove runs/dynamics runs/emotion\n"
               "kmidi serve --listen 0.0.0.0:8000 --token \"$TOKEN\"",
    .run = run,
};
