// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_depth.c: how deep the messages of a file nest, found without recursion into a library
// (onnx_depth.h). Encoding: https://protobuf.dev/programming-guides/encoding/
#include "export/onnx_depth.h"

#include <stdint.h>

typedef enum wire_type {
    WIRE_MODEL,
    WIRE_GRAPH,
    WIRE_NODE,
    WIRE_ATTRIBUTE,
    WIRE_TYPE,
    WIRE_VALUE,
    WIRE_SEQUENCE,
    WIRE_FUNCTION,
    WIRE_TRAINING
} wire_type;

// The fields by which messages of ONNX nest without end.
static const struct {
    wire_type from;
    unsigned field;
    wire_type to;
} wire_edges[] = {
    {WIRE_MODEL, 7, WIRE_GRAPH},     {WIRE_MODEL, 20, WIRE_TRAINING},
    {WIRE_MODEL, 25, WIRE_FUNCTION}, {WIRE_TRAINING, 1, WIRE_GRAPH},
    {WIRE_TRAINING, 2, WIRE_GRAPH},  {WIRE_FUNCTION, 7, WIRE_NODE},
    {WIRE_GRAPH, 1, WIRE_NODE},      {WIRE_GRAPH, 11, WIRE_VALUE},
    {WIRE_GRAPH, 12, WIRE_VALUE},    {WIRE_GRAPH, 13, WIRE_VALUE},
    {WIRE_VALUE, 2, WIRE_TYPE},      {WIRE_NODE, 5, WIRE_ATTRIBUTE},
    {WIRE_ATTRIBUTE, 6, WIRE_GRAPH}, {WIRE_ATTRIBUTE, 11, WIRE_GRAPH},
    {WIRE_ATTRIBUTE, 14, WIRE_TYPE}, {WIRE_ATTRIBUTE, 15, WIRE_TYPE},
    {WIRE_TYPE, 4, WIRE_SEQUENCE},   {WIRE_TYPE, 5, WIRE_SEQUENCE},
    {WIRE_TYPE, 9, WIRE_SEQUENCE},   {WIRE_SEQUENCE, 1, WIRE_TYPE},
    {WIRE_SEQUENCE, 2, WIRE_TYPE},
};

static bool wire_varint(const uint8_t **p, const uint8_t *end, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; shift < 64 && *p < end; shift += 7) {
        uint8_t b = *(*p)++;
        *out |= (uint64_t)(b & 127) << shift;
        if (b < 128)
            return true;
    }
    return false;
}

static bool wire_depth(const uint8_t *p, const uint8_t *end, wire_type type, int depth)
{
    uint64_t tag, n = 0;
    while (p < end) {
        if (!depth || !wire_varint(&p, end, &tag))
            return false;
        switch (tag & 7) {
        case 0:
            if (!wire_varint(&p, end, &n))
                return false;
            n = 0;
            break;
        case 1:
            n = 8;
            break;
        case 2:
            if (!wire_varint(&p, end, &n))
                return false;
            break;
        case 5:
            n = 4;
            break;
        default:
            return false;
        }
        if (n > (uint64_t)(end - p))
            return false;
        for (size_t i = 0; (tag & 7) == 2 && i < sizeof wire_edges / sizeof *wire_edges; i++)
            if (wire_edges[i].from == type && wire_edges[i].field == tag >> 3 &&
                !wire_depth(p, p + n, wire_edges[i].to, depth - 1))
                return false;
        p += n;
    }
    return true;
}

bool onnx_depth_within(const void *bytes, size_t n, int depth)
{
    const uint8_t *b = bytes;
    return wire_depth(b, b + n, WIRE_MODEL, depth);
}
