// SPDX-License-Identifier: GPL-3.0-or-later
// midi.c: reading a song in a process of its own, and what it takes to get it back from there
// (midi.h).
#include <math.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/order.h"
#include "base/worker.h"
#include "data/midi/midi.h"

const char *const midi_endings[] = {".mid", ".midi", ".kar", ".smf", ".rmi", NULL};

// ---- As bytes: the struct, then its lists. Both sides are the same program, but the other may
// have been overrun by what it read.

typedef struct list {
    size_t at, n_at, size; // offsets of pointer and count in midi_song; bytes of an element
} list;

#define LIST(name)                                                                                 \
    {                                                                                              \
        offsetof(midi_song, name), offsetof(midi_song, n_##name), sizeof *((midi_song *)0)->name   \
    }
static const list lists[] = {LIST(notes),  LIST(instruments), LIST(pedals),
                             LIST(tempos), LIST(metres),      LIST(keys)};
enum { LISTS = sizeof lists / sizeof *lists };

static size_t count_of(const midi_song *s, const list *l)
{
    size_t n;
    memcpy(&n, (const char *)s + l->n_at, sizeof n);
    return n;
}

void midi_pack(const midi_song *s, strbuf *out)
{
    strbuf_add(out, (const char *)s, sizeof *s);
    for (int i = 0; i < LISTS; i++) {
        void *p;
        memcpy(&p, (const char *)s + lists[i].at, sizeof p);
        if (count_of(s, &lists[i]))
            strbuf_add(out, p, count_of(s, &lists[i]) * lists[i].size);
    }
}

static bool notes_ok(const midi_song *s)
{
    for (size_t i = 0; i < s->n_notes; i++) {
        const midi_note *x = &s->notes[i];
        if (x->instrument >= s->n_instruments || x->pitch > 127 || x->velocity < 1 ||
            x->velocity > 127 || !(x->start >= 0) || !(x->end >= x->start) ||
            x->start_tick >= x->end_tick || !(x->end <= s->seconds) ||
            (i && x->start < x[-1].start))
            return false;
    }
    return true;
}

static bool instruments_ok(const midi_song *s)
{
    for (size_t i = 0; i < s->n_instruments; i++) {
        const midi_instrument *x = &s->instruments[i];
        if (x->program > 127 || x->channel >= MIDI_CHANNELS || x->first_pedal > s->n_pedals ||
            x->pedals > s->n_pedals - x->first_pedal)
            return false;
    }
    return true;
}

static bool changes_ok(const midi_song *s)
{
    for (size_t i = 0; i < s->n_tempos; i++)
        if (!(s->tempos[i].us_per_quarter > 0) || !isfinite(s->tempos[i].seconds) ||
            (i ? s->tempos[i].tick <= s->tempos[i - 1].tick : s->tempos[i].tick > 0))
            return false;
    for (size_t i = 0; i < s->n_metres; i++)
        if (s->metres[i].numerator < 1 || s->metres[i].denominator < 1)
            return false;
    for (size_t i = 0; i < s->n_keys; i++)
        if (s->keys[i].sharps < -7 || s->keys[i].sharps > 7)
            return false;
    for (size_t i = 0; i < s->n_pedals; i++)
        if (!(s->pedals[i].start >= 0) || !(s->pedals[i].end >= s->pedals[i].start) ||
            !isfinite(s->pedals[i].end))
            return false;
    return s->n_tempos > 0 && s->ticks_per_quarter > 0 && s->seconds >= 0 &&
           s->seconds <= MIDI_HOURS * 3600;
}

midi_song *midi_unpack(arena *a, const char *name, const void *bytes, size_t n, err *e)
{
    midi_song *s = NEW(a, midi_song, 1);
    const char *p = bytes;
    bool ok = n >= sizeof *s;
    size_t left = ok ? n - sizeof *s : 0;
    if (ok)
        memcpy(s, p, sizeof *s), p += sizeof *s;
    for (int i = 0; ok && i < LISTS; i++) {
        size_t count = count_of(s, &lists[i]);
        if (!(ok = count <= left / lists[i].size))
            break;
        void *copy = arena_alloc(a, count, lists[i].size);
        if (count)
            memcpy(copy, p, count * lists[i].size);
        memcpy((char *)s + lists[i].at, &copy, sizeof copy);
        p += count * lists[i].size, left -= count * lists[i].size;
    }
    if (ok && left == 0 && instruments_ok(s) && changes_ok(s) && notes_ok(s))
        return s;
    err_set(e, ERR_CRASH, "'%s' upset the process that read it; it is likely damaged, leave it out",
            name);
    return NULL;
}

// ---- Files

midi_song *midi_load(arena *a, const char *path, err *e)
{
    arena work = {.name = "midi file"};
    size_t n = 0;
    const char *bytes = file_read(&work, path, MIDI_BYTES, &n, e);
    midi_song *s = bytes ? midi_parse(a, path, bytes, n, e) : NULL;
    arena_free(&work);
    return s;
}

static bool load_packed(void *user, const void *item, size_t n, strbuf *out, err *e)
{
    arena a = {.name = "midi song"};
    (void)user, (void)n;
    const midi_song *s = midi_load(&a, item, e);
    if (s)
        midi_pack(s, out);
    arena_free(&a);
    return s != NULL;
}

midi_song *midi_read(arena *a, const char *path, err *e)
{
    strbuf packed = {0};
    midi_song *s = NULL;
    if (strlen(path) >= WORKER_ITEM) {
        err_set(e, ERR_VALUE, "a path of %zu bytes is too long", strlen(path));
        return NULL;
    }
    if (worker_run(&(worker_options){.fn = load_packed}, path, path, strlen(path) + 1, &packed, e))
        s = midi_unpack(a, path, packed.s, packed.len, e);
    strbuf_free(&packed);
    return s;
}

// ---- Sameness

// Splitmix64's finaliser (Steele, Lea and Flood, 2014).
static uint64_t mixed(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static uint64_t grid(const midi_song *s, uint32_t tick)
{
    return ((uint64_t)tick * 192 + (uint64_t)s->ticks_per_quarter / 2) /
           (uint64_t)s->ticks_per_quarter;
}

void midi_notes_digest(const midi_song *s, char hex[65])
{
    arena work = {.name = "midi digest"};
    order_item *items = NEW(&work, order_item, 2 * s->n_notes + 1);
    for (size_t i = 0; i < s->n_notes; i++) {
        const midi_note *x = &s->notes[i];
        uint64_t drum = s->instruments[x->instrument].is_drum;
        items[i].key = mixed(mixed(grid(s, x->start_tick) << 8 | drum << 7 | x->pitch) +
                             grid(s, x->end_tick) + 1);
    }
    order_items(items, items + s->n_notes, s->n_notes);
    digest *d = digest_open();
    for (size_t i = 0; i < s->n_notes; i++)
        digest_add(d, &items[i].key, sizeof items[i].key);
    digest_close(d, hex);
    arena_free(&work);
}
