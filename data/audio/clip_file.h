// SPDX-License-Identifier: GPL-3.0-or-later
// clip_file.h: the bytes of an audio file, and whether they could be read. A disk that fails in the
// middle must not pass for a file that ends there: decoders see an end, what they made of it is
// thrown away (clip.c).
#ifndef KMIDI_DATA_AUDIO_CLIP_FILE_H
#define KMIDI_DATA_AUDIO_CLIP_FILE_H

#include <stdint.h>

typedef struct clip_file {
    int fd;
    int failure; // errno of the first read that failed; 0: none has
} clip_file;

// Up to n bytes from byte `at` on, fewer only at the end of the file; -1: they cannot be read.
int64_t clip_file_read(clip_file *f, void *out, int64_t n, int64_t at);

#endif
