// SPDX-License-Identifier: GPL-3.0-or-later
// clip_files.c: audio files for tests (clip_files.h).
#include "tests/data/audio/clip_files.h"

#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/test.h"

static const struct {
    const char *extension;
    int format;
} formats[] = {{".wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16},
               {".flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16},
               {".ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS},
               {".aiff", SF_FORMAT_AIFF | SF_FORMAT_PCM_16},
               {".rf64", SF_FORMAT_RF64 | SF_FORMAT_PCM_16}};

// Channel c holds x[c % count].
static const char *write_channels(const char *path, int format, const float *const *x, int count,
                                  int64_t n, int rate, int channels)
{
    SF_INFO info = {.samplerate = rate, .channels = channels, .format = format};
    SNDFILE *f = sf_open(path, SFM_WRITE, &info);
    float *block = calloc((size_t)(n * channels) + 1, sizeof *block);
    for (int64_t i = 0; i < n * channels; i++)
        block[i] = x[i % channels % count][i / channels];
    EXPECT(f != NULL);
    // Vorbis' encoder does not like more than a few thousand frames a call.
    for (int64_t at = 0, m; f && at < n; at += m) {
        m = n - at < 4096 ? n - at : 4096;
        EXPECT_INT(sf_writef_float(f, block + at * channels, m), m);
    }
    sf_close(f);
    free(block);
    return path;
}

const char *clip_file_write(const char *stem, clip_file_format format, const float *x, int64_t n,
                            int rate, int channels)
{
    static char paths[8][600];
    static unsigned turn;
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof paths[0], "%s%s", stem, formats[format].extension);
    return write_channels(path, formats[format].format, &x, 1, n, rate, channels);
}

const char *clip_file_write_stereo(const char *path, const float *left, const float *right,
                                   int64_t n, int rate)
{
    const float *const x[] = {left, right};
    return write_channels(path, SF_FORMAT_WAV | SF_FORMAT_PCM_16, x, 2, n, rate, 2);
}

const char *clip_file_write_float(const char *path, const float *x, int64_t n, int rate)
{
    return write_channels(path, SF_FORMAT_WAV | SF_FORMAT_FLOAT, &x, 1, n, rate, 1);
}
