// SPDX-License-Identifier: GPL-3.0-or-later
// hear.h: how a model of audio hears a recording, as its checkpoint says it. Written once, when
// training begins, and read by one function for all who use the model: eval, predict, and the ONNX
// front end.
//
//     A recording of up to `window` frames is one window: it stands at the end, zeros (the mean)
//     before it. A longer one is heard in windows that are spread evenly from its first frame to
//     its last (loader_windows, loader_begin): as many as cover it where views is 0, which is the
//     rule; else `views`, and again as many as cover it where it is longer than 2 * views windows.
//     One window alone stands as `crop` says. What the network says of the windows is averaged: the
//     embedding, and the logits before the softmax (the probe is linear, so they are the logits of
//     the mean embedding).
//
// Checkpoints from before there was a choice of 0 say `eval_views` 1 or more, and mean just that.
#ifndef KMIDI_DATA_HEAR_HEAR_H
#define KMIDI_DATA_HEAR_HEAR_H

#include "base/meta.h"
#include "data/loader/loader.h"

enum { HEAR_VIEWS_MOST = 64 };

typedef struct hear_rule {
    int64_t window; // frames; 0: as long as the recording
    int views;      // 0: as many as cover it
    loader_crop crop;
} hear_rule;

void hear_write(const hear_rule *h, model_meta *meta);
// What is not there is what older checkpoints mean: any window, one view, the last part.
// ERR_DAMAGED where a number is out of range.
bool hear_read(const model_meta *meta, const char *path, hear_rule *h, err *e) MUST_CHECK;

#endif
