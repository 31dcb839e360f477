// SPDX-License-Identifier: GPL-3.0-or-later
// service.h: music and answers over HTTP (docs/serve.md).
//
//     service *s = service_open(&(service_setup){.listen = "127.0.0.1:8000", .models = &shelf,
//                               .workers = 2, ...}, e);
//     ... service_url(s) ...
//     service_run(s, e)          until env says stop; then what is there is finished
//     service_close(s)
//
// What happens to a request, a file a stop: web.h reads it, door.h lets it in, route.h knows whose
// it is, queue.h hands it to a worker, a process with the models of shelf.h, whose routes/X.c makes
// the answer of it.
#ifndef KMIDI_SERVE_HTTP_SERVICE_H
#define KMIDI_SERVE_HTTP_SERVICE_H

#include "net/ollama.h"
#include "serve/http/shelf.h"

typedef struct service_setup {
    const char *listen;          // "127.0.0.1:8000"; beyond loopback there must be a token
    const char *token;           // NULL: none
    const char *origin;          // pages of which may ask; NULL: none
    const char *const *names;    // hosts that the service goes by, NULL behind the last
    const char *folder;          // where pictures may be written; NULL: nowhere
    const shelf *models;         //
    const ollama_wish *language; // NULL: rules alone
    bool production;             // the JSON of api/main.py where the two older services differ
    int workers, waiting;        // processes; requests in the queue
    int connections;             // at once
    double seconds, patience;    // that a request may take, and take to come
    uint64_t body;               // bytes of a sound at most; JSON: a mebibyte of it
    const env *env;
} service_setup;

typedef struct service service;

service *service_open(const service_setup *s, err *e) MUST_CHECK;
const char *service_url(const service *s);
// False: not all of what was under way could be finished within the time of a request.
bool service_run(service *s, err *e) MUST_CHECK;
void service_close(service *s); // accepts NULL

#endif
