// SPDX-License-Identifier: GPL-3.0-or-later
// door.h: who may ask, and what: the head of a request, held against the rules, before its body is
// read. Plain texts in, a refusal or none out.
//
//     Host           must be known (gate.h): 403
//     Origin         must be this service's own (what Host says, by http, or by https where a proxy
//                    stands before it), or the one that was named: 403
//     Authorization  "Bearer TOKEN", where there is a token, but for routes that say nothing: 401
//     path, method   must be a route's: 404, 405
//     Content-Type   JSON as application/json, sound as audio/... or application/octet-stream: 415.
//                    No forms: libmicrohttpd's reader of them is broken in 0.9.75 (CVE-2023-27371)
//                    and is never called
//     length         of a body, at most so many bytes: 413
//     Transfer-Encoding  chunked or none: 501; where such a body ends, nobody here can tell, so it
//                    is refused before it comes
//     Content-Encoding   none: 415
#ifndef KMIDI_SERVE_HTTP_DOOR_H
#define KMIDI_SERVE_HTTP_DOOR_H

#include "serve/http/route.h"

typedef struct door {
    const char *token;        // NULL: none is asked for
    const char *origin;       // of pages elsewhere that may ask; NULL: none
    const char *const *names; // that the service goes by (gate_knows)
    size_t json_most, sound_most;
} door;

typedef struct knock { // "" where a header is not there
    const char *method, *path, *host, *origin, *authorization, *type, *transfer, *encoding;
    uint64_t length; // that is announced; 0: nothing, or not
} knock;

typedef struct admission {
    int route; // as route_find; set in any case
    char allowed[64];
    bool preflight; // a named page asks whether it may: 204
    bool from_origin;
} admission;

bool door_endless(const knock *k); // a body in an encoding that is not known
// False: `a` is the refusal.
bool door_open(const door *d, const knock *k, const char *id, admission *in, answer *a);
bool door_fits(const door *d, const route *r, uint64_t n, const char *id, answer *a);
// "audio/wav; x=y" is "audio/wav" and "audio/".
bool door_type(const char *type, const char *wanted);

#endif
