// SPDX-License-Identifier: GPL-3.0-or-later
// parcel.h: requests on their way to a worker, what they have in common and what each is, and their
// answers on the way back. What is longer than an item of base/worker.h, any sound, and bodies of
// several go through files that have no name any more, or, where the system cannot open such a one
// by its number, through ones in the folder for temporary files.
//
//     parcel p;
//     if (parcel_pack(&p, jobs, n, e))      p.bytes[0 .. p.n), never empty, is the item
//         ...
//     parcel_end(&p);                       when they are answered
//
//     parcel_answer(item, n, house, out)    in the worker
//     parcel_take(jobs, n, bytes, len)      what it added to `out`: an answer for each
#ifndef KMIDI_SERVE_HTTP_PARCEL_H
#define KMIDI_SERVE_HTTP_PARCEL_H

#include "base/worker.h"
#include "serve/http/queue.h"

typedef struct parcel_file {
    int fd;         // -1: the bytes stand in the item
    bool unlink;    // the file has a name
    char path[300]; // of the file
} parcel_file;

typedef struct parcel {
    int count;
    parcel_file files[ROUTE_TOGETHER];
    size_t n;
    char bytes[WORKER_ITEM];
} parcel;

// n <= ROUTE_TOGETHER jobs of one route and query. ERR_VALUE: the query is too long; else a file
// cannot be made. parcel_end in any case.
bool parcel_pack(parcel *p, job *const *jobs, int n, err *e) MUST_CHECK;
void parcel_end(parcel *p);
// All answers to what an item asks, whatever comes of it.
void parcel_answer(const void *item, size_t n, const house *h, strbuf *out);
// An answer for each job, in order. False: these bytes are not that, and answers may be anything.
bool parcel_take(job *const *jobs, int n, const char *bytes, size_t len);
// What is asked, q[*count], as far as the item says it, in q[0]'s arena or in the item; arena and
// house are q[0]'s for all, and so is the query, the caller's to free. NULL with a sentence; count
// and ids are set all the same.
const route *parcel_read(const void *item, size_t n, asked *q, int *count, err *e) MUST_CHECK;

#endif
