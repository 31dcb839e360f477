// SPDX-License-Identifier: GPL-3.0-or-later
// element.h: the types of elements that files of weights have, by the names that safetensors gives
// them, and which of them may be weights of ours.
#ifndef KMIDI_EXPORT_ELEMENT_H
#define KMIDI_EXPORT_ELEMENT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct element {
    const char *name; // "F32"
    unsigned bits;
    float (*convert)(const uint8_t *b); // NULL: may stand in a file, but no weights of ours
    bool counts;                        // I64: a weight where it is a scalar
} element;

const element *element_find(const char *name); // NULL when there is none

#endif
