// SPDX-License-Identifier: GPL-3.0-or-later
// midi_files.c: folders of small MIDI files (midi_files.h).
#include "tests/data/prepare/midi_files.h"

#include <stdio.h>
#include <string.h>

#include "base/config.h"

bool midi_prepare_into(const char *out, const char *more, int jobs, int part, int parts,
                       prepare_report *r, err *e)
{
    arena a = {0};
    env v = {0};
    config *c = config_open(prepare_table(&a), &a);
    char *text = arena_printf(&a, "root: %s\n%s", test_path("in"), more);
    prepare_job job = {
        .out = arena_strdup(&a, test_path(out)), .jobs = jobs, .part = part, .parts = parts};
    *e = (err){0};
    bool ok = config_parse(c, text, strlen(text), "test.yaml", e) && config_finish(c, e) &&
              prepare_run(c, &job, &v, r, e);
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

bool midi_same_tree(const char *a, const char *b)
{
    const char *out;
    return test_shell(&out, "diff -r %s %s", test_path(a), test_path(b)) == 0;
}

const char *midi_report_of(arena *a, const char *out)
{
    err e = {0};
    size_t n;
    char *text =
        file_read(a, arena_printf(a, "%s/rejected.jsonl", test_path(out)), 1 << 20, &n, &e);
    return text ? text : "";
}
