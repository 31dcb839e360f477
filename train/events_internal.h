// SPDX-License-Identifier: GPL-3.0-or-later
// events_internal.h: what the writers of event files share: messages in protobuf's wire format
// (events_wire.c), records and files (events.c).
#ifndef KMIDI_TRAIN_EVENTS_INTERNAL_H
#define KMIDI_TRAIN_EVENTS_INTERNAL_H

#include <stdio.h>

#include "train/events.h"

struct events {
    FILE *file;
    const char *path;
};

// Bytes of a message; whoever opens one knows that there is room.
typedef struct wire {
    uint8_t *p;
    size_t n;
} wire;

void wire_put(wire *w, const void *bytes, size_t n);
void wire_varint(wire *w, uint64_t v);
void wire_little(wire *w, uint64_t v, int bytes);
void wire_double(wire *w, int field, double v);
void wire_float(wire *w, int field, float v);
void wire_int(wire *w, int field, uint64_t v);
void wire_bytes(wire *w, int field, const void *bytes, size_t n); // a text, or a message

enum { EVENTS_FRAME = 16 }; // bytes of a record besides its message
size_t events_frame(const wire *event, uint8_t *out);
bool events_record(events *v, const uint8_t *bytes, size_t n, err *e) MUST_CHECK;
double events_wall_time(void);
// The name of a new file. TensorBoard reads a folder's files in the order of their names, so it
// comes behind all that are there, also of a run that went on within a second, or on a machine
// whose clock is behind.
const char *events_file_name(const char *dir, const char *ending, double now, arena *a);
#define EVENTS_END ".end" // of the file that says how a run ended (hparams.h)

#endif
