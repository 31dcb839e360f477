// SPDX-License-Identifier: GPL-3.0-or-later
// feature_stream.h: a feature of clips over samples that come in pieces of any size: frames go to a
// sink in order, the same bits as from feature_compute but for what depends on the whole: where
// f->whole, call feature_finish over the frames afterwards, with the largest number that
// feature_stream_most tells. Memory does not grow.
//
//     feature_stream *s = feature_stream_open(f, keep_frames, &kept, e);
//     while (... samples ...)
//         feature_stream_push(s, samples, n, e)
//     feature_stream_finish(s, e)
//     feature_stream_close(s);
#ifndef KMIDI_DATA_FEATURES_FEATURE_STREAM_H
#define KMIDI_DATA_FEATURES_FEATURE_STREAM_H

#include "data/features/feature.h"

// `count` frames [count][f->width], which are the stream's until it returns.
typedef bool feature_sink(void *user, const float *frames, int64_t count, err *e);
typedef struct feature_stream feature_stream;

feature_stream *feature_stream_open(const feature *f, feature_sink *sink, void *user,
                                    err *e) MUST_CHECK;
bool feature_stream_push(feature_stream *s, const float *x, int64_t n, err *e) MUST_CHECK;
bool feature_stream_finish(feature_stream *s, err *e) MUST_CHECK; // the last frames
float feature_stream_most(const feature_stream *s);
void feature_stream_close(feature_stream *s); // accepts NULL

#endif
