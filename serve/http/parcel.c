// SPDX-License-Identifier: GPL-3.0-or-later
// parcel.c: see parcel.h.
#include "serve/http/parcel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"

enum { INLINE = 8192, QUERY = 3000 };

typedef struct head {
    int route, count;
    char wants[JOB_WANTS], query[QUERY];
} head;
typedef struct part { // `count` of them behind it
    char id[ANSWER_ID], path[sizeof((parcel_file *)0)->path];
    uint64_t n;
} part;
_Static_assert(sizeof(head) + ROUTE_TOGETHER * sizeof(part) + INLINE <= WORKER_ITEM,
               "an item holds them");

// ---- The server's side

static bool begin_file(parcel_file *p, err *e)
{
#ifdef __linux__
    p->fd = memfd_create("kmidi", MFD_CLOEXEC);
    if (p->fd >= 0) {
        snprintf(p->path, sizeof p->path, "/proc/%d/fd/%d", (int)getpid(), p->fd);
        return true;
    }
#endif
    const char *folder = getenv("TMPDIR");
    snprintf(p->path, sizeof p->path, "%.200s/kmidi-XXXXXX", folder && *folder ? folder : "/tmp");
    p->fd = mkstemp(p->path);
    p->unlink = p->fd >= 0;
    return p->fd >= 0 || err_errno(e, "no file can be made in '%s'; set TMPDIR", p->path);
}

void parcel_end(parcel *p)
{
    for (int i = 0; i < p->count; i++) {
        parcel_file *f = &p->files[i];
        if (f->fd >= 0)
            close(f->fd);
        if (f->unlink)
            unlink(f->path);
    }
    p->count = 0;
}

static bool write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, bytes, n);
        if (k < 0 && errno != EINTR)
            return false;
        bytes += k > 0 ? k : 0, n -= k > 0 ? (size_t)k : 0;
    }
    return true;
}

static bool put_body(parcel *p, int i, const job *j, bool alone, err *e)
{
    parcel_file *f = &p->files[i];
    *f = (parcel_file){.fd = -1};
    if (alone && j->n <= INLINE && route_at(j->route)->takes != TAKES_SOUND) {
        memcpy(p->bytes + p->n, j->bytes, j->n);
        p->n += j->n;
        return true;
    }
    return begin_file(f, e) && (write_all(f->fd, j->bytes, j->n) ||
                                err_errno(e, "the request cannot be kept in '%s'", f->path));
}

static bool put_job(parcel *p, const job *j, bool alone, err *e)
{
    int i = p->count++;
    part s = {.n = j->n};
    if (!put_body(p, i, j, alone, e))
        return false;
    memcpy(s.id, j->id, sizeof s.id);
    memcpy(s.path, p->files[i].path, sizeof s.path);
    memcpy(p->bytes + sizeof(head) + (size_t)i * sizeof s, &s, sizeof s);
    return true;
}

bool parcel_pack(parcel *p, job *const *jobs, int n, err *e)
{
    const job *j = jobs[0];
    head h = {.route = j->route, .count = n};
    p->count = 0, p->n = sizeof h + (size_t)n * sizeof(part);
    if (strlen(j->query) >= sizeof h.query)
        return err_set(e, ERR_VALUE, "what stands behind '?' is longer than %d bytes", QUERY - 1);
    memcpy(h.wants, j->wants, sizeof h.wants);
    memcpy(h.query, j->query, strlen(j->query));
    memcpy(p->bytes, &h, sizeof h);
    for (int i = 0; i < n; i++)
        if (!put_job(p, jobs[i], n == 1, e))
            return false;
    return true;
}

// ---- The worker's side

static bool read_part(const route *r, const char *item, const part *s, asked *q, err *e)
{
    size_t n;
    q->n = (size_t)s->n;
    if (r->takes == TAKES_SOUND)
        q->path = s->path;
    else if (!*s->path)
        q->bytes = item + sizeof(head) + sizeof *s;
    else
        q->bytes = file_read(q->arena, s->path, q->n, &n, e);
    return q->path || q->bytes;
}

const route *parcel_read(const void *item, size_t n, asked *q, int *count, err *e)
{
    head *h = NEW(q->arena, head, 1);
    CHECK(n >= sizeof *h);
    memcpy(h, item, sizeof *h);
    CHECK(h->count > 0 && h->count <= ROUTE_TOGETHER &&
          n >= sizeof *h + (size_t)h->count * sizeof(part));
    const route *r = route_at(h->route);
    part *parts = NEW(q->arena, part, (size_t)h->count);
    memcpy(parts, (const char *)item + sizeof *h, (size_t)h->count * sizeof *parts);
    bool ok = true;
    *count = h->count;
    for (int i = 0; i < h->count; i++) {
        q[i] = (asked){.arena = q->arena, .house = q->house, .id = parts[i].id, .wants = h->wants};
        ok = ok && read_part(r, item, &parts[i], &q[i], e);
    }
    json *query = ok ? json_parse(h->query, strlen(h->query), e) : NULL;
    for (int i = 0; i < h->count; i++)
        q[i].query = query;
    return query ? r : NULL;
}

void parcel_answer(const void *item, size_t n, const house *h, strbuf *out)
{
    arena a = {.name = "request"};
    answer got[ROUTE_TOGETHER] = {{0}};
    asked q[ROUTE_TOGETHER] = {{.arena = &a, .house = h}};
    err e = {0};
    int count = 0;
    const route *r = parcel_read(item, n, q, &count, &e);
    if (r)
        route_answer(r, q, got, count);
    for (int i = 0; i < count; i++) {
        if (!r)
            answer_error(&got[i], q[i].id, &e);
        answer_pack(&got[i], out);
        answer_free(&got[i]);
    }
    json_free(q->query), arena_free(&a);
}

// ---- The server's side again

bool parcel_take(job *const *jobs, int n, const char *bytes, size_t len)
{
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        size_t k = answer_unpack(bytes + at, len - at, &jobs[i]->answer);
        if (k == 0)
            return false;
        at += k;
    }
    return at == len;
}
