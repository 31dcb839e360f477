// SPDX-License-Identifier: GPL-3.0-or-later
// film_bytes.h: how a frame becomes bytes, a row a kind of film (film.h).
#ifndef KMIDI_PERFORM_FILM_BYTES_H
#define KMIDI_PERFORM_FILM_BYTES_H

#include "base/str.h"
#include "perform/film.h"

typedef struct film_kind {
    const char *ending;                             // of the name; NULL: a folder
    bool folder, points, steady;                    // steady: every place of its rate has a frame
    void (*head)(const film_setup *o, strbuf *out); // may be NULL
    void (*bytes)(const film_setup *o, const film_frame *x, strbuf *out);
} film_kind;

const film_kind *film_kind_of(const char *path);

#endif
