// SPDX-License-Identifier: GPL-3.0-or-later
// bridge.c: a session on a thread of its own, between two rings (kmidi.h, "Bridges").
//
// The audio thread writes requests and reads answers; the worker does the reverse and sleeps for a
// moment where there is nothing to do, since to be woken would cost the audio thread a system call.
// It takes a request only when there is room for all answers that it may give, so that no answer is
// ever dropped: where the audio thread reads none, the requests fill up, and one that finds no
// place is refused and counted.
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "include/kmidi.h"
#include "serve/ring.h"

enum { NAP_NS = 200000, REQUESTS_MOST = 1 << 16 };

typedef struct request {
    int64_t at;
    int n;
    float in[];
} request;

typedef struct result {
    int64_t at, due;
    float out[];
} result;

struct kmidi_bridge {
    ring requests, results;
    kmidi_session *s;
    int64_t latency; // of the session, samples
    int64_t lookahead, heard_until;
    int width, takes, most; // numbers of an answer, of a call; answers of a call
    float *answers;         // the worker's
    pthread_t worker;
    int started;
    kmidi_counts counts; // the audio thread's
    atomic_long failed;
    atomic_bool stop;
};

// ---- The worker

static void keep(kmidi_bridge *b, const request *q, const float *out)
{
    result *r = ring_write(&b->results);
    // the end of its block is when it was complete
    r->at = b->latency ? q->at + q->n - b->latency : q->at;
    r->due = r->at + b->latency + b->lookahead;
    memcpy(r->out, out, (size_t)b->width * sizeof *out);
    ring_written(&b->results);
}

static void answer(kmidi_bridge *b, const request *q)
{
    int made = kmidi_process(b->s, q->in, q->n, b->answers, kmidi_room(b->s));
    if (made < 0)
        atomic_fetch_add(&b->failed, 1);
    for (int i = 0; i < made; i++)
        keep(b, q, b->answers + i * b->width);
}

static void *work(void *arg)
{
    kmidi_bridge *b = arg;
    const struct timespec nap = {0, NAP_NS};
    while (!atomic_load(&b->stop)) {
        request *q = ring_read(&b->requests);
        if (!q || ring_room(&b->results) < (unsigned)b->most) {
            nanosleep(&nap, NULL);
            continue;
        }
        answer(b, q);
        ring_done(&b->requests);
    }
    return NULL;
}

// ---- Opening and closing

static unsigned power_of_two(unsigned n)
{
    unsigned p = 1;
    while (p < n)
        p *= 2;
    return p;
}

static size_t rounded(size_t bytes)
{
    return (bytes + 7) / 8 * 8;
}

static int make_rings(kmidi_bridge *b, int requests)
{
    unsigned asked = power_of_two((unsigned)requests),
             given = power_of_two((unsigned)(requests > b->most ? requests : b->most));
    size_t question = rounded(sizeof(request) + (size_t)b->takes * sizeof(float)),
           reply = rounded(sizeof(result) + (size_t)b->width * sizeof(float));
    void *in = calloc(asked, question), *out = calloc(given, reply);
    b->answers = calloc((size_t)kmidi_room(b->s), sizeof *b->answers);
    ring_open(&b->requests, in, question, asked);
    ring_open(&b->results, out, reply, given);
    return in && out && b->answers;
}

// Signals are the program's business.
static int start(kmidi_bridge *b)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    b->started = !pthread_create(&b->worker, NULL, work, b);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return b->started;
}

kmidi_status kmidi_bridge_open(kmidi_session *s, int requests, int lookahead, kmidi_bridge **out)
{
    if (!s || !out)
        return KMIDI_NOTHING;
    *out = NULL;
    if (kmidi_room(s) < 0)
        return KMIDI_CLOSED;
    if (requests < 1 || requests > REQUESTS_MOST || lookahead < 0)
        return KMIDI_SETUP;
    kmidi_bridge *b = calloc(1, sizeof *b);
    if (!b)
        return KMIDI_MEMORY;
    b->s = s, b->lookahead = lookahead, b->latency = kmidi_latency(s);
    b->heard_until = INT64_MIN;
    b->width = kmidi_width(s), b->takes = kmidi_takes(s), b->most = kmidi_room(s) / b->width;
    if (make_rings(b, requests) && start(b)) {
        *out = b;
        return KMIDI_OK;
    }
    kmidi_bridge_close(b);
    return KMIDI_MEMORY;
}

void kmidi_bridge_close(kmidi_bridge *b)
{
    if (!b)
        return;
    atomic_store(&b->stop, true);
    if (b->started)
        pthread_join(b->worker, NULL);
    free(b->requests.items);
    free(b->results.items);
    free(b->answers);
    free(b);
}

// ---- The audio thread

kmidi_status kmidi_bridge_ask(kmidi_bridge *b, const float *in, int n, int64_t at)
{
    if (!b || (!in && n > 0))
        return KMIDI_NOTHING;
    if (n < 0 || n > b->takes)
        return KMIDI_COUNT;
    request *q = ring_write(&b->requests);
    if (!q) {
        b->counts.refused++;
        return KMIDI_FULL;
    }
    q->at = at, q->n = n;
    if (n)
        memcpy(q->in, in, (size_t)n * sizeof *in);
    ring_written(&b->requests);
    b->counts.asked++;
    return KMIDI_OK;
}

int kmidi_bridge_take(kmidi_bridge *b, int64_t now, float *out, int room, int64_t *at)
{
    if (!b || !out)
        return KMIDI_NOTHING;
    if (room < b->width)
        return KMIDI_ROOM;
    const result *r = ring_read(&b->results);
    if (!r || r->due > now) {
        b->heard_until = now;
        return 0;
    }
    b->counts.answered++;
    b->counts.late += r->due <= b->heard_until;
    memcpy(out, r->out, (size_t)b->width * sizeof *out);
    if (at)
        *at = r->at;
    ring_done(&b->results);
    return 1;
}

int kmidi_bridge_idle(kmidi_bridge *b)
{
    return !b || ring_room(&b->requests) == b->requests.count;
}

int64_t kmidi_bridge_latency(const kmidi_bridge *b)
{
    return b ? b->latency + b->lookahead : KMIDI_NOTHING;
}

kmidi_counts kmidi_bridge_counts(kmidi_bridge *b)
{
    kmidi_counts none = {0};
    if (!b)
        return none;
    b->counts.failed = atomic_load(&b->failed);
    return b->counts;
}
