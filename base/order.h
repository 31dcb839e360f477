// SPDX-License-Identifier: GPL-3.0-or-later
// order.h: the order of many numbers, in linear time, equal ones as they came; a place in such an
// order.
#ifndef KMIDI_BASE_ORDER_H
#define KMIDI_BASE_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct order_item {
    uint64_t key;
    uint32_t index; // the caller's
} order_item;

// Sorts items[n] by key; `spare` has room for n more. Least significant digit first; digits in
// which all keys agree cost one look.
void order_items(order_item *items, order_item *spare, size_t n);

// The first of n things in order that does not lie below `than`; n where all do. `below` is asked
// about the thing at `i` of `list`.
typedef bool order_below(const void *list, size_t i, const void *than);
size_t order_first(const void *list, size_t n, order_below *below, const void *than);

#endif
