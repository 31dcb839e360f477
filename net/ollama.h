// SPDX-License-Identifier: GPL-3.0-or-later
// ollama.h: a local language model by Ollama's API: which models there are, and one answer, as text
// or as JSON of a schema.
//
//     ollama_host h;
//     ollama_open(&h, &(ollama_wish){.host = NULL, .model = NULL}, &a, &env, e)
//     json *j = ollama_json(&h, system, user, schema, is_right, user_data, e);
//
// Where nothing is named: $OLLAMA_HOST (http://localhost:11434), $OLLAMA_MODEL (mistral; where that
// is not there, the first that is), $OLLAMA_TIMEOUT (60 s), $OLLAMA_TEMPERATURE (0.7),
// $OLLAMA_MAX_TOKENS (512).
//
// What such a server answers is not believed. Known faults, and what is done:
//
//     thinking models leave the content empty and spend the tokens on thinking    think: false
//     some versions then ignore the schema (ollama 14850, 15260), others refuse   asked once more
//     models that cannot think                                                    without `think`
//     JSON in a ```json fence, or with words around it                             taken out
//     values that the schema forbids (ollama 8063)                                `is_right`
//     decides
//
// A server that is slow, cut off, redirects, or has no such model is asked once.
#ifndef KMIDI_NET_OLLAMA_H
#define KMIDI_NET_OLLAMA_H

#include "base/arena.h"
#include "base/env.h"
#include "base/err.h"
#include "base/json.h"

typedef struct ollama_wish {
    const char *host, *model; // NULL: the environment's, else the defaults
    double seconds;           // 0: the same
} ollama_wish;

typedef struct ollama_host {
    arena *arena;
    const env *env;
    const char *url, *model;
    double seconds, temperature;
    int tokens;    // at most, of an answer
    uint64_t seed; // of what it draws
    int asked;     // questions so far
} ollama_host;

// Asks which models there are. ERR_USAGE: a host or number that is none; ERR_MISSING: no such
// model, and those that are there; else as http_ask.
bool ollama_open(ollama_host *h, const ollama_wish *w, arena *a, const env *v, err *e) MUST_CHECK;
// "localhost", "http://box:11434/", "0.0.0.0" -> "http://localhost:11434" ...; NULL with ERR_USAGE.
const char *ollama_url(arena *a, const char *host, err *e) MUST_CHECK;

// The answer as an object for which is_right(j, user, e) holds; json_free it. NULL: the last of the
// two faults, as a sentence.
typedef bool ollama_judge(const json *j, void *user, err *e);
json *ollama_json(ollama_host *h, const char *system, const char *text, const json *schema,
                  ollama_judge *is_right, void *user, err *e) MUST_CHECK;
// The answer as text, owned by the arena; NULL with a sentence.
const char *ollama_text(ollama_host *h, const char *system, const char *text, err *e) MUST_CHECK;

// ---- For tests
// The object in an answer: fences and words around it taken off. NULL: there is none.
json *ollama_unwrap(const char *content, err *e) MUST_CHECK;

#endif
