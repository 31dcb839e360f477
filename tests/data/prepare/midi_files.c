// SPDX-License-Identifier: GPL-3.0-or-later
// midi_files.c: folders of small MIDI files (midi_files.h).
#include "tests/data/prepare/midi_files.h"

#include <stdio.h>
#include <string.h>

bool midi_prepare_into(const char *out, const char *more, int jobs, int part, int parts,
                       prepare_report *r, err *e)
{
    arena a = {0};
    bool ok = prepared(out, arena_printf(&a, "root: %s\n%s", test_path("in"), more), jobs, part,
                       parts, r, e);
    arena_free(&a);
    return ok;
}

void midi_put_song(const char *name, int pitch, int before)
{
    smf f = {0};
    SMF_TRACK(&f, (uint8_t)before, SMF_NOTE((uint8_t)pitch, 96), 0,
              SMF_NOTE((uint8_t)(pitch + 4), 48), 0, SMF_NOTE((uint8_t)(pitch + 7), 96));
    smf_write(&f, test_path(name));
}

void midi_put_text(const char *name, const char *text)
{
    err e = {0};
    EXPECT_OK(file_write(test_path(name), text, strlen(text), &e), e);
}

void midi_make_folders(void)
{
    const char *out;
    EXPECT_INT(test_shell(&out, "mkdir -p %s", test_path("in/lmd_full/0")), 0);
}

void midi_put_songs(int n)
{
    midi_make_folders();
    for (int i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, "in/lmd_full/0/%02d.mid", i);
        midi_put_song(name, 30 + i, 0);
    }
}
