// SPDX-License-Identifier: GPL-3.0-or-later
// rings.c: N items through a ring of eight, from one thread to another, each of many words that
// must be of the same item. Built with -fsanitize=thread by tests/serve/bridge.c.
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "serve/ring.h"

enum { WORDS = 33, COUNT = 8 };

typedef struct item {
    long word[WORDS];
} item;

static item items[COUNT];
static ring r;
static long n;

static void *write_all(void *arg)
{
    for (long i = 0; i < n;) {
        item *to = ring_write(&r);
        if (!to) {
            sched_yield();
            continue;
        }
        for (int k = 0; k < WORDS; k++)
            to->word[k] = i * WORDS + k;
        ring_written(&r);
        i++;
    }
    return arg;
}

int main(int argc, char **argv)
{
    pthread_t writer;
    long wrong = 0;
    n = argc > 1 ? atol(argv[1]) : 100000;
    ring_open(&r, items, sizeof *items, COUNT);
    if (pthread_create(&writer, NULL, write_all, NULL))
        return 2;
    for (long i = 0; i < n;) {
        item *from = ring_read(&r);
        if (!from) {
            sched_yield();
            continue;
        }
        for (int k = 0; k < WORDS; k++)
            wrong += from->word[k] != i * WORDS + k;
        ring_done(&r);
        i++;
    }
    pthread_join(writer, NULL);
    printf("%ld items in order, %ld words wrong\n", n, wrong);
    return wrong != 0;
}
