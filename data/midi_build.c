// SPDX-License-Identifier: GPL-3.0-or-later
// midi_build.c: from events to music, by the rules that midi.h states.
//
// Times are those of pretty_midi to the last bit, since note-seq rounds them to steps of 10 ms: a tempo of u microseconds gives ticks of
//
//     60 / ((6e7 / u) ticks_per_quarter) seconds,      seconds(tick) = seconds(change) + scale (tick - change)
//
// a tempo at tick 0 replaces those before, and one that repeats the last is no change. Products are rounded before they are added (no fused
// operations). The difference: pretty_midi looks for tempo in the first track alone, this in all.
//
// Which pedal events belong to which instrument is pretty_midi's rule too: those before an instrument's first note wait in a list of their
// channel and track, and every instrument that begins there later takes that list, with what is added to it afterwards.
#include <string.h>

#include "data/midi_internal.h"
#include "data/order.h"

enum { KEYS = MIDI_CHANNELS * 128, MOST_INSTRUMENTS = 65535, NONE = -1 };

typedef struct open_note { // struck and not closed yet
    uint32_t tick;
    int32_t next; // of the same channel and pitch; NONE ends
    uint8_t velocity;
} open_note;

typedef struct pedal_event {
    uint32_t tick;
    int32_t list;
    bool down;
} pedal_event;

typedef struct builder {
    arena *out, work;
    const char *name;
    const midi_frame *frame;
    midi_song *s;
    // the track being read
    int track;
    int32_t first[KEYS], last[KEYS];                    // open notes of each channel and pitch
    int32_t instrument[KEYS], straggler[MIDI_CHANNELS]; // of each channel and program; the waiting list of each channel
    uint8_t program[MIDI_CHANNELS];
    open_note *open; // [all note-ons of the track]
    int32_t n_open;
    // of the whole song
    midi_note *notes; // in the order of closing
    size_t n_notes;
    int32_t *list; // [instruments] of pedal events
    int32_t n_lists;
    pedal_event *pedals;
    size_t n_pedals, room_instruments;
} builder;

// ---- Time

static double scale_of(const midi_song *s, const midi_tempo *t)
{
    return s->smpte ? t->us_per_quarter / 1e6 / s->ticks_per_quarter : 60.0 / (6e7 / t->us_per_quarter * s->ticks_per_quarter);
}

static const midi_tempo *tempo_at_tick(const midi_song *s, double tick)
{
    size_t lo = 0, hi = s->n_tempos;
    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;
        *(s->tempos[mid].tick <= tick ? &lo : &hi) = mid;
    }
    return &s->tempos[lo];
}

double midi_seconds(const midi_song *s, double tick)
{
    const midi_tempo *t = tempo_at_tick(s, tick);
    volatile double past = scale_of(s, t) * (tick - t->tick); // rounded here, not fused with the sum
    return t->seconds + past;
}

double midi_ticks(const midi_song *s, double seconds)
{
    size_t lo = 0, hi = s->n_tempos;
    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;
        *(s->tempos[mid].seconds <= seconds ? &lo : &hi) = mid;
    }
    return s->tempos[lo].tick + (seconds - s->tempos[lo].seconds) / scale_of(s, &s->tempos[lo]);
}

static size_t count_meta(const midi_track *tracks, int n_tracks, uint8_t kind)
{
    size_t n = 0;
    for (int k = 0; k < n_tracks; k++)
        for (size_t i = 0; i < tracks[k].n; i++)
            n += tracks[k].events[i].byte[0] == 0xff && tracks[k].events[i].byte[1] == kind;
    return n;
}

// The meta events of a kind in all tracks by tick, those of one tick by track.
static const midi_event **gather(builder *b, const midi_track *tracks, uint8_t kind, size_t *n)
{
    *n = count_meta(tracks, b->frame->tracks, kind);
    const midi_event **found = NEW(&b->work, const midi_event *, *n + 1), **sorted = NEW(&b->work, const midi_event *, *n + 1);
    order_item *items = NEW(&b->work, order_item, 2 * *n + 1);
    uint32_t at = 0;
    for (int k = 0; k < b->frame->tracks && at < *n; k++)
        for (size_t i = 0; i < tracks[k].n; i++) {
            const midi_event *ev = &tracks[k].events[i];
            if (ev->byte[0] != 0xff || ev->byte[1] != kind)
                continue;
            items[at] = (order_item){ev->tick, at};
            found[at++] = ev;
        }
    order_items(items, items + *n, *n);
    for (size_t i = 0; i < *n; i++)
        sorted[i] = found[items[i].index];
    return sorted;
}

static void add_tempo(midi_song *s, uint32_t tick, double us)
{
    midi_tempo *last = s->n_tempos ? &s->tempos[s->n_tempos - 1] : NULL;
    midi_tempo t = {tick, last ? midi_seconds(s, tick) : 0, us};
    if (last && last->tick == tick)
        *last = t;
    else if (!last || last->us_per_quarter != us)
        s->tempos[s->n_tempos++] = t;
}

// A tempo of 0 says nothing and is passed over.
static void build_tempos(builder *b, const midi_track *tracks)
{
    midi_song *s = b->s;
    size_t n;
    const midi_event **ev = gather(b, tracks, META_TEMPO, &n);
    s->tempos = NEW(b->out, midi_tempo, n + 1);
    add_tempo(s, 0, s->smpte ? b->frame->smpte_tick * s->ticks_per_quarter * 1e6 : 500000);
    for (size_t i = 0; i < n && !s->smpte; i++) {
        const uint8_t *d = ev[i]->byte + 2;
        uint32_t us = (uint32_t)d[0] << 16 | (uint32_t)d[1] << 8 | d[2];
        if (us)
            add_tempo(s, ev[i]->tick, us);
    }
}

// What no metre and no key can be is passed over: files have 18 flats and beats of 1/2^33.
static void build_metres_and_keys(builder *b, const midi_track *tracks)
{
    midi_song *s = b->s;
    size_t n;
    const midi_event **ev = gather(b, tracks, META_METRE, &n);
    s->metres = NEW(b->out, midi_metre, n);
    for (size_t i = 0; i < n; i++)
        if (ev[i]->byte[2] > 0 && ev[i]->byte[3] <= 6)
            s->metres[s->n_metres++] = (midi_metre){ev[i]->tick, midi_seconds(s, ev[i]->tick), ev[i]->byte[2], 1 << ev[i]->byte[3]};
    ev = gather(b, tracks, META_KEY, &n);
    s->keys = NEW(b->out, midi_key, n);
    for (size_t i = 0; i < n; i++) {
        int sharps = (int8_t)ev[i]->byte[2];
        if (sharps >= -7 && sharps <= 7 && ev[i]->byte[3] <= 1)
            s->keys[s->n_keys++] = (midi_key){ev[i]->tick, midi_seconds(s, ev[i]->tick), sharps, ev[i]->byte[3] == 1};
    }
}

// ---- Instruments

static void grow_instruments(builder *b)
{
    midi_song *s = b->s;
    size_t room = b->room_instruments ? b->room_instruments * 2 : 32;
    midi_instrument *more = NEW(&b->work, midi_instrument, room);
    int32_t *lists = NEW(&b->work, int32_t, room);
    if (s->n_instruments) {
        memcpy(more, s->instruments, s->n_instruments * sizeof *more);
        memcpy(lists, b->list, s->n_instruments * sizeof *lists);
    }
    s->instruments = more, b->list = lists, b->room_instruments = room;
}

static int32_t instrument_of(builder *b, int channel)
{
    midi_song *s = b->s;
    int key = channel * 128 + b->program[channel];
    if (b->instrument[key] != NONE)
        return b->instrument[key];
    if (s->n_instruments == b->room_instruments)
        grow_instruments(b);
    int32_t i = (int32_t)s->n_instruments++;
    s->instruments[i] = (midi_instrument){
        .program = b->program[channel], .channel = (uint8_t)channel, .is_drum = channel == MIDI_DRUMS, .track = (uint16_t)b->track};
    b->list[i] = b->straggler[channel] != NONE ? b->straggler[channel] : b->n_lists++;
    return b->instrument[key] = i;
}

// Where a controller of this channel goes.
static int32_t list_of(builder *b, int channel)
{
    int32_t i = b->instrument[channel * 128 + b->program[channel]];
    if (i != NONE)
        return b->list[i];
    if (b->straggler[channel] == NONE)
        b->straggler[channel] = b->n_lists++;
    return b->straggler[channel];
}

// ---- Notes

static void note_on(builder *b, int key, uint32_t tick, uint8_t velocity)
{
    int32_t i = b->n_open++;
    b->open[i] = (open_note){tick, NONE, velocity};
    if (b->first[key] == NONE)
        b->first[key] = i;
    else
        b->open[b->last[key]].next = i;
    b->last[key] = i;
    b->s->note_ons++;
}

static void close_note(builder *b, const open_note *o, int channel, int pitch, uint32_t tick)
{
    int32_t i = instrument_of(b, channel);
    b->s->instruments[i].notes++;
    b->notes[b->n_notes++] =
        (midi_note){.start_tick = o->tick, .end_tick = tick, .instrument = (uint16_t)i, .pitch = (uint8_t)pitch, .velocity = o->velocity};
}

// Notes are in order of their ticks, so that those of this tick, which stay open, are the last.
static void note_off(builder *b, int channel, int pitch, uint32_t tick)
{
    int key = channel * 128 + pitch;
    bool closed = false;
    int32_t i = b->first[key];
    for (; i != NONE && b->open[i].tick != tick; i = b->open[i].next) {
        close_note(b, &b->open[i], channel, pitch, tick);
        closed = true;
    }
    b->first[key] = closed ? i : NONE;
}

static void channel_event(builder *b, const midi_event *ev)
{
    int channel = ev->byte[0] & 15, kind = ev->byte[0] >> 4;
    uint8_t x = ev->byte[1] & 127, y = ev->byte[2] & 127;
    if (kind == 0x9 && y)
        note_on(b, channel * 128 + x, ev->tick, y);
    else if (kind == 0x8 || kind == 0x9)
        note_off(b, channel, x, ev->tick);
    else if (kind == 0xc)
        b->program[channel] = x;
    else if (kind == 0xb && x == CONTROL_PEDAL)
        b->pedals[b->n_pedals++] = (pedal_event){ev->tick, list_of(b, channel), y >= 64};
    else if (kind == 0xb || kind == 0xe)
        list_of(b, channel);
}

static bool build_track(builder *b, const midi_track *t, err *e)
{
    for (int k = 0; k < KEYS; k++)
        b->first[k] = b->instrument[k] = NONE;
    for (int c = 0; c < MIDI_CHANNELS; c++)
        b->straggler[c] = NONE;
    memset(b->program, 0, sizeof b->program);
    b->n_open = 0;
    for (size_t i = 0; i < t->n; i++)
        if (t->events[i].byte[0] != 0xff)
            channel_event(b, &t->events[i]);
    return b->s->n_instruments <= MOST_INSTRUMENTS ||
           err_set(e, ERR_VALUE, "'%s': track %d: more than %d instruments; the file is no music, leave it out", b->name, b->track + 1,
                   MOST_INSTRUMENTS);
}

// By (start, pitch); within these by instrument, then as they were closed, which the counting by instrument before sees to.
static void sort_notes(builder *b)
{
    midi_song *s = b->s;
    size_t n = b->n_notes;
    order_item *items = NEW(&b->work, order_item, 2 * n + 1);
    uint32_t *place = NEW(&b->work, uint32_t, s->n_instruments + 1);
    for (size_t i = 0; i < s->n_instruments; i++)
        place[i + 1] = place[i] + s->instruments[i].notes;
    for (size_t i = 0; i < n; i++)
        items[place[b->notes[i].instrument]++] = (order_item){(uint64_t)b->notes[i].start_tick << 7 | b->notes[i].pitch, (uint32_t)i};
    order_items(items, items + n, n);
    s->notes = NEW(b->out, midi_note, n);
    s->n_notes = n;
    for (size_t i = 0; i < n; i++) {
        midi_note *x = &s->notes[i];
        *x = b->notes[items[i].index];
        x->start = midi_seconds(s, x->start_tick);
        x->end = midi_seconds(s, x->end_tick);
        s->seconds = x->end > s->seconds ? x->end : s->seconds;
    }
}

// ---- Pedals

// The last moment that counts when a pedal is never lifted.
static double last_moment(const builder *b, const uint8_t *used)
{
    const midi_song *s = b->s;
    uint32_t tick = 0;
    for (size_t i = 0; i < b->n_pedals; i++)
        if (used[b->pedals[i].list] && b->pedals[i].tick > tick)
            tick = b->pedals[i].tick;
    for (size_t i = 0; i < s->n_notes; i++)
        if (!s->instruments[s->notes[i].instrument].is_drum && s->notes[i].end_tick > tick)
            tick = s->notes[i].end_tick;
    return midi_seconds(s, tick);
}

// Spans of one list; `ev` is by tick.
static void build_spans(midi_song *s, const pedal_event *ev, size_t n, double last)
{
    bool down = false;
    for (size_t i = 0; i < n;) {
        bool goes_down = false, comes_up = false;
        double t = midi_seconds(s, ev[i].tick);
        for (uint32_t tick = ev[i].tick; i < n && ev[i].tick == tick; i++)
            *(ev[i].down ? &goes_down : &comes_up) = true;
        if (down && comes_up)
            s->pedals[s->n_pedals++].end = t;
        else if (!down && goes_down && !comes_up)
            s->pedals[s->n_pedals].start = t;
        down = (down || goes_down) && !comes_up;
    }
    if (down)
        s->pedals[s->n_pedals++].end = last;
}

static void build_pedals(builder *b)
{
    midi_song *s = b->s;
    size_t lists = (size_t)b->n_lists;
    uint8_t *used = NEW(&b->work, uint8_t, lists);
    uint32_t *from = NEW(&b->work, uint32_t, lists + 1), *first = NEW(&b->work, uint32_t, lists + 1);
    pedal_event *sorted = NEW(&b->work, pedal_event, b->n_pedals);
    for (size_t i = 0; i < s->n_instruments; i++)
        used[b->list[i]] = 1;
    for (size_t i = 0; i < b->n_pedals; i++)
        from[b->pedals[i].list + 1]++;
    for (size_t i = 0; i < lists; i++)
        from[i + 1] += from[i];
    for (size_t i = 0; i < b->n_pedals; i++)
        sorted[from[b->pedals[i].list]++] = b->pedals[i]; // from[i] is now the end of list i
    double last = last_moment(b, used);
    s->pedals = NEW(b->out, midi_pedal, b->n_pedals + 1);
    for (size_t i = 0; i < lists; i++) {
        uint32_t begin = i ? from[i - 1] : 0;
        first[i] = (uint32_t)s->n_pedals;
        if (used[i])
            build_spans(s, sorted + begin, from[i] - begin, last);
    }
    first[lists] = (uint32_t)s->n_pedals;
    for (size_t i = 0; i < s->n_instruments; i++) {
        s->instruments[i].first_pedal = first[b->list[i]];
        s->instruments[i].pedals = first[b->list[i] + 1] - first[b->list[i]];
    }
}

// ----

static void count_events(builder *b, const midi_track *tracks)
{
    size_t ons = 0, most = 0, pedals = 0;
    for (int k = 0; k < b->frame->tracks; k++) {
        size_t here = 0;
        for (size_t i = 0; i < tracks[k].n; i++) {
            const uint8_t *x = tracks[k].events[i].byte;
            here += x[0] >> 4 == 0x9;
            pedals += x[0] >> 4 == 0xb;
        }
        ons += here;
        most = here > most ? here : most;
    }
    b->open = NEW(&b->work, open_note, most);
    b->notes = NEW(&b->work, midi_note, ons);
    b->pedals = NEW(&b->work, pedal_event, pedals);
}

static bool build(builder *b, const midi_track *tracks, err *e)
{
    midi_song *s = b->s;
    *s = (midi_song){.format = b->frame->format,
                     .tracks = b->frame->tracks,
                     .ticks_per_quarter = b->frame->ticks,
                     .smpte = b->frame->smpte,
                     .last_tick = b->frame->last_tick};
    build_tempos(b, tracks);
    build_metres_and_keys(b, tracks);
    count_events(b, tracks);
    for (b->track = 0; b->track < b->frame->tracks; b->track++)
        if (tracks[b->track].n && !build_track(b, &tracks[b->track], e))
            return false;
    const midi_instrument *found = s->instruments;
    s->instruments = NEW(b->out, midi_instrument, s->n_instruments);
    if (found)
        memcpy(s->instruments, found, s->n_instruments * sizeof *found);
    sort_notes(b);
    s->dropped = s->note_ons - (uint32_t)s->n_notes;
    if (s->seconds > MIDI_HOURS * 3600)
        return err_set(e, ERR_VALUE, "'%s': its last note ends after %.1f hours, and the limit is %g; leave it out", b->name,
                       s->seconds / 3600, MIDI_HOURS);
    build_pedals(b);
    return true;
}

bool midi_build(arena *a, const char *name, const midi_frame *f, const midi_track *tracks, midi_song *s, err *e)
{
    arena memory = {.name = "midi build"};
    builder *b = NEW(&memory, builder, 1);
    *b = (builder){.out = a, .work = {.name = "midi build"}, .name = name, .frame = f, .s = s};
    bool ok = build(b, tracks, e);
    arena_free(&b->work);
    arena_free(&memory);
    return ok;
}
