// SPDX-License-Identifier: GPL-3.0-or-later
// order.c: radix sort (Knuth, "The Art of Computer Programming" 3, 5.2.5), with insertion for the
// few.
#include "base/order.h"

#include <stdbool.h>
#include <string.h>

enum { BITS = 11, DIGITS = 1 << BITS, FEW = 48 };

static void insert(order_item *items, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        order_item x = items[i];
        size_t k = i;
        for (; k > 0 && items[k - 1].key > x.key; k--)
            items[k] = items[k - 1];
        items[k] = x;
    }
}

static void deal(const order_item *from, order_item *to, size_t n, int shift)
{
    uint32_t place[DIGITS] = {0}, sum = 0;
    for (size_t i = 0; i < n; i++)
        place[from[i].key >> shift & (DIGITS - 1)]++;
    for (int d = 0; d < DIGITS; d++) {
        uint32_t count = place[d];
        place[d] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++)
        to[place[from[i].key >> shift & (DIGITS - 1)]++] = from[i];
}

void order_items(order_item *items, order_item *spare, size_t n)
{
    uint64_t differ = 0;
    order_item *from = items, *to = spare;
    bool sorted = true;
    for (size_t i = 1; i < n; i++) {
        differ |= items[i].key ^ items[0].key;
        sorted = sorted && items[i - 1].key <= items[i].key;
    }
    if (sorted)
        return;
    if (n <= FEW) {
        insert(items, n);
        return;
    }
    for (int shift = 0; shift < 64; shift += BITS)
        if (differ >> shift & (DIGITS - 1)) {
            deal(from, to, n, shift);
            order_item *t = from;
            from = to, to = t;
        }
    if (from != items)
        memcpy(items, from, n * sizeof *items);
}

size_t order_first(const void *list, size_t n, order_below *below, const void *than)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (below(list, mid, than))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}
