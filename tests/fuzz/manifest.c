// SPDX-License-Identifier: GPL-3.0-or-later
// manifest.c: fuzz target (`make fuzz`): any bytes as a manifest of audio files. Each line is an
// item with sound values, or one sentence.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "data/readers/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static char folder[] = "/tmp/kmidi-fuzz-XXXXXX", path[64];

static void leave(void)
{
    unlink(path);
    rmdir(folder);
}

static void check(const reader_item *i)
{
    CHECK(i->path && i->path[0] && i->file);
    CHECK(!i->split || reader_split_ok(i->split));
    CHECK(isnan(i->valence) == isnan(i->arousal) && !(fabs(i->valence) > 1) &&
          !(fabs(i->arousal) > 1));
    CHECK(i->offset >= 0 && i->duration >= 0 && i->line > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static bool made;
    err e = {0};
    if (!made) {
        made = mkdtemp(folder) != NULL;
        CHECK(made && atexit(leave) == 0);
        snprintf(path, sizeof path, "%s/manifest.jsonl", folder);
    }
    FILE *f = fopen(path, "w");
    CHECK(f && (n == 0 || fwrite(bytes, 1, n, f) == n));
    fclose(f);
    reader_options o = {.root = folder};
    reader *r = reader_open(reader_find("audio_manifest", &e), &o, &e);
    if (!r) {
        CHECK(e.code == ERR_EMPTY);
        return 0;
    }
    reader_item item;
    for (pull s; (s = reader_next(r, &item, &e)) != PULL_END;)
        if (s == PULL_ONE)
            check(&item);
        else
            CHECK(s == PULL_ONE || (e.code != ERR_NONE && e.text[0]));
    reader_close(r);
    return 0;
}
