// SPDX-License-Identifier: GPL-3.0-or-later
// bell.h: one thread tells another that there is something to do; what there is lies in a ring.
// Ringing never waits for who listens, but for the few instructions in which it looks at the count.
#ifndef KMIDI_PERFORM_BELL_H
#define KMIDI_PERFORM_BELL_H

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

enum { BELL_PATIENCE_MS = 100 }; // somebody who listens looks around now and then

typedef struct bell {
    pthread_mutex_t lock;
    pthread_cond_t rung;
    unsigned count;
} bell;

#define BELL_STILL                                                                                 \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0                                     \
    }

static inline void bell_ring(bell *b)
{
    pthread_mutex_lock(&b->lock);
    b->count++;
    pthread_cond_signal(&b->rung);
    pthread_mutex_unlock(&b->lock);
}

// Until it was rung since *seen, or for a moment; one listener a bell.
static inline void bell_wait(bell *b, unsigned *seen)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += BELL_PATIENCE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L, until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&b->lock);
    for (int late = 0; b->count == *seen && !late;)
        late = pthread_cond_timedwait(&b->rung, &b->lock, &until);
    *seen = b->count;
    pthread_mutex_unlock(&b->lock);
}

#endif
