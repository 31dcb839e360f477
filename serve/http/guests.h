// SPDX-License-Identifier: GPL-3.0-or-later
// guests.h: connections, and how long each may do what it does. A client that sends nothing, a byte
// now and then, or never reads, keeps a place that others wait for.
#ifndef KMIDI_SERVE_HTTP_GUESTS_H
#define KMIDI_SERVE_HTTP_GUESTS_H

typedef enum guest_state {
    GUEST_SENDS, // a request, or nothing
    GUEST_WAITS, // for an answer
    GUEST_READS  // an answer
} guest_state;

typedef struct guest guest;
typedef struct guests guests;

guests *guests_open(void);
void guests_close(guests *l);
guest *guests_add(guests *l, int fd); // it sends
void guests_remove(guests *l, guest *g);
void guests_move(guests *l, guest *g, guest_state state);
int guest_fd(const guest *g);
// Shuts down connections that send for longer than `patience` seconds, or read for six times that;
// whoever waits for them then closes them.
void guests_sweep(guests *l, double patience);

#endif
