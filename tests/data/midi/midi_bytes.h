// SPDX-License-Identifier: GPL-3.0-or-later
// midi_bytes.h: MIDI files written out byte by byte, for tests whose answer a musician knows.
//
//     smf f = {.ticks = 96};
//     // middle C for a quarter; the end of the track is added
//     SMF_TRACK(&f, 0, 0x90, 60, 64, 96, 0x80, 60, 0);
//     const midi_song *s = smf_song(&f, &arena); // or smf_write(&f, test_path("c.mid"))
#ifndef KMIDI_TESTS_DATA_MIDI_MIDI_BYTES_H
#define KMIDI_TESTS_DATA_MIDI_MIDI_BYTES_H

#include <string.h>

#include "base/file.h"
#include "data/midi/midi.h"
#include "tests/test.h"

enum { SMF_MOST = 4096 };

typedef struct smf {
    int format, ticks, tracks; // ticks: 0 is 96; tracks are counted
    bool open;                 // no end of track
    uint8_t bytes[SMF_MOST];
    size_t n;
} smf;

#define SMF_TRACK(f, ...)                                                                          \
    smf_track((f), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define SMF_TEMPO(us)      0xff, 0x51, 3, (us) >> 16, ((us) >> 8) & 255, (us)&255
#define SMF_PEDAL(ch, x)   0xb0 | (ch), 64, (x)
#define SMF_NOTE(p, ticks) 0x90, (p), 64, (ticks), 0x80, (p), 0

static inline void smf_add(smf *f, const void *bytes, size_t n)
{
    CHECK(f->n + n <= SMF_MOST);
    memcpy(f->bytes + f->n, bytes, n);
    f->n += n;
}

static inline void smf_header(smf *f)
{
    int ticks = f->ticks ? f->ticks : 96;
    const uint8_t head[14] = {'M',
                              'T',
                              'h',
                              'd',
                              0,
                              0,
                              0,
                              6,
                              0,
                              (uint8_t)f->format,
                              0,
                              (uint8_t)f->tracks,
                              (uint8_t)(ticks >> 8),
                              (uint8_t)ticks};
    memcpy(f->bytes, head, 14);
    f->n = f->n ? f->n : 14;
}

static inline void smf_track(smf *f, const uint8_t *events, size_t n)
{
    size_t total = n + (f->open ? 0 : 4);
    const uint8_t head[8] = {'M', 'T', 'r', 'k', 0, 0, (uint8_t)(total >> 8), (uint8_t)total};
    f->tracks++;
    smf_header(f);
    smf_add(f, head, 8);
    smf_add(f, events, n);
    if (!f->open)
        smf_add(f, (const uint8_t[]){0, 0xff, 0x2f, 0}, 4);
}

static inline const midi_song *smf_song(const smf *f, arena *a)
{
    err e = {0};
    const midi_song *s = midi_parse(a, "test.mid", f->bytes, f->n, &e);
    EXPECT_OK(s != NULL, e);
    return s ? s : NEW(a, midi_song, 1);
}

static inline const char *smf_write(const smf *f, const char *path)
{
    err e = {0};
    EXPECT_OK(file_write(path, f->bytes, f->n, &e), e);
    return path;
}

#endif
