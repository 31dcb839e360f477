// SPDX-License-Identifier: GPL-3.0-or-later
// guests.c: a list behind a lock: a descriptor is closed only by whoever took its guest out of it.
#include "serve/http/guests.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/hw.h"

enum { READING = 6 };

struct guest {
    int fd;
    guest_state state;
    double since; // when it came into that state
    guest *next, **from;
};

struct guests {
    pthread_mutex_t lock;
    guest *first;
};

guests *guests_open(void)
{
    guests *l = base_checked(calloc(1, sizeof *l), sizeof *l);
    pthread_mutex_init(&l->lock, NULL);
    return l;
}

void guests_close(guests *l)
{
    pthread_mutex_destroy(&l->lock);
    free(l);
}

guest *guests_add(guests *l, int fd)
{
    guest *g = base_checked(calloc(1, sizeof *g), sizeof *g);
    *g = (guest){.fd = fd, .state = GUEST_SENDS, .since = hw_seconds(), .from = &l->first};
    pthread_mutex_lock(&l->lock);
    g->next = l->first;
    if (g->next)
        g->next->from = &g->next;
    l->first = g;
    pthread_mutex_unlock(&l->lock);
    return g;
}

void guests_remove(guests *l, guest *g)
{
    pthread_mutex_lock(&l->lock);
    *g->from = g->next;
    if (g->next)
        g->next->from = g->from;
    pthread_mutex_unlock(&l->lock);
    free(g);
}

void guests_move(guests *l, guest *g, guest_state state)
{
    pthread_mutex_lock(&l->lock);
    g->state = state, g->since = hw_seconds();
    pthread_mutex_unlock(&l->lock);
}

int guest_fd(const guest *g)
{
    return g->fd;
}

void guests_sweep(guests *l, double patience)
{
    double now = hw_seconds();
    pthread_mutex_lock(&l->lock);
    for (guest *g = l->first; g; g = g->next) {
        double most = patience * (g->state == GUEST_READS ? READING : 1);
        if (g->state != GUEST_WAITS && now - g->since > most)
            shutdown(g->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&l->lock);
}
