// SPDX-License-Identifier: GPL-3.0-or-later
// events_wire.c: protobuf's wire format, as far as event files need it.
#include <string.h>

#include "train/events_internal.h"

void wire_put(wire *w, const void *bytes, size_t n)
{
    memcpy(w->p + w->n, bytes, n);
    w->n += n;
}

void wire_varint(wire *w, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        w->p[w->n++] = (uint8_t)(v | 0x80);
    w->p[w->n++] = (uint8_t)v;
}

void wire_little(wire *w, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        w->p[w->n++] = (uint8_t)(v >> (8 * i));
}

void wire_double(wire *w, int field, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    wire_varint(w, (uint64_t)field << 3 | 1);
    wire_little(w, bits, 8);
}

void wire_float(wire *w, int field, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    wire_varint(w, (uint64_t)field << 3 | 5);
    wire_little(w, bits, 4);
}

void wire_int(wire *w, int field, uint64_t v)
{
    wire_varint(w, (uint64_t)field << 3);
    wire_varint(w, v);
}

void wire_bytes(wire *w, int field, const void *bytes, size_t n)
{
    wire_varint(w, (uint64_t)field << 3 | 2);
    wire_varint(w, n);
    wire_put(w, bytes, n);
}
