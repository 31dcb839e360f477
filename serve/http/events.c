// SPDX-License-Identifier: GPL-3.0-or-later
// events.c: see events.h.
#include "serve/http/events.h"

#include <math.h>
#include <stdlib.h>

#include "data/midi/midi_write.h"
#include "serve/http/fields.h"

// 120 quarters a minute, so that a second is two of them.
enum { TICKS = 2 * MIDI_WRITE_TICKS, DEFAULT = 80 };

typedef struct event {
    double time, length; // length < 0: not said
    int type, note, velocity, channel;
    size_t order;
} event;

static bool read_event(const json *j, size_t i, event *x, err *e)
{
    fields f = {j, ""};
    int64_t note = -1, velocity = DEFAULT, channel = 0;
    *x = (event){.time = -1, .length = -1, .order = i};
    bool ok = json_type(j) == JSON_OBJECT || err_set(e, ERR_VALUE, "it is no object");
    ok = ok && fields_num(&f, "time", 0, EVENTS_SECONDS, &x->time, e) &&
         fields_num(&f, "duration", 0, EVENTS_SECONDS, &x->length, e) &&
         fields_choice(&f, "type", "note_on|note_off", &x->type, e) &&
         fields_int(&f, "note", 0, 127, &note, e) &&
         fields_int(&f, "velocity", 0, 127, &velocity, e) &&
         fields_int(&f, "channel", 0, MIDI_CHANNELS - 1, &channel, e) &&
         (note >= 0 || fields_missing(&f, "note", e)) &&
         (x->time >= 0 || fields_missing(&f, "time", e));
    x->note = (int)note, x->velocity = (int)velocity, x->channel = (int)channel;
    return ok || err_trail(e, "midi_events, event %zu", i);
}

static int by_time(const void *a, const void *b)
{
    const event *x = a, *y = b;
    return x->time != y->time ? (x->time > y->time) - (x->time < y->time)
                              : (x->order > y->order) - (x->order < y->order);
}

static uint32_t tick_of(double seconds)
{
    return (uint32_t)lround(seconds * TICKS);
}

// Notes of the events in the order of time; open[channel][note] is 1 + the one that sounds.
static void lay_notes(midi_song *s, const event *list, size_t n, double end)
{
    size_t open[MIDI_CHANNELS][128] = {0};
    for (size_t i = 0; i < n; i++) {
        const event *x = &list[i];
        size_t *at = &open[x->channel][x->note];
        if (*at && s->notes[*at - 1].end_tick > tick_of(x->time))
            s->notes[*at - 1].end_tick = tick_of(x->time);
        *at = 0;
        if (x->type != 0 || x->velocity == 0)
            continue;
        s->notes[s->n_notes] =
            (midi_note){.start_tick = tick_of(x->time),
                        .end_tick = tick_of(x->length >= 0 ? x->time + x->length : end),
                        .instrument = (uint16_t)x->channel,
                        .pitch = (uint8_t)x->note,
                        .velocity = (uint8_t)x->velocity};
        *at = ++s->n_notes;
    }
    for (size_t i = 0; i < s->n_notes; i++)
        if (s->notes[i].end_tick <= s->notes[i].start_tick)
            s->notes[i].end_tick = s->notes[i].start_tick + 1;
}

midi_song *events_song(const json *list, double *seconds, arena *a, err *e)
{
    size_t n = json_len(list);
    event *events = NEW(a, event, n + 1);
    double end = 0;
    strbuf bytes = {0};
    for (size_t i = 0; i < n; i++) {
        if (!read_event(json_at(list, i), i, &events[i], e))
            return NULL;
        end = fmax(end, events[i].time + fmax(events[i].length, 0));
    }
    qsort(events, n, sizeof *events, by_time);
    *seconds = *seconds > 0 ? *seconds : end;
    midi_song *s = midi_blank(a, 120, 4, MIDI_CHANNELS, n), *song = NULL;
    s->n_instruments = MIDI_CHANNELS;
    for (int i = 0; i < MIDI_CHANNELS; i++)
        s->instruments[i].channel = (uint8_t)i, s->instruments[i].is_drum = i == MIDI_DRUMS;
    lay_notes(s, events, n, fmax(*seconds, end));
    if (s->n_notes == 0)
        err_set(e, ERR_EMPTY, "midi_events has no note_on");
    else if (midi_format(s, &bytes, e))
        song = midi_parse(a, "midi_events", bytes.s, bytes.len, e);
    strbuf_free(&bytes);
    return song;
}
