// SPDX-License-Identifier: GPL-3.0-or-later
// queue.h: requests that wait for a worker, and the workers: processes (base/worker.h), each with a
// thread here that hands it a request; or, of a route that takes several together (route.h), as
// many as wait at that moment, a worker's share of them: nobody waits for others to come. What is
// long, and what was lost with its worker, is then asked alone, so that each request harms only
// itself.
//
//     queue *q = queue_open(&(queue_setup){.workers = 2, .room = 16, .house = &house, ...}, e);
//     if (queue_claim(q))             a place, or 429
//         queue_put(q, job);          setup.done(job), from another thread, when it is answered
//     queue_close(q);                 what is not answered yet is stopped, and answered with 503
//
// A process costs a fifth of a millisecond a request and buys three things: what crashes a decoder,
// loops, or takes all memory costs the one request; work that nobody waits for any more ends, by
// being told to (env_stop) or, where it does not ask, with its process; and nothing that a request
// left behind outlives the next such end. Models are opened before the first of them is made, and
// their weights are shared. A worker that is no more is made anew at once, asked for or not; one
// that cannot be made is tried again every second.
#ifndef KMIDI_SERVE_HTTP_QUEUE_H
#define KMIDI_SERVE_HTTP_QUEUE_H

#include "serve/http/route.h"

enum { JOB_WANTS = 512 }; // bytes of an Accept header that are looked at

typedef struct job {
    // What is asked, the caller's until it is done
    int route;
    char id[ANSWER_ID], wants[JOB_WANTS];
    const char *query; // JSON of an object of texts
    const char *bytes; // [n]
    size_t n;
    int fd; // of the client's connection: asked whether it is still there; -1: it always is
    void *user;

    // What came of it
    answer answer; // status 499: the client was gone
    struct job *next;
} job;

typedef struct queue_setup {
    int workers, room; // requests that may wait, beside those under way
    double seconds;    // that a request may take; beyond it 504
    house *house;
    void (*done)(job *j);
} queue_setup;

typedef struct queue queue;

// NULL where a thread does not start or memory cannot be shared. Workers begin behind it.
queue *queue_open(const queue_setup *s, err *e) MUST_CHECK;
bool queue_claim(queue *q) MUST_CHECK; // a place for one queue_put
void queue_put(queue *q, job *j);
void queue_close(queue *q); // accepts NULL

#endif
