// SPDX-License-Identifier: GPL-3.0-or-later
// http.c: libcurl's easy interface (http.h). curl_global_init is not safe beside other threads and
// is called by the first curl_easy_init: commands ask before they start any.
#include "net/http.h"

#include <curl/curl.h>
#include <string.h>

typedef struct asking {
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
    return err_set(e, ERR_IO, "'%s' did not answer: %s", q->url, curl_easy_strerror(code));
}

static void set_up(CURL *h, const asking *a, struct curl_slist *headers)
{
    long ms = (long)(a->q->seconds * 1000);
    curl_easy_setopt(h, CURLOPT_URL, a->q->url);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(h, CURLOPT_PROXY, "");
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, ms > 0 ? ms : 1L);
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, ms / 5 > 0 ? ms / 5 : 1L);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, a);
    curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, go_on);
    curl_easy_setopt(h, CURLOPT_XFERINFODATA, a);
    if (a->q->body) {
        curl_easy_setopt(h, CURLOPT_POSTFIELDS, a->q->body);
        curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
    }
}

bool http_ask(const http_question *q, http_answer *out, err *e)
{
    asking a = {.q = q, .out = out};
    long status = 0;
    CURL *h = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (!h || !headers) {
        curl_easy_cleanup(h), curl_slist_free_all(headers);
        return err_set(e, ERR_MEMORY, "there is no memory to ask '%s'", q->url);
    }
    set_up(h, &a, headers);
    CURLcode code = curl_easy_perform(h);
    curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(h);
    curl_slist_free_all(headers);
    out->status = (int)status;
    if (code != CURLE_OK)
        return failed(&a, code, e);
    return status < 300 || status >= 400 ||
           err_set(e, ERR_IO, "'%s' answers with a redirect (%ld); name the right host", q->url,
                   status);
}

const char *http_library(void)
{
    return curl_version_info(CURLVERSION_NOW)->version;
}
