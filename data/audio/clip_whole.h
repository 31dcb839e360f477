// SPDX-License-Identifier: GPL-3.0-or-later
// clip_whole.h: does an audio file end before its own header says so?
//
// libsndfile quietly takes a wav or aiff whose samples are cut off for a shorter one, and so would
// the first half of a download be trained on. This looks only at the lengths that containers state:
// RIFF and RF64 (wav), FORM (aiff), au, caf and the last page of Ogg. Programs that were killed, or
// that wrote to a pipe, leave lengths of 0 or of all ones; what follows is read to its end.
#ifndef KMIDI_DATA_AUDIO_CLIP_WHOLE_H
#define KMIDI_DATA_AUDIO_CLIP_WHOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "data/audio/clip_file.h"

typedef struct clip_header {
    int64_t missing, stated; // bytes that are not there, of so many in the part that is cut
    bool unfinished;         // the samples' length is 0, and bytes that are nothing else follow
    // A length that says nothing ("to the end", or unfinished), as a reader understands it:
    // patch_bytes of `patch` belong at byte patch_at.
    int64_t patch_at;
    int patch_bytes; // 0: nothing to put right
    unsigned char patch[8];
} clip_header;

// False when the file of `size` bytes is certainly cut short. Anything unknown is whole.
bool clip_whole(clip_file *f, int64_t size, clip_header *h);

#endif
