// SPDX-License-Identifier: GPL-3.0-or-later
// port.h: a MIDI port for other programs to connect to: messages out at their moments, control
// changes in. A kind is a file and a line in ports.def; its library is opened when it is asked for,
// so that nothing else needs it.
//
//     midi_port *p = midi_port_open("jack", "kmidi", e);                  // "kmidi:out",
//     "kmidi:in"
//     midi_port_send(p, event.bytes, hw_seconds() + 0.01)            // real time
//     midi_port_hear(p, bytes)                                       // another thread
//     midi_port_close(p);
#ifndef KMIDI_PERFORM_PORT_H
#define KMIDI_PERFORM_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

typedef struct midi_port midi_port;

// ERR_USAGE names the kinds; ERR_MISSING where there is no such library or server, with a remedy.
midi_port *midi_port_open(const char *kind, const char *name, arena *a, err *e) MUST_CHECK;
// A message of 2 or 3 bytes at a moment of hw_seconds, in order; false: there was no place. Takes
// no memory and no lock; of ALSA it is a system call.
bool midi_port_send(midi_port *p, const uint8_t bytes[3], double when);
bool midi_port_hear(midi_port *p, uint8_t bytes[3]); // a control change that came in
void midi_port_close(midi_port *p);                  // accepts NULL; what was sent is played
const char *midi_port_name(const midi_port *p);      // "JACK's kmidi:out"

// ---- For the kinds

typedef struct midi_port_kind {
    const char *name;
    midi_port *(*open)(const char *name, arena *a, err *e);
    bool (*send)(midi_port *p, const uint8_t bytes[3], double when);
    bool (*hear)(midi_port *p, uint8_t bytes[3]);
    void (*close)(midi_port *p);
} midi_port_kind;

struct midi_port {
    const midi_port_kind *kind;
    const char *name;
    void *self;
};

#define PORT(name) extern const midi_port_kind midi_port_kind_##name;
#include "perform/ports.def"
#undef PORT

#endif
