// SPDX-License-Identifier: GPL-3.0-or-later
// clip.c: any bytes as an audio file. Reading them gives samples that are finite, or one sentence.
//
// libFuzzer's entry point; `make fuzz` builds and runs it. A first byte chooses whether the file is
// also resampled and cut, so that one corpus serves all.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "data/audio/clip.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

// One file for the life of the process: it is rewritten for each input.
static int open_once(char path[64])
{
    static char name[64] = "/tmp/kmidi-fuzz-XXXXXX";
    static int fd = -1;
    if (fd < 0)
        fd = mkstemp(name);
    snprintf(path, 64, "%s", name);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char path[64];
    clip c;
    err e = {0};
    int fd = open_once(path);
    unsigned choice = n > 0 ? bytes[n - 1] : 0;
    if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, bytes, n, 0) < 0)
        abort();
    bool ok = clip_read(path, choice & 1 ? 16000 : 0, choice & 2 ? 0.01 : 0, choice & 4 ? 0.05 : 0,
                        &c, &e);
    if (!ok && (e.code == ERR_NONE || !e.text[0]))
        abort();
    if (!ok)
        return 0;
    if (c.frames <= 0 || c.rate <= 0)
        abort();
    for (int64_t i = 0; i < c.frames; i++)
        if (!isfinite(c.samples[i]))
            abort();
    clip_free(&c);
    return 0;
}
