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
    int route;
    char id[ANSWER_ID], wants[JOB_WANTS], query[QUERY], path[sizeof((parcel *)0)->path];
    uint64_t n;
} head;
_Static_assert(sizeof(head) + INLINE <= WORKER_ITEM, "an item holds them");

// ---- The server's side

static bool begin_file(parcel *p, err *e)
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
    if (p->fd >= 0)
        close(p->fd);
    if (p->unlink)
        unlink(p->path);
    p->fd = -1, p->unlink = false;
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

static bool put_body(parcel *p, const job *j, err *e)
{
    if (j->n <= INLINE && route_at(j->route)->takes != TAKES_SOUND) {
        memcpy(p->bytes + p->n, j->bytes, j->n);
        p->n += j->n;
        return true;
    }
    return begin_file(p, e) && (write_all(p->fd, j->bytes, j->n) ||
                                err_errno(e, "the request cannot be kept in '%s'", p->path));
}

bool parcel_pack(parcel *p, const job *j, err *e)
{
    head h = {.route = j->route, .n = j->n};
    p->fd = -1, p->unlink = false, p->path[0] = 0, p->n = sizeof h;
    if (strlen(j->query) >= sizeof h.query)
        return err_set(e, ERR_VALUE, "what stands behind '?' is longer than %d bytes", QUERY - 1);
    if (!put_body(p, j, e))
        return false;
    memcpy(h.id, j->id, sizeof h.id);
    memcpy(h.wants, j->wants, sizeof h.wants);
    memcpy(h.query, j->query, strlen(j->query));
    memcpy(h.path, p->path, sizeof h.path);
    memcpy(p->bytes, &h, sizeof h);
    return true;
}

// ---- The worker's side

const route *parcel_read(const void *item, size_t n, asked *q, err *e)
{
    head *h = NEW(q->arena, head, 1);
    CHECK(n >= sizeof *h);
    memcpy(h, item, sizeof *h);
    const route *r = route_at(h->route);
    q->id = h->id, q->wants = h->wants, q->n = (size_t)h->n;
    if (r->takes == TAKES_SOUND)
        q->path = h->path;
    else if (!*h->path)
        q->bytes = (const char *)item + sizeof *h;
    else if (!(q->bytes = file_read(q->arena, h->path, q->n, &n, e)))
        return NULL;
    q->query = json_parse(h->query, strlen(h->query), e);
    return q->query ? r : NULL;
}
