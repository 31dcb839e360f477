// SPDX-License-Identifier: GPL-3.0-or-later
// midi_smf.c: libsmf, the one file that knows it: bytes of a MIDI file to events with their ticks.
//
// libsmf 1.3 asserts and aborts over damaged files, and reports through g_critical. midi_frame.c
// hands it plain files only, so that neither happens; readers still run in workers (worker.h). What
// it makes is counted: when memory ran out inside it, it would cut the track short and say nothing.
// It has no state of its own but GLib's log handler, which is set aside for the time of the call.
//
// smf_delete is quadratic: each event is searched for from the front of its array, each track too.
// 95% of the time of loading and freeing a piano piece went there. So events are taken off their
// tracks, and tracks off the song, before each is deleted.
#include <smf.h>
#include <string.h>

#include "data/midi/midi_internal.h"

static void quiet(const char *domain, GLogLevelFlags level, const char *message, void *user)
{
    (void)domain, (void)level, (void)message, (void)user;
}

static void forget_track(smf_track_t *t)
{
    for (unsigned i = 0; i < t->events_array->len; i++) {
        smf_event_t *ev = g_ptr_array_index(t->events_array, i);
        ev->track = NULL;
        smf_event_delete(ev);
    }
    g_ptr_array_set_size(t->events_array, 0);
    t->number_of_events = 0;
    t->smf = NULL;
    smf_track_delete(t);
}

static void forget(smf_t *smf)
{
    for (unsigned i = 0; i < smf->tracks_array->len; i++)
        forget_track(g_ptr_array_index(smf->tracks_array, i));
    g_ptr_array_set_size(smf->tracks_array, 0);
    smf->number_of_tracks = 0;
    smf_delete(smf);
}

// Channel messages as they are; our own meta events ff 7f n KIND data as ff KIND data; ends of
// tracks and bridges are of no more use.
static size_t copy_event(const smf_event_t *ev, midi_event *out)
{
    const uint8_t *b = ev->midi_buffer;
    size_t n = (size_t)ev->midi_buffer_length, skip = 0;
    if (n && b[0] == 0xff) {
        if (n < 6 || b[1] != META_OWN)
            return 0;
        skip = 2;
    }
    *out = (midi_event){.tick = (uint32_t)ev->time_pulses};
    if (n - skip > sizeof out->byte)
        return 0;
    memcpy(out->byte, b + skip, n - skip);
    if (skip)
        out->byte[0] = 0xff;
    return 1;
}

// [tracks], or NULL when it is not all there.
static midi_track *copy_tracks(arena *a, const smf_t *smf, const midi_frame *f)
{
    midi_track *tracks = NEW(a, midi_track, (size_t)f->tracks);
    midi_event *out = NEW(a, midi_event, f->events);
    size_t events = 0;
    if ((int)smf->tracks_array->len != f->tracks)
        return NULL;
    for (int k = 0; k < f->tracks; k++) {
        const smf_track_t *t = g_ptr_array_index(smf->tracks_array, (unsigned)k);
        events += t->events_array->len;
        if (events > f->events)
            return NULL;
        tracks[k].events = out;
        for (unsigned i = 0; i < t->events_array->len; i++)
            out += copy_event(g_ptr_array_index(t->events_array, i), out);
        tracks[k].n = (size_t)(out - tracks[k].events);
        for (midi_event *x = out - tracks[k].n; f->begin && x < out; x++)
            x->tick += f->begin[k];
    }
    return events == f->events ? tracks : NULL;
}

static midi_track *read_tracks(arena *a, const midi_frame *f)
{
    GLogFunc before = g_log_set_default_handler(quiet, NULL);
    smf_t *smf = smf_load_from_memory(f->bytes, (int)f->n);
    midi_track *tracks = smf ? copy_tracks(a, smf, f) : NULL;
    if (smf)
        forget(smf);
    g_log_set_default_handler(before, NULL);
    return tracks;
}

midi_song *midi_parse(arena *a, const char *name, const void *bytes, size_t n, err *e)
{
    arena work = {.name = "midi"};
    midi_frame f;
    midi_song *s = NULL;
    if (midi_frame_read(&work, name, bytes, n, &f, e)) {
        const midi_track *tracks = read_tracks(&work, &f);
        s = NEW(a, midi_song, 1);
        if (!tracks) {
            err_set(e, ERR_MEMORY,
                    "'%s': libsmf stopped before its end, for want of memory; leave it out", name);
            s = NULL;
        } else if (!midi_build(a, name, &f, tracks, s, e)) {
            s = NULL;
        }
    }
    arena_free(&work);
    return s;
}

const char *midi_library(void)
{
    return smf_get_version();
}
