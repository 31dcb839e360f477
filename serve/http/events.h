// SPDX-License-Identifier: GPL-3.0-or-later
// events.h: notes as clients send them, as a song:
//
//     [{"time": 0.0, "type": "note_on", "note": 60, "velocity": 80, "channel": 0},
//      {"time": 0.5, "type": "note_off", "note": 60}, ...]
//
// Seconds, in any order. A note that nobody ends lasts until the same note is struck again, else to
// the end; a note-on of velocity 0 ends one; "duration" ends its own.
#ifndef KMIDI_SERVE_HTTP_EVENTS_H
#define KMIDI_SERVE_HTTP_EVENTS_H

#include "base/json.h"
#include "data/midi/midi.h"

enum { EVENTS_MOST = 100000 };
#define EVENTS_SECONDS 3600.0

// *seconds: how long the piece is said to last (0: to its last event), and how long it does. NULL:
// ERR_VALUE names the event; ERR_EMPTY: there is no note.
midi_song *events_song(const json *list, double *seconds, arena *a, err *e) MUST_CHECK;

#endif
