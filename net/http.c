// SPDX-License-Identifier: GPL-3.0-or-later
// http.c: libcurl's easy interface (http.h). curl_global_init, which the first easy_init calls, is
// safe beside other threads since 7.84.
#define CURL_DISABLE_TYPECHECK // it would make a macro of easy_setopt
#include "net/http.h"

#include <curl/curl.h>
#include <string.h>

#include "base/library.h"

#undef curl_easy_setopt
#undef curl_easy_getinfo

typedef struct curl {
    __typeof__(curl_easy_init) *init;
    __typeof__(curl_easy_setopt) *set;
    __typeof__(curl_easy_perform) *perform;
    __typeof__(curl_easy_getinfo) *get;
    __typeof__(curl_easy_strerror) *why;
    __typeof__(curl_easy_cleanup) *cleanup;
    __typeof__(curl_slist_append) *append;
    __typeof__(curl_slist_free_all) *free_all;
    __typeof__(curl_version_info) *version;
} curl;

static const library_function functions[] = {
    {"curl_easy_init", offsetof(curl, init)},
    {"curl_easy_setopt", offsetof(curl, set)},
    {"curl_easy_perform", offsetof(curl, perform)},
    {"curl_easy_getinfo", offsetof(curl, get)},
    {"curl_easy_strerror", offsetof(curl, why)},
    {"curl_easy_cleanup", offsetof(curl, cleanup)},
    {"curl_slist_append", offsetof(curl, append)},
    {"curl_slist_free_all", offsetof(curl, free_all)},
    {"curl_version_info", offsetof(curl, version)},
};
static const library libcurl = {"libcurl", LIBRARY_FILES("curl", "4"), functions,
                                sizeof functions / sizeof *functions};

typedef struct asking {
    curl c;
    const http_question *q;
    http_answer *out;
    bool too_long, stopped;
} asking;

static size_t take(char *bytes, size_t size, size_t n, void *user)
{
    asking *a = user;
    a->too_long = a->out->body.len + size * n > HTTP_BYTES;
    if (a->too_long)
        return 0;
    strbuf_add(&a->out->body, bytes, size * n);
    return size * n;
}

static int go_on(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    asking *x = user;
    (void)a, (void)b, (void)c, (void)d;
    x->stopped = x->q->env && env_stop(x->q->env);
    return x->stopped;
}

static bool failed(const asking *a, CURLcode code, err *e)
{
    const http_question *q = a->q;
    if (a->too_long)
        return err_set(e, ERR_VALUE, "'%s' answers with more than %d bytes", q->url, HTTP_BYTES);
    if (a->stopped)
        return err_set(e, ERR_STOPPED, "stopped while '%s' was to answer", q->url);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return err_set(e, ERR_TIMEOUT, "'%s' did not answer within %g s", q->url, q->seconds);
    return err_set(e, ERR_IO, "'%s' did not answer: %s", q->url, a->c.why(code));
}

static void set_up(CURL *h, const asking *a, struct curl_slist *headers)
{
    long ms = (long)(a->q->seconds * 1000);
    a->c.set(h, CURLOPT_URL, a->q->url);
    a->c.set(h, CURLOPT_PROTOCOLS_STR, "http,https");
    a->c.set(h, CURLOPT_FOLLOWLOCATION, 0L);
    a->c.set(h, CURLOPT_PROXY, "");
    a->c.set(h, CURLOPT_NOSIGNAL, 1L);
    a->c.set(h, CURLOPT_TIMEOUT_MS, ms > 0 ? ms : 1L);
    a->c.set(h, CURLOPT_CONNECTTIMEOUT_MS, ms / 5 > 0 ? ms / 5 : 1L);
    a->c.set(h, CURLOPT_WRITEFUNCTION, take);
    a->c.set(h, CURLOPT_WRITEDATA, a);
    a->c.set(h, CURLOPT_NOPROGRESS, 0L);
    a->c.set(h, CURLOPT_XFERINFOFUNCTION, go_on);
    a->c.set(h, CURLOPT_XFERINFODATA, a);
    if (a->q->body) {
        a->c.set(h, CURLOPT_POSTFIELDS, a->q->body);
        a->c.set(h, CURLOPT_HTTPHEADER, headers);
    }
}

bool http_ask(const http_question *q, http_answer *out, err *e)
{
    asking a = {.q = q, .out = out};
    long status = 0;
    if (!library_open(&libcurl, &a.c, e))
        return false;
    CURL *h = a.c.init();
    struct curl_slist *headers = a.c.append(NULL, "Content-Type: application/json");
    if (!h || !headers) {
        a.c.cleanup(h), a.c.free_all(headers);
        return err_set(e, ERR_MEMORY, "there is no memory to ask '%s'", q->url);
    }
    set_up(h, &a, headers);
    CURLcode code = a.c.perform(h);
    a.c.get(h, CURLINFO_RESPONSE_CODE, &status);
    a.c.cleanup(h);
    a.c.free_all(headers);
    out->status = (int)status;
    if (code != CURLE_OK)
        return failed(&a, code, e);
    return status < 300 || status >= 400 ||
           err_set(e, ERR_IO, "'%s' answers with a redirect (%ld); name the right host", q->url,
                   status);
}

const char *http_library(void)
{
    curl c;
    return library_open(&libcurl, &c, NULL) ? c.version(CURLVERSION_NOW)->version : "missing";
}
