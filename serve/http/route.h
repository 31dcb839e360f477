// SPDX-License-Identifier: GPL-3.0-or-later
// route.h: what is answered under one method and path. One file and one line a route:
//
//  1. write serve/http/routes/X.c with one definition
//
//         const route route_X = {.method = "POST", .path = "/x", .summary = "Makes Y of Z",
//                                .takes = TAKES_JSON, .works = true, .asks = "{...}",
//                                .gives = "{...}", .run = run};
//
//  2. add its line ROUTE(X) to routes.def
//
// and it is answered, counted by /metrics, and described by /openapi.json. A route that works runs
// in a process of its own (queue.h): whatever hostile bytes do to a reader, and however long a
// piece takes, the server goes on. It has one request at a time; one that has `together` instead of
// `run`, up to ROUTE_TOGETHER that waited. The others are answered at once, by the server's thread,
// and must be short.
#ifndef KMIDI_SERVE_HTTP_ROUTE_H
#define KMIDI_SERVE_HTTP_ROUTE_H

#include "base/env.h"
#include "net/ollama.h"
#include "serve/http/answer.h"
#include "serve/http/bench.h"
#include "serve/http/counts.h"
#include "serve/http/kept.h"
#include "serve/http/pulse.h"
#include "serve/http/shelf.h"

typedef enum route_takes { TAKES_NOTHING, TAKES_JSON, TAKES_SOUND } route_takes;

// What all requests may look at. Of the parts that change, workers see none but `kept`.
typedef struct house {
    const shelf *models;
    const ollama_wish *language; // NULL: rules alone
    const char *folder;          // where pictures may be written; NULL: nowhere
    bool production;             // /health and /emotions as api/main.py has them
    const env *env;              // of a worker: whether the request shall end, too
    counts *counts;
    bench *bench; // of the process
    pulse *pulse; // of the server's thread
    kept *kept;   // shared by all processes
} house;

typedef struct asked {
    arena *arena; // of this request
    const house *house;
    const char *id;    // ANSWER_ID
    const char *wants; // the Accept header, "" where there is none
    json *query;       // an object of texts
    const char *bytes; // [n] as they came; NULL: none, or TAKES_SOUND
    size_t n;
    const char *path; // TAKES_SOUND: a file that holds them
    const json *body; // TAKES_JSON: an object
} asked;

enum { ROUTE_TOGETHER = LISTEN_MOST };

typedef struct route {
    const char *method, *path, *summary;
    route_takes takes;
    bool works;
    bool open;                // needs no token: says nothing that one would guard
    const char *asks, *gives; // JSON schemas of the body and of the answer, for /openapi.json
    bool (*run)(asked *q, answer *a, err *e);
    // n requests of one query, each with its answer; or, of several, with none (status 0) where it
    // takes so long that it should be asked alone
    void (*together)(asked *q, answer *a, int n);
} route;

#define ROUTE(name) extern const route route_##name;
#include "serve/http/routes/routes.def"
#undef ROUTE

const route *route_at(int i); // in the order of routes.def; NULL behind the last
int route_count(void);
// The place of a route; -1: no such path; -2: not by this method, and *allowed says by which.
int route_find(const char *method, const char *path, char allowed[64]);
// Reads what `takes` says of the bytes, runs it, and makes an answer of whatever comes of it.
// n > 1: of a route that takes several together.
void route_answer(const route *r, asked *q, answer *a, int n);

#endif
