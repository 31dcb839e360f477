// SPDX-License-Identifier: GPL-3.0-or-later
// midi_refused.c: what is no MIDI file, or a damaged one, ends in a sentence, in a worker too.
#include "data/midi/midi.h"

#include <string.h>

#include "tests/data/midi/midi_bytes.h"
#include "tests/test.h"

static void expect_refused(const smf *f, size_t n, err_code code, const char *part)
{
    arena a = {0};
    err e = {0};
    EXPECT_ERR(midi_parse(&a, "bad.mid", f->bytes, n, &e) != NULL, e, code, part);
    EXPECT_HAS(e.text, "'bad.mid'");
    arena_free(&a);
}

TEST(midi_refusals_name_file_place_and_remedy)
{
    smf f = {.ticks = 96};
    SMF_TRACK(&f, 0, SMF_NOTE(60, 96), 0, 0x90, 64, 64);
    expect_refused(&f, 0, ERR_EMPTY, "is empty");
    expect_refused(&f, 13, ERR_FORMAT, "13 bytes long, shorter than the header");
    expect_refused(&f, 14, ERR_EMPTY, "holds no track");
    expect_refused(&f, 20, ERR_DAMAGED, "track 1 of 1, byte 14: here a track should begin");
    expect_refused(&f, 26, ERR_DAMAGED,
                   "track 1 of 1 (12 of its 16 bytes are missing), byte 26: the file ends before "
                   "the track does; the file is damaged, leave it out or get it again");
    expect_refused(&f, 25, ERR_DAMAGED, "missing), byte 24: the track ends inside an event");
    smf other = f;
    other.bytes[0] = 'R';
    expect_refused(&other, f.n, ERR_FORMAT, "does not begin with 'MThd'");
    other = f, other.bytes[9] = 9;
    expect_refused(&other, f.n, ERR_FORMAT, "format 9");
    other = f, other.bytes[13] = 0;
    expect_refused(&other, f.n, ERR_FORMAT, "0 ticks");
    other = f, other.bytes[24] = 188; // pitch
    expect_refused(&other, f.n, ERR_DAMAGED, "byte 24: a data byte is above 127");
    other = f, other.bytes[23] = 60;
    expect_refused(&other, f.n, ERR_DAMAGED, "leaves out its status");
    other = f, other.bytes[23] = 0xf4;
    expect_refused(&other, f.n, ERR_DAMAGED, "means nothing");
    smf late = {.ticks = 1};
    SMF_TRACK(&late, 0x8f, 0xa3, 0, SMF_NOTE(60, 96)); // 250,240 quarters of half a second
    expect_refused(&late, late.n, ERR_VALUE, "the limit is 24");
}

TEST(midi_read_goes_through_a_worker)
{
    arena a = {0};
    err e = {0};
    smf f = {.ticks = 96};
    SMF_TRACK(&f, 0, SMF_PEDAL(0, 127), 0, SMF_NOTE(60, 96), 0, 0xff, 0x59, 2, 1, 0, 0,
              SMF_NOTE(62, 96));
    const midi_song *direct = smf_song(&f, &a),
                    *s = midi_read(&a, smf_write(&f, test_path("a song.mid")), &e);
    EXPECT_OK(s != NULL, e);
    if (s) {
        strbuf x = {0}, y = {0};
        midi_pack(direct, &x);
        midi_pack(s, &y);
        size_t head = sizeof *s; // pointers differ
        EXPECT_INT(x.len, y.len);
        EXPECT(x.len == y.len && !memcmp(x.s + head, y.s + head, x.len - head));
        for (size_t n = 0; n < y.len; n += 7)
            EXPECT_ERR(midi_unpack(&a, "cut", y.s, n, &e) != NULL, e, ERR_CRASH, "'cut'");
        strbuf_free(&x);
        strbuf_free(&y);
    }
    EXPECT_ERR(midi_read(&a, test_path("none.mid"), &e) != NULL, e, ERR_MISSING, "none.mid");
    EXPECT_ERR(midi_read(&a, test_dir(), &e) != NULL, e, ERR_IO, "is a folder");
    arena_free(&a);
}
