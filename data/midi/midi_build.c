// SPDX-License-Identifier: GPL-3.0-or-later
// midi_build.c: from events to music, by the rules that midi.h states.
//
// Which pedal events belong to which instrument is pretty_midi's rule too: those before an
// instrument's first note wait in a list of their channel and track, and every instrument that
// begins there later takes that list, with what is added to it afterwards.
#include <string.h>

#include "base/order.h"
#include "data/midi/midi_internal.h"

enum { KEYS = MIDI_CHANNELS * 128, MOST_INSTRUMENTS = 65535, NONE = -1 };

typedef struct open_note { // struck and not closed yet
    uint32_t tick;
    int32_t next; // of the same channel and pitch; NONE ends
    uint8_t velocity;
} open_note;

typedef struct pedal_event {
    uint32_t tick;
    int32_t list;
    uint16_t track;
    bool down;
} pedal_event;

typedef struct builder {
    arena *out, work;
    const char *name;
    const midi_frame *frame;
    midi_song *s;
    // the track being read
    int track;
    int32_t first[KEYS], last[KEYS]; // open notes of each channel and pitch
    // of each channel and program; the waiting list of each channel
    int32_t instrument[KEYS], straggler[MIDI_CHANNELS];
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
    s->instruments[i] = (midi_instrument){.program = b->program[channel],
                                          .channel = (uint8_t)channel,
                                          .is_drum = channel == MIDI_DRUMS,
                                          .track = (uint16_t)b->track};
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
    b->notes[b->n_notes++] = (midi_note){.start_tick = o->tick,
                                         .end_tick = tick,
                                         .instrument = (uint16_t)i,
                                         .pitch = (uint8_t)pitch,
                                         .velocity = o->velocity};
}

// Notes are in order of their ticks, so that those of this tick, which stay open, are the last.
// Where there are no others they are dropped, but drum hits: these are moments, and last a tick.
static void note_off(builder *b, int channel, int pitch, uint32_t tick)
{
    int key = channel * 128 + pitch;
    bool closed = false;
    int32_t i = b->first[key];
    for (; i != NONE && b->open[i].tick != tick; i = b->open[i].next) {
        close_note(b, &b->open[i], channel, pitch, tick);
        closed = true;
    }
    for (; !closed && channel == MIDI_DRUMS && i != NONE; i = b->open[i].next)
        close_note(b, &b->open[i], channel, pitch, tick + 1);
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
        b->pedals[b->n_pedals++] =
            (pedal_event){ev->tick, list_of(b, channel), (uint16_t)b->track, y >= 64};
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
           err_set(e, ERR_VALUE,
                   "'%s': track %d: more than %d instruments; the file is no music, leave it out",
                   b->name, b->track + 1, MOST_INSTRUMENTS);
}

// By (start, pitch); within these by instrument, then as they were closed, which the counting by
// instrument before sees to.
static void sort_notes(builder *b)
{
    midi_song *s = b->s;
    size_t n = b->n_notes;
    order_item *items = NEW(&b->work, order_item, 2 * n + 1);
    uint32_t *place = NEW(&b->work, uint32_t, s->n_instruments + 1);
    for (size_t i = 0; i < s->n_instruments; i++)
        place[i + 1] = place[i] + s->instruments[i].notes;
    for (size_t i = 0; i < n; i++)
        items[place[b->notes[i].instrument]++] =
            (order_item){(uint64_t)b->notes[i].start_tick << 7 | b->notes[i].pitch, (uint32_t)i};
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

// The last tick that counts when a pedal is never lifted, [tracks]: of each sequence of format 2,
// else the same for all.
static const uint32_t *last_ticks(builder *b, const uint8_t *used)
{
    const midi_song *s = b->s;
    bool apart = b->frame->begin != NULL;
    uint32_t *last = NEW(&b->work, uint32_t, (size_t)b->frame->tracks);
    for (size_t i = 0; i < b->n_pedals; i++) {
        const pedal_event *x = &b->pedals[i];
        uint32_t *at = &last[apart ? x->track : 0];
        if (used[x->list] && x->tick > *at)
            *at = x->tick;
    }
    for (size_t i = 0; i < s->n_notes; i++) {
        const midi_instrument *x = &s->instruments[s->notes[i].instrument];
        uint32_t *at = &last[apart ? x->track : 0];
        if (!x->is_drum && s->notes[i].end_tick > *at)
            *at = s->notes[i].end_tick;
    }
    for (int k = 1; !apart && k < b->frame->tracks; k++)
        last[k] = last[0];
    return last;
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
    uint32_t *from = NEW(&b->work, uint32_t, lists + 1),
             *first = NEW(&b->work, uint32_t, lists + 1);
    pedal_event *sorted = NEW(&b->work, pedal_event, b->n_pedals);
    for (size_t i = 0; i < s->n_instruments; i++)
        used[b->list[i]] = 1;
    for (size_t i = 0; i < b->n_pedals; i++)
        from[b->pedals[i].list + 1]++;
    for (size_t i = 0; i < lists; i++)
        from[i + 1] += from[i];
    for (size_t i = 0; i < b->n_pedals; i++)
        sorted[from[b->pedals[i].list]++] = b->pedals[i]; // from[i] is now the end of list i
    const uint32_t *last = last_ticks(b, used);
    s->pedals = NEW(b->out, midi_pedal, b->n_pedals + 1);
    for (size_t i = 0; i < lists; i++) {
        uint32_t begin = i ? from[i - 1] : 0;
        first[i] = (uint32_t)s->n_pedals;
        if (used[i] && from[i] > begin)
            build_spans(s, sorted + begin, from[i] - begin,
                        midi_seconds(s, last[sorted[begin].track]));
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
                     .last_tick = b->frame->last_tick,
                     .behind_end = b->frame->behind_end};
    midi_build_time(b->out, b->frame, tracks, s);
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
        return err_set(
            e, ERR_VALUE,
            "'%s': its last note ends after %.1f hours, and the limit is %g; leave it out", b->name,
            s->seconds / 3600, MIDI_HOURS);
    build_pedals(b);
    return true;
}

bool midi_build(arena *a, const char *name, const midi_frame *f, const midi_track *tracks,
                midi_song *s, err *e)
{
    arena memory = {.name = "midi build"};
    builder *b = NEW(&memory, builder, 1);
    *b = (builder){.out = a, .work = {.name = "midi build"}, .name = name, .frame = f, .s = s};
    bool ok = build(b, tracks, e);
    arena_free(&b->work);
    arena_free(&memory);
    return ok;
}
