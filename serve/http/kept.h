// SPDX-License-Identifier: GPL-3.0-or-later
// kept.h: what a service remembers between two requests: the lyrics that a person gave, and what
// was said in each conversation of /interrogate. It is memory that all its processes share, of a
// size that is known when it is opened; of more conversations than KEPT_TALKS the one that was
// silent longest is forgotten. Nothing of it is ever written to a disk.
#ifndef KMIDI_SERVE_HTTP_KEPT_H
#define KMIDI_SERVE_HTTP_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { KEPT_LYRICS = 32768, KEPT_TALKS = 128, KEPT_NAME = 64, KEPT_SAID = 4096 };

typedef struct kept kept;

// A conversation: its name, and what the person said in it, a line each, the oldest forgotten
// first.
typedef struct kept_talk {
    char name[KEPT_NAME + 1], said[KEPT_SAID + 1];
    int turns;
} kept_talk;

kept *kept_open(err *e) MUST_CHECK; // before any process is made
void kept_close(kept *k);           // accepts NULL

void kept_lyrics_put(kept *k, const char *text); // cut at KEPT_LYRICS
void kept_lyrics(kept *k, char out[KEPT_LYRICS + 1]);
// Adds a line to the conversation of that name, which begins where there is none, and copies it.
void kept_say(kept *k, const char *name, const char *line, kept_talk *out);

#endif
