// SPDX-License-Identifier: GPL-3.0-or-later
// web.c: libmicrohttpd with one thread that waits for all connections (web.h). A request that a
// worker answers is suspended until web_done resumes it, so that the thread never waits.
#include "serve/http/web.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hw.h"
#include "base/library.h"
#include "base/rng.h"
#include "serve/http/guests.h"

typedef struct microhttpd {
    __typeof__(MHD_start_daemon) *start;
    __typeof__(MHD_stop_daemon) *stop;
    __typeof__(MHD_quiesce_daemon) *quiesce;
    __typeof__(MHD_suspend_connection) *suspend;
    __typeof__(MHD_resume_connection) *resume;
    __typeof__(MHD_create_response_from_buffer) *response;
    __typeof__(MHD_add_response_header) *header;
    __typeof__(MHD_queue_response) *queue;
    __typeof__(MHD_destroy_response) *destroy;
    __typeof__(MHD_lookup_connection_value) *lookup;
    __typeof__(MHD_get_connection_values) *values;
    __typeof__(MHD_get_connection_info) *info;
    __typeof__(MHD_get_version) *version;
} microhttpd;

static const library_function functions[] = {
    {"MHD_start_daemon", offsetof(microhttpd, start)},
    {"MHD_stop_daemon", offsetof(microhttpd, stop)},
    {"MHD_quiesce_daemon", offsetof(microhttpd, quiesce)},
    {"MHD_suspend_connection", offsetof(microhttpd, suspend)},
    {"MHD_resume_connection", offsetof(microhttpd, resume)},
    {"MHD_create_response_from_buffer", offsetof(microhttpd, response)},
    {"MHD_add_response_header", offsetof(microhttpd, header)},
    {"MHD_queue_response", offsetof(microhttpd, queue)},
    {"MHD_destroy_response", offsetof(microhttpd, destroy)},
    {"MHD_lookup_connection_value", offsetof(microhttpd, lookup)},
    {"MHD_get_connection_values", offsetof(microhttpd, values)},
    {"MHD_get_connection_info", offsetof(microhttpd, info)},
    {"MHD_get_version", offsetof(microhttpd, version)},
};
static const library libmicrohttpd = {"libmicrohttpd", LIBRARY_FILES("microhttpd", "12"), functions,
                                      sizeof functions / sizeof *functions};

struct web {
    web_setup s;
    microhttpd lib;
    struct MHD_Daemon *daemon;
    queue *queue;
    guests *guests;
    bool quiet; // takes no new connections
    atomic_int visits;
    atomic_uint_fast32_t number;
    uint64_t seed;
};

// A request.
typedef struct visit {
    web *w;
    struct MHD_Connection *c;
    guest *guest;
    const char *method;
    admission in;
    const route *route; // NULL: there is none
    double since;
    answer answer;
    bool refused, asked, done; // at the door; of the queue; by it
    bool unread;               // what is refused is not waited for
    strbuf body, query;
    size_t passed; // bytes of a body that nobody wants
    size_t sent;
    job job;
} visit;

enum { PASS = 4 << 20 };

static void connected(void *user, struct MHD_Connection *c, void **context,
                      enum MHD_ConnectionNotificationCode code)
{
    web *w = user;
    bool came = code == MHD_CONNECTION_NOTIFY_STARTED;
    counts_add(w->s.house->counts, COUNTS_CONNECTIONS, came ? 1 : -1);
    if (!came)
        guests_remove(w->guests, *context);
    else
        *context =
            guests_add(w->guests, w->lib.info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
}

void web_sweep(web *w)
{
    guests_sweep(w->guests, w->s.patience);
}

// ---- Answers

static const char *header(const visit *v, const char *name)
{
    const char *s = v->w->lib.lookup(v->c, MHD_HEADER_KIND, name);
    return s ? s : "";
}

static void add_cors(const visit *v, struct MHD_Response *r)
{
    if (!v->in.from_origin)
        return;
    v->w->lib.header(r, "Access-Control-Allow-Origin", v->w->s.door.origin);
    v->w->lib.header(r, "Vary", "Origin");
    if (v->in.preflight) {
        v->w->lib.header(r, "Access-Control-Allow-Methods", "GET, POST");
        v->w->lib.header(r, "Access-Control-Allow-Headers", "Content-Type, Authorization, Accept");
        v->w->lib.header(r, "Access-Control-Max-Age", "600");
    }
}

static void add_headers(const visit *v, struct MHD_Response *r)
{
    const answer *a = &v->answer;
    const microhttpd *lib = &v->w->lib;
    lib->header(r, "Content-Type", a->type);
    lib->header(r, "X-Request-ID", v->job.id);
    lib->header(r, "X-Content-Type-Options", "nosniff");
    lib->header(r, "Cache-Control", "no-store");
    if (door_type(a->type, "text/html"))
        lib->header(r, "Content-Security-Policy",
                    "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; "
                    "style-src 'unsafe-inline'; img-src data: blob:; media-src blob:; "
                    "frame-ancestors 'none'; form-action 'none'; base-uri 'none'");
    if (a->status == 401)
        lib->header(r, "WWW-Authenticate", "Bearer");
    if (a->status == 405)
        lib->header(r, "Allow", v->in.allowed);
    if (a->status == 429 || a->status == 503)
        lib->header(r, "Retry-After", "1");
    add_cors(v, r);
}

static enum MHD_Result answer_visit(visit *v)
{
    answer *a = &v->answer;
    web *w = v->w;
    if (a->status == 499) // nobody is there to read it
        return MHD_NO;
    struct MHD_Response *r =
        w->lib.response(a->body.len, a->body.s ? a->body.s : (char *)"",
                        a->body.s ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (!r)
        return MHD_NO;
    v->sent = a->body.len;
    a->body = (strbuf){0};
    add_headers(v, r);
    guests_move(w->guests, v->guest, GUEST_READS);
    enum MHD_Result ok = w->lib.queue(v->c, (unsigned)a->status, r);
    w->lib.destroy(r);
    return ok;
}

// ---- Requests

static enum MHD_Result add_query(void *user, enum MHD_ValueKind kind, const char *key,
                                 const char *value)
{
    (void)kind;
    if (str_utf8(key, strlen(key)))
        json_set_str(user, key, value);
    return MHD_YES;
}

static void read_query(visit *v)
{
    json *j = json_object();
    v->w->lib.values(v->c, MHD_GET_ARGUMENT_KIND, add_query, j);
    json_dump(j, 0, &v->query);
    json_free(j);
}

static void answer_here(visit *v)
{
    arena a = {.name = "request"};
    err e = {0};
    json *query = json_parse(v->query.s, v->query.len, &e);
    asked q = {.arena = &a,
               .house = v->w->s.house,
               .id = v->job.id,
               .wants = v->job.wants,
               .query = query,
               .bytes = v->body.s,
               .n = v->body.len};
    route_answer(v->route, &q, &v->answer, 1);
    json_free(query);
    arena_free(&a);
}

static void name_visit(visit *v)
{
    web *w = v->w;
    rng r = rng_stream(w->seed, "request", 0);
    snprintf(v->job.id, sizeof v->job.id, "%08x", rng_u32(r, atomic_fetch_add(&w->number, 1), 0));
}

static uint64_t length_of(const visit *v)
{
    return strtoull(header(v, "Content-Length"), NULL, 10);
}

static void knock_at(visit *v, const char *path)
{
    knock k = {.method = v->method,
               .path = path,
               .host = header(v, "Host"),
               .origin = header(v, "Origin"),
               .authorization = header(v, "Authorization"),
               .type = header(v, "Content-Type"),
               .transfer = header(v, "Transfer-Encoding"),
               .encoding = header(v, "Content-Encoding"),
               .length = length_of(v)};
    v->refused = !door_open(&v->w->s.door, &k, v->job.id, &v->in, &v->answer);
    v->unread = v->refused && (k.length > PASS || door_endless(&k));
    v->job.route = v->in.route, v->route = route_at(v->in.route);
    if (v->in.preflight)
        v->refused = true, v->answer.status = 204, v->answer.type = "text/plain";
}

static visit *visit_open(web *w, struct MHD_Connection *c, const char *path, const char *method)
{
    visit *v = base_checked(calloc(1, sizeof *v), sizeof *v);
    v->w = w, v->c = c, v->method = method, v->since = hw_seconds();
    v->guest = w->lib.info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    v->job.user = v, v->job.fd = guest_fd(v->guest);
    name_visit(v);
    atomic_fetch_add(&w->visits, 1);
    knock_at(v, path);
    return v;
}

// What is refused before its body came is answered when the body is here, where that is short: a
// client that is still sending does not listen.
static enum MHD_Result take_bytes(visit *v, const char *bytes, size_t *n)
{
    v->refused =
        v->refused || !door_fits(&v->w->s.door, v->route, v->body.len + *n, v->job.id, &v->answer);
    if (!v->refused)
        strbuf_add(&v->body, bytes, *n);
    else
        v->passed += *n, strbuf_free(&v->body);
    *n = 0;
    return v->passed > PASS ? MHD_NO : MHD_YES;
}

static bool ask_queue(visit *v)
{
    if (!queue_claim(v->w->queue)) {
        answer_refuse(&v->answer, 429, v->job.id,
                      "all workers are busy and the queue is full; ask again later");
        return false;
    }
    v->asked = true;
    v->job.query = v->query.s, v->job.bytes = v->body.s ? v->body.s : "", v->job.n = v->body.len;
    guests_move(v->w->guests, v->guest, GUEST_WAITS);
    v->w->lib.suspend(v->c);
    queue_put(v->w->queue, &v->job);
    return true;
}

static enum MHD_Result whole(visit *v)
{
    if (v->refused)
        return answer_visit(v);
    snprintf(v->job.wants, sizeof v->job.wants, "%s", header(v, "Accept"));
    read_query(v);
    if (v->route->works)
        return ask_queue(v) ? MHD_YES : answer_visit(v);
    answer_here(v);
    return answer_visit(v);
}

static enum MHD_Result handle(void *user, struct MHD_Connection *c, const char *path,
                              const char *method, const char *version, const char *bytes, size_t *n,
                              void **context)
{
    visit *v = *context;
    (void)version;
    if (!v) {
        v = *context = visit_open(user, c, path, method);
        return v->unread ? answer_visit(v) : MHD_YES;
    }
    if (*n)
        return take_bytes(v, bytes, n);
    if (!v->asked)
        return whole(v);
    if (!v->done)
        return MHD_YES;
    v->answer = v->job.answer;
    v->job.answer = (answer){0};
    return answer_visit(v);
}

void web_done(job *j)
{
    visit *v = j->user;
    v->done = true;
    v->w->lib.resume(v->c);
}

// A method is whatever a client sends: what is no word of letters would reach a terminal.
static const char *method_told(const visit *v)
{
    const char *m = v->method;
    bool told = v->route || v->job.route == -2;
    return told && !m[strspn(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] ? m : "?";
}

static void completed(void *user, struct MHD_Connection *c, void **context,
                      enum MHD_RequestTerminationCode code)
{
    web *w = user;
    visit *v = *context;
    (void)c;
    if (!v)
        return;
    double took = hw_seconds() - v->since;
    int status = code == MHD_REQUEST_TERMINATED_COMPLETED_OK ? v->answer.status : 499;
    counts_request(w->s.house->counts, v->job.route, status, took);
    log_say(w->s.house->env->log, LOG_INFO, "%s %s %d %.1f ms, %zu bytes in, %zu out, %s",
            method_told(v), v->route ? v->route->path : "?", status, 1000 * took, v->body.len,
            v->sent, v->job.id);
    guests_move(w->guests, v->guest, GUEST_SENDS);
    answer_free(&v->answer), answer_free(&v->job.answer);
    strbuf_free(&v->body), strbuf_free(&v->query);
    free(v);
    *context = NULL;
    atomic_fetch_sub(&w->visits, 1);
}

// ---- The server

web *web_open(const web_setup *s, err *e)
{
    web *w = base_checked(calloc(1, sizeof *w), sizeof *w);
    w->s = *s;
    w->seed = (uint64_t)(hw_seconds() * 1e9);
    w->guests = guests_open();
    if (library_open(&libmicrohttpd, &w->lib, e))
        return w;
    web_close(w);
    return NULL;
}

bool web_start(web *w, queue *q, err *e)
{
    w->queue = q;
    w->daemon =
        w->lib.start(MHD_USE_AUTO_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle,
                     w, MHD_OPTION_LISTEN_SOCKET, w->s.gate->fd, MHD_OPTION_CONNECTION_LIMIT,
                     (unsigned)w->s.connections, MHD_OPTION_CONNECTION_TIMEOUT,
                     (unsigned)(w->s.patience < 1 ? 1 : w->s.patience),
                     MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED, completed, w,
                     MHD_OPTION_NOTIFY_CONNECTION, connected, w, MHD_OPTION_END);
    return w->daemon || err_errno(e, "the server did not start");
}

void web_quiesce(web *w)
{
    if (!w->quiet)
        w->lib.quiesce(w->daemon);
    w->quiet = true;
}

int web_under_way(const web *w)
{
    return atomic_load(&w->visits);
}

void web_close(web *w)
{
    if (!w)
        return;
    if (w->daemon) {
        web_quiesce(w); // the socket stays its owner's
        w->lib.stop(w->daemon);
    }
    guests_close(w->guests);
    free(w);
}

const char *web_library(void)
{
    microhttpd lib;
    return library_open(&libmicrohttpd, &lib, NULL) ? lib.version() : "missing";
}
