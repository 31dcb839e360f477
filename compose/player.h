// SPDX-License-Identifier: GPL-3.0-or-later
// player.h: a model of events plays on from what the plan began (compose.h).
#ifndef KMIDI_COMPOSE_PLAYER_H
#define KMIDI_COMPOSE_PLAYER_H

#include "compose/compose.h"
#include "data/music/arrange.h"

enum { PLAYER_OPENING = 2 }; // bars that are played as they were arranged, and heard

// Of `r`, a whole arrangement without its drums, the first PLAYER_OPENING bars and the last one
// stay; between them plays c->player, on a piano of its own, striking only what scale[bar] holds.
// The plan has COMPOSE_EVENTS_LEAST bars or more.
arrangement *player_go_on(composition *c, const arrangement *r, const float *vector,
                          const uint16_t *scale, err *e) MUST_CHECK;

#endif
