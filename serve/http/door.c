// SPDX-License-Identifier: GPL-3.0-or-later
// door.c: see door.h.
#include "serve/http/door.h"

#include <string.h>
#include <strings.h>

#include "serve/http/gate.h"

typedef struct asking {
    const door *d;
    const knock *k;
    const char *id;
    answer *a;
} asking;

static bool refuse(const asking *x, int status, const char *why)
{
    answer_refuse(x->a, status, x->id, "%s", why);
    return false;
}

// The same time whatever the first difference is.
static bool same_secret(const char *said, const char *token)
{
    size_t n = strlen(said), m = strlen(token), differ = n ^ m;
    for (size_t i = 0; i < n; i++)
        differ |= (size_t)((unsigned char)said[i] ^ (unsigned char)token[m ? i % m : 0]);
    return differ == 0;
}

static bool has_token(const door *d, const char *said)
{
    return !d->token || (!strncasecmp(said, "Bearer ", 7) && same_secret(said + 7, d->token));
}

// A page of ours came by https where a proxy has TLS for us.
static bool own_origin(const knock *k)
{
    bool tls = !strncasecmp(k->origin, "https://", 8);
    return (tls || !strncasecmp(k->origin, "http://", 7)) && *k->host &&
           !strcasecmp(k->origin + 7 + tls, k->host);
}

static bool may_ask(const asking *x, const route *r, bool named)
{
    const knock *k = x->k;
    if (*k->host && !gate_knows(k->host, x->d->names))
        return refuse(x, 403,
                      "this service does not go by the name in Host; ask it at its address, or "
                      "start it with --name");
    if (*k->origin && !named && !own_origin(k))
        return refuse(x, 403, "pages from elsewhere may not ask; start the service with --origin");
    if (!(r && r->open) && !has_token(x->d, k->authorization))
        return refuse(x, 401, "the token is missing or wrong; send Authorization: Bearer TOKEN");
    return true;
}

bool door_type(const char *type, const char *wanted)
{
    size_t n = strlen(wanted);
    return !strncasecmp(type, wanted, n) &&
           (wanted[n - 1] == '/' || !type[n] || strchr("; \t", type[n]));
}

bool door_endless(const knock *k)
{
    return *k->transfer && strcasecmp(k->transfer, "chunked");
}

// As it was sent, and in no compressed form.
static bool right_coding(const asking *x)
{
    if (door_endless(x->k))
        return refuse(x, 501, "the only Transfer-Encoding that is known here is chunked");
    if (*x->k->encoding && strcasecmp(x->k->encoding, "identity"))
        return refuse(x, 415, "no Content-Encoding is known here; send the body as it is");
    return true;
}

static bool right_type(const asking *x, const route *r)
{
    const char *type = x->k->type;
    if (r->takes == TAKES_JSON && !door_type(type, "application/json"))
        return refuse(x, 415, "the body is JSON; send Content-Type: application/json");
    if (r->takes == TAKES_SOUND && !door_type(type, "audio/") &&
        !door_type(type, "application/octet-stream"))
        return refuse(x, 415,
                      "the body is the bytes of a sound file, no form; send Content-Type: "
                      "audio/wav, audio/flac ... or application/octet-stream");
    return true;
}

bool door_fits(const door *d, const route *r, uint64_t n, const char *id, answer *a)
{
    size_t most = r->takes == TAKES_SOUND  ? d->sound_most
                  : r->takes == TAKES_JSON ? d->json_most
                                           : 0;
    char text[32];
    if (n <= most)
        return true;
    answer_refuse(a, 413, id, "the body is longer than %s", str_human_bytes(most, text));
    return false;
}

bool door_open(const door *d, const knock *k, const char *id, admission *in, answer *a)
{
    asking x = {d, k, id, a};
    in->route = route_find(k->method, k->path, in->allowed);
    in->from_origin = d->origin && *k->origin && !strcmp(k->origin, d->origin);
    in->preflight = in->from_origin && !strcmp(k->method, "OPTIONS");
    const route *r = route_at(in->route);
    if (in->preflight)
        return true;
    if (!may_ask(&x, r, in->from_origin))
        return false;
    if (in->route == -1)
        return refuse(&x, 404, "there is nothing here; GET /openapi.json says what there is");
    if (!r)
        return refuse(&x, 405, "not by this method");
    return right_coding(&x) && right_type(&x, r) && door_fits(d, r, k->length, id, a);
}
