// SPDX-License-Identifier: GPL-3.0-or-later
// midi_frame.c: a MIDI file is taken apart into chunks and events, every length checked, before any
// library sees it.
//
// What comes out is a file again, plain enough that libsmf 1.3 can neither misread it nor abort
// over it. It is made because libsmf
//
//     - reads behind the end of its buffer when a track's length says so, and aborts when a track
//       has no end event
//     - takes the length of a meta event for one byte, so that every text of more than 127 bytes
//       shifts what follows
//     - lets meta and system-exclusive events replace the running status
//     - knows neither SMPTE time, format 2, long headers nor chunks of other kinds
//     - goes through the whole file again for every tempo or metre that is not the last event so
//       far
//
// So events get their status byte written out, texts, system-exclusive and other events that no
// song keeps are left out (their time goes to the next one), and tempo, metre and key travel as
// sequencer-specific events. Nothing is interpreted here, and nothing is invented: a file whose
// events do not add up is refused with the place where they stop doing so.
//
// Format: Standard MIDI Files 1.0 (RP-001), RMID: RP-029.
#include <stdio.h>
#include <string.h>

#include "data/midi/midi_internal.h"

typedef struct place {
    const char *name;
    const uint8_t *file, *p, *end; // end: of the part that is being read
    int track, tracks;             // from 1; how many the header promises
    uint8_t *out;
    size_t events;
    // of the event being read; of the last one written; the last of all
    uint32_t tick, written, last_tick;
    uint32_t *begin; // of each track; format 2 alone
    uint32_t behind_end;
    size_t missing, stated; // bytes of the track that the file does not have, of how many
    bool behind;            // the end of the track: nothing is written, notes are counted
    uint8_t running;
    uint16_t marked; // channels with a controller since their last program
} place;

static uint32_t be(const uint8_t *p, int n)
{
    uint32_t x = 0;
    while (n--)
        x = x << 8 | *p++;
    return x;
}

static bool damaged(const place *r, const char *what, err *e)
{
    char cut[80] = "";
    if (r->missing)
        snprintf(cut, sizeof cut, " (%zu of its %zu bytes are missing)", r->missing, r->stated);
    return err_set(e, ERR_DAMAGED, "'%s': track %d of %d%s, byte %zu: %s; %s", r->name, r->track,
                   r->tracks, cut, (size_t)(r->p - r->file), what,
                   "the file is damaged, leave it out or get it again");
}

// ---- Writing

static void put(place *r, const uint8_t *bytes, size_t n)
{
    memcpy(r->out, bytes, n);
    r->out += n;
}

static void put_number(place *r, uint32_t x)
{
    uint8_t b[4] = {0x80 | x >> 21, 0x80 | (x >> 14 & 0x7f), 0x80 | (x >> 7 & 0x7f), x & 0x7f};
    int skip = x >> 21 ? 0 : x >> 14 ? 1 : x >> 7 ? 2 : 3;
    put(r, b + skip, (size_t)(4 - skip));
}

// The time since the last event written. What does not fit into one number is bridged by empty
// events.
static void put_time(place *r)
{
    static const uint8_t nothing[] = {0xff, META_OWN, 1, 0};
    enum { MOST = 0x0fffffff };
    for (; r->tick - r->written > MOST; r->written += MOST) {
        put_number(r, MOST);
        put(r, nothing, sizeof nothing);
        r->events++;
    }
    put_number(r, r->tick - r->written);
    r->written = r->tick;
    r->events++;
}

// ---- Events

static bool number(place *r, uint32_t *x, err *e)
{
    *x = 0;
    for (int i = 0; i < 4; i++) {
        if (r->p == r->end)
            return damaged(r, "the track ends inside an event", e);
        *x = *x << 7 | (*r->p & 0x7f);
        if (*r->p++ < 0x80)
            return true;
    }
    return damaged(r, "a number has more than four bytes", e);
}

static bool length(place *r, uint32_t *n, err *e)
{
    return number(r, n, e) &&
           (*n <= (size_t)(r->end - r->p) || damaged(r, "an event is longer than its track", e));
}

// Controllers other than the pedal, and pitch bends, matter only in that there is one: it is then
// that pretty_midi begins to collect events for an instrument to come (midi_build.c). One after
// each program says so.
static bool wanted(place *r, uint8_t status, const uint8_t *data)
{
    uint16_t bit = (uint16_t)(1u << (status & 15));
    switch (status >> 4) {
    case 0x8:
    case 0x9:
        return true;
    case 0xc:
        r->marked &= (uint16_t)~bit;
        return true;
    case 0xb:
    case 0xe:
        if ((r->marked & bit) && ((status >> 4) == 0xe || data[0] != CONTROL_PEDAL))
            return false;
        r->marked |= bit;
        return true;
    }
    return false;
}

static bool channel_event(place *r, uint8_t status, err *e)
{
    size_t n = status >> 4 == 0xc || status >> 4 == 0xd ? 1 : 2;
    if (n > (size_t)(r->end - r->p))
        return damaged(r, "the track ends inside an event", e);
    if ((r->p[0] | r->p[n - 1]) & 0x80)
        return damaged(r, "a data byte is above 127", e);
    r->running = status;
    if (r->behind) {
        r->behind_end += status >> 4 == 0x9 && r->p[1] > 0;
    } else if (wanted(r, status, r->p)) {
        put_time(r);
        *r->out++ = status;
        put(r, r->p, n);
    }
    r->p += n;
    return true;
}

// *ended: it was the end of the track.
static bool meta_event(place *r, bool *ended, err *e)
{
    uint32_t n;
    if (r->p == r->end)
        return damaged(r, "the track ends inside an event", e);
    uint8_t kind = *r->p++;
    if (!length(r, &n, e))
        return false;
    *ended = kind == META_END;
    size_t least = kind == META_TEMPO ? 3 : 2;
    bool kept = kind == META_TEMPO || kind == META_METRE || kind == META_KEY;
    if (kept && n >= least && !r->behind) {
        uint8_t head[] = {0xff, META_OWN, (uint8_t)(1 + least), kind};
        put_time(r);
        put(r, head, sizeof head);
        put(r, r->p, least);
    }
    r->p += n;
    return true;
}

// System messages other than exclusive ones have no place in a file, but those of known length can
// be passed over.
static bool system_event(place *r, uint8_t status, err *e)
{
    static const int8_t lengths[16] = {-1, 1, 2, 1, -2, -2, 0, -1, 0, -2, 0, 0, 0, -2, 0, -1};
    uint32_t n = 0;
    int known = lengths[status & 15];
    if (known == -2)
        return damaged(r, "an event has a status that means nothing", e);
    if (known < 0 && !length(r, &n, e))
        return false;
    if (known > r->end - r->p)
        return damaged(r, "the track ends inside an event", e);
    r->p += known < 0 ? n : (uint32_t)known;
    return true;
}

static bool event(place *r, bool *ended, err *e)
{
    uint32_t delta;
    if (!number(r, &delta, e))
        return false;
    if (delta > INT32_MAX - r->tick - (r->begin ? r->begin[r->track - 1] : 0))
        return err_set(e, ERR_VALUE,
                       "'%s': track %d of %d, byte %zu: more than %d ticks; the file is no music, "
                       "leave it out",
                       r->name, r->track, r->tracks, (size_t)(r->p - r->file), INT32_MAX);
    r->tick += delta;
    if (r->p == r->end)
        return damaged(r, "the track ends inside an event", e);
    uint8_t status = r->running;
    if (*r->p & 0x80)
        status = *r->p++;
    else if (!status)
        return damaged(r, "an event leaves out its status, and there is none before it", e);
    if (status < 0xf0)
        return channel_event(r, status, e);
    return status == 0xff ? meta_event(r, ended, e) : system_event(r, status, e);
}

// ---- Chunks

// What stands behind the end of a track is none of its music. Notes there are counted, as far as
// they can be read.
static void count_behind(place *r)
{
    err ignored = {0};
    place q = *r;
    bool ended;
    q.behind = true;
    while (q.p < q.end && event(&q, &ended, &ignored))
        ;
    r->behind_end = q.behind_end;
}

// The track of `n` bytes at r->p; where that points beyond the file, only an end event can say
// where it ends.
static bool track(place *r, size_t n, err *e)
{
    static const uint8_t head[] = {'M', 'T', 'r', 'k', 0, 0, 0, 0}, end[] = {0xff, META_END, 0};
    const uint8_t *file_end = r->end;
    uint8_t *begin = r->out;
    bool ended = false;
    size_t left = (size_t)(r->end - r->p);
    r->stated = n, r->missing = n > left ? n - left : 0;
    r->end = r->p + (n - r->missing);
    r->tick = r->written = r->running = r->marked = 0;
    if (r->begin)
        r->begin[r->track - 1] = r->last_tick;
    put(r, head, sizeof head);
    while (!ended && r->p < r->end)
        if (!event(r, &ended, e))
            return false;
    if (!ended && r->missing)
        return damaged(r, "the file ends before the track does", e);
    put_time(r);
    put(r, end, sizeof end);
    uint32_t bytes = (uint32_t)(r->out - begin - 8);
    for (int i = 0; i < 4; i++)
        begin[4 + i] = (uint8_t)(bytes >> (24 - 8 * i));
    uint32_t last = r->tick + (r->begin ? r->begin[r->track - 1] : 0);
    r->last_tick = last > r->last_tick ? last : r->last_tick;
    if (!r->missing)
        count_behind(r);
    r->p = r->missing ? r->p : r->end;
    r->end = file_end;
    return true;
}

// A name of four printable characters, and all of it in the file.
static bool is_chunk(const place *r)
{
    for (int i = 0; i < 4; i++)
        if (r->p[i] < 0x20 || r->p[i] > 0x7e)
            return false;
    return be(r->p + 4, 4) <= (size_t)(r->end - r->p) - 8;
}

// Everything behind the header. *found: how many tracks.
static bool chunks(place *r, int *found, err *e)
{
    for (*found = 0; r->end - r->p >= 8;) {
        size_t n = be(r->p + 4, 4);
        if (!memcmp(r->p, "MTrk", 4) && *found < MIDI_TRACKS) {
            r->track = ++*found;
            r->p += 8;
            if (!track(r, n, e))
                return false;
        } else if (*found >= r->tracks) {
            return true; // what stands behind the last track is none of the music
        } else if (is_chunk(r)) {
            r->p += 8 + n;
        } else {
            break;
        }
    }
    r->track = *found + 1;
    return r->p == r->end || *found >= r->tracks || damaged(r, "here a track should begin", e);
}

// The contents of the "data" chunk of a RIFF file, or the file as it is.
static void unwrap(place *r)
{
    if (r->end - r->p < 20 || memcmp(r->p, "RIFF", 4) || memcmp(r->p + 8, "RMID", 4))
        return;
    for (const uint8_t *p = r->p + 12; r->end - p >= 8;) {
        size_t n = p[4] | (size_t)p[5] << 8 | (size_t)p[6] << 16 | (size_t)p[7] << 24,
               rest = (size_t)(r->end - p) - 8;
        if (!memcmp(p, "data", 4)) {
            r->p = p + 8;
            r->end = r->p + (n < rest ? n : rest);
            return;
        }
        if (n > rest)
            return;
        p += 8 + n + (n & 1 && n < rest);
    }
}

static bool header(place *r, midi_frame *f, err *e)
{
    size_t left = (size_t)(r->end - r->p);
    if (left < 14)
        return err_set(
            e, ERR_FORMAT,
            "'%s' is %zu bytes long, shorter than the header of a MIDI file; leave it out", r->name,
            left);
    if (memcmp(r->p, "MThd", 4))
        return err_set(e, ERR_FORMAT,
                       "'%s' does not begin with 'MThd', so it is no MIDI file; leave it out",
                       r->name);
    uint32_t n = be(r->p + 4, 4);
    if (n < 6 || n > left - 8)
        return err_set(
            e, ERR_DAMAGED,
            "'%s': byte 4: the header says it is %u bytes long; the file is damaged, leave it out",
            r->name, n);
    f->format = (int)be(r->p + 8, 2);
    r->tracks = (int)be(r->p + 10, 2);
    if (f->format > 2)
        return err_set(e, ERR_FORMAT, "'%s': byte 8: format %d, there are 0, 1 and 2; leave it out",
                       r->name, f->format);
    if (!midi_division(r->name, be(r->p + 12, 2), f, e))
        return false;
    r->p += 8 + n;
    return true;
}

static void write_header(const midi_frame *f, uint8_t *out)
{
    int ticks = f->smpte ? 480 : f->ticks; // libsmf's own seconds are not used
    memcpy(out, "MThd\0\0\0\6\0\1", 10);   // six bytes, format 1
    out[10] = (uint8_t)(f->tracks >> 8), out[11] = (uint8_t)f->tracks;
    out[12] = (uint8_t)(ticks >> 8), out[13] = (uint8_t)ticks;
}

// Room for what is written. An event grows by its status at most, which is half of what it had; 8
// bytes of bridge stand for an event of 5 or more that was left out; a track (8 bytes or more)
// gains its head, or its end, or both.
static size_t room(size_t n)
{
    return 14 + 2 * n + (n / 8 + 1) * 16;
}

bool midi_frame_read(arena *a, const char *name, const void *bytes, size_t n, midi_frame *f, err *e)
{
    *f = (midi_frame){0};
    if (n == 0)
        return err_set(e, ERR_EMPTY, "'%s' is empty; leave it out or get it again", name);
    if (n > MIDI_BYTES)
        return err_set(e, ERR_VALUE,
                       "'%s' is %zu bytes long, and music as MIDI has at most %d; leave it out",
                       name, n, MIDI_BYTES);
    place r = {.name = name, .file = bytes, .p = bytes, .end = (const uint8_t *)bytes + n};
    unwrap(&r);
    if (!header(&r, f, e))
        return false;
    uint8_t *out = NEW(a, uint8_t, room(n));
    r.out = out + 14;
    r.begin = f->format == 2 ? NEW(a, uint32_t, n / 8 + 1) : NULL; // a track has 8 bytes or more
    if (!chunks(&r, &f->tracks, e))
        return false;
    if (f->tracks == 0)
        return err_set(e, ERR_EMPTY, "'%s' holds no track; leave it out or get it again", name);
    write_header(f, out);
    f->bytes = out, f->n = (size_t)(r.out - out);
    f->events = r.events;
    f->last_tick = r.last_tick;
    f->begin = r.begin;
    f->behind_end = r.behind_end;
    return true;
}
