// SPDX-License-Identifier: GPL-3.0-or-later
// shelf.h: the models of a service, opened once, each at its place by what it does.
//
//     shelf s = {0};
//     shelf_put(&s, trained, e) ...                  "a second melody_transformer ..."
//     shelf_by(&s, SHELF_MELODY)                     NULL: there is none, rules do
//
// Models that listen (recognisers of emotion, instruments, nodes) may be many, and are asked for by
// name; of all others there is one.
#ifndef KMIDI_SERVE_HTTP_SHELF_H
#define KMIDI_SERVE_HTTP_SHELF_H

#include "infer/trained.h"

typedef enum shelf_place {
    SHELF_MELODY,
    SHELF_HARMONY,
    SHELF_GROOVE,
    SHELF_DYNAMICS,
    SHELF_PLAYER,
    SHELF_CLOUDS,
    SHELF_PLACES
} shelf_place;

enum { SHELF_EARS = 8 };

typedef struct shelf {
    const trained *at[SHELF_PLACES];
    const trained *ears[SHELF_EARS];
    int n_ears;
} shelf;

// ERR_MISMATCH: there is one of its kind; ERR_USAGE: too many ears; else as trained_mel, which ears
// and clouds need.
bool shelf_put(shelf *s, trained *d, err *e) MUST_CHECK;
const trained *shelf_by(const shelf *s, shelf_place place);
// "melody", "harmony" ...: as parts of a piece are called.
const char *shelf_part(shelf_place place);
// The ear of that model's name (NULL: the first). -1 with a sentence.
int shelf_ear(const shelf *s, const char *name, err *e) MUST_CHECK;

#endif
