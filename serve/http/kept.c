// SPDX-License-Identifier: GPL-3.0-or-later
// kept.c: pages that are shared with what is forked, behind a lock in them (kept.h). A worker may
// be killed at any instant, so the lock is one that time breaks: what it guards is a copy of a few
// kilobytes, and who holds it longer than PATIENCE is no more.
#include "serve/http/kept.h"

#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "base/hw.h"
#include "base/str.h"

static const double PATIENCE = 0.5;

struct kept {
    atomic_flag busy;
    uint64_t clock;
    char lyrics[KEPT_LYRICS + 1];
    kept_talk talks[KEPT_TALKS];
    uint64_t last[KEPT_TALKS]; // when each was spoken in; 0: never
};

kept *kept_open(err *e)
{
    kept *k = mmap(NULL, sizeof *k, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (k != MAP_FAILED)
        return k;
    err_errno(e, "no memory to share with workers");
    return NULL;
}

void kept_close(kept *k)
{
    if (k)
        munmap(k, sizeof *k);
}

static void lock(kept *k)
{
    double since = hw_seconds();
    while (atomic_flag_test_and_set(&k->busy) && hw_seconds() - since < PATIENCE)
        sched_yield();
}

static void unlock(kept *k)
{
    atomic_flag_clear(&k->busy);
}

void kept_lyrics_put(kept *k, const char *text)
{
    size_t n = str_head(text, KEPT_LYRICS);
    lock(k);
    memcpy(k->lyrics, text, n);
    k->lyrics[n] = 0;
    unlock(k);
}

void kept_lyrics(kept *k, char out[KEPT_LYRICS + 1])
{
    lock(k);
    memcpy(out, k->lyrics, sizeof k->lyrics);
    unlock(k);
    out[KEPT_LYRICS] = 0;
}

static int find(const kept *k, const char *name)
{
    int oldest = 0;
    for (int i = 0; i < KEPT_TALKS; i++) {
        if (k->last[i] && !strncmp(k->talks[i].name, name, KEPT_NAME))
            return i;
        oldest = k->last[i] < k->last[oldest] ? i : oldest;
    }
    return oldest;
}

static void add_line(kept_talk *t, const char *line)
{
    size_t n = str_head(line, KEPT_SAID / 2), had = strnlen(t->said, KEPT_SAID);
    while (had && had + n + 1 > KEPT_SAID) {
        const char *end = memchr(t->said, '\n', had);
        size_t gone = end ? (size_t)(end - t->said) + 1 : had;
        memmove(t->said, t->said + gone, had - gone);
        had -= gone;
    }
    memcpy(t->said + had, line, n);
    t->said[had + n] = '\n', t->said[had + n + 1] = 0;
    t->turns++;
}

void kept_say(kept *k, const char *name, const char *line, kept_talk *out)
{
    char cut[KEPT_NAME + 1] = "";
    memcpy(cut, name, str_head(name, KEPT_NAME));
    lock(k);
    int at = find(k, cut);
    if (strncmp(k->talks[at].name, cut, KEPT_NAME) || !k->last[at]) {
        memset(&k->talks[at], 0, sizeof k->talks[at]);
        memcpy(k->talks[at].name, cut, sizeof cut);
    }
    add_line(&k->talks[at], line);
    k->last[at] = ++k->clock;
    *out = k->talks[at];
    unlock(k);
}
