// SPDX-License-Identifier: GPL-3.0-or-later
// clip_whole.h: does an audio file end before its own header says so?
//
// libsndfile quietly takes a wav or aiff whose samples are cut off for a shorter one, and so would the first half of a download be trained
// on. This looks only at the lengths that containers state: RIFF and RF64 (wav), FORM (aiff) and the last page of Ogg.
#ifndef KMIDI_DATA_CLIP_WHOLE_H
#define KMIDI_DATA_CLIP_WHOLE_H

#include <stdbool.h>
#include <stdint.h>

// False with the bytes that are missing (of `stated` in the part that is cut) when the file of `size` bytes is certainly cut short.
// Anything unknown is whole. The place of `fd` is not moved.
bool clip_whole(int fd, int64_t size, int64_t *missing, int64_t *stated);

#endif
