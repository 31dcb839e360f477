// SPDX-License-Identifier: GPL-3.0-or-later
// clip_files.h: audio files for the tests of reading audio, written by libsndfile itself.
#ifndef KMIDI_TESTS_DATA_AUDIO_CLIP_FILES_H
#define KMIDI_TESTS_DATA_AUDIO_CLIP_FILES_H

#include <stdint.h>

typedef enum clip_file_format {
    CLIP_FILE_WAV,
    CLIP_FILE_FLAC,
    CLIP_FILE_OGG,
    CLIP_FILE_AIFF,
    CLIP_FILE_RF64,
    CLIP_FILE_FORMATS
} clip_file_format;

// STEM with the format's extension, the same samples in each channel; 16 bit where the format has
// bits. Returns the path (static, a few in turn).
const char *clip_file_write(const char *stem, clip_file_format format, const float *x, int64_t n,
                            int rate, int channels);
const char *clip_file_write_stereo(const char *path, const float *left, const float *right,
                                   int64_t n, int rate);
// 32-bit float wav.
const char *clip_file_write_float(const char *path, const float *x, int64_t n, int rate);

#endif
