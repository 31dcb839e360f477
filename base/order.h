// SPDX-License-Identifier: GPL-3.0-or-later
// order.h: the order of many numbers, in linear time, equal ones as they came.
#ifndef KMIDI_BASE_ORDER_H
#define KMIDI_BASE_ORDER_H

#include <stddef.h>
#include <stdint.h>

typedef struct order_item {
    uint64_t key;
    uint32_t index; // the caller's
} order_item;

// Sorts items[n] by key; `spare` has room for n more. Least significant digit first; digits in
// which all keys agree cost one look.
void order_items(order_item *items, order_item *spare, size_t n);

#endif
