// SPDX-License-Identifier: GPL-3.0-or-later
// sound_files.c: folders of tones, prepared (sound_files.h).
#include "tests/data/prepare/sound_files.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "data/music/synth.h"
#include "tests/data/audio/clip_files.h"
#include "tests/test.h"

static bool prepare_lines(const char *out, const char *lines, const char *more, int jobs, int part,
                          int parts, prepare_report *r, err *e)
{
    arena a = {0};
    bool ok = prepared(out, arena_printf(&a, "%sroot: %s\n%s", lines, test_dir(), more), jobs, part,
                       parts, r, e);
    arena_free(&a);
    return ok;
}

bool sounds_prepare(const char *out, const char *more, int jobs, int part, int parts,
                    prepare_report *r, err *e)
{
    return prepare_lines(out, SETTINGS, more, jobs, part, parts, r, e);
}

bool sounds_prepare_as(const char *out, const char *lines, int jobs, prepare_report *r, err *e)
{
    return prepare_lines(out, "", lines, jobs, 1, 1, r, e);
}

void sounds_put_manifest(const char *text)
{
    err e = {0};
    EXPECT_OK(file_write(test_path("manifest.jsonl"), text, strlen(text), &e), e);
}

void sounds_put_tone(const char *name, double hz)
{
    static float x[8000];
    err e = {0};
    for (int i = 0; i < 8000; i++)
        x[i] = 0.5f * sinf((float)(6.283185307 * hz / 16000 * i));
    EXPECT_OK(clip_write_wav(test_path(name), x, 8000, 16000, &e), e);
}

void sounds_put_corpus(int64_t items)
{
    synth_options o = {.items = items, .seconds = 0.5, .seed = 1};
    env v = {0};
    err e = {0};
    EXPECT_OK(synth_write(test_dir(), &o, &v, NULL, NULL, &e), e);
}
