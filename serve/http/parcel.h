// SPDX-License-Identifier: GPL-3.0-or-later
// parcel.h: a request on its way to a worker: a head of a fixed size and the body's bytes. What is
// longer than an item of base/worker.h, and any sound, goes through a file that has no name any
// more, or, where the system cannot open such a one by its number, through one in the folder for
// temporary files.
//
//     parcel p;
//     if (parcel_pack(&p, job, e))     p.bytes[0 .. p.n), never empty, is the item
//         ...
//     parcel_end(&p);                  when it is answered
//
//     parcel_read(item, n, &q, e)      in the worker
#ifndef KMIDI_SERVE_HTTP_PARCEL_H
#define KMIDI_SERVE_HTTP_PARCEL_H

#include "base/worker.h"
#include "serve/http/queue.h"

typedef struct parcel {
    int fd;         // -1: the bytes stand in the item
    bool unlink;    // the file has a name
    char path[300]; // of the file
    size_t n;
    char bytes[WORKER_ITEM];
} parcel;

// ERR_VALUE: the query is too long; else the file cannot be made. parcel_end in any case.
bool parcel_pack(parcel *p, const job *j, err *e) MUST_CHECK;
void parcel_end(parcel *p);
// What is asked, as far as the item says it, in q's arena or in the item; q->query is the caller's
// to free. NULL with a sentence; q->id is set all the same.
const route *parcel_read(const void *item, size_t n, asked *q, err *e) MUST_CHECK;

#endif
