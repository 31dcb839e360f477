// SPDX-License-Identifier: GPL-3.0-or-later
// heard.h: what a model heard (infer/listen.h) as JSON and as text, the same for whoever tells it.
//
// Of a recogniser
//
//     {"file": "a.wav", "label": "joy", "probabilities": {"anger": 0.1, ...}, "valence": 0.6,
//      "arousal": 0.4, "windows": 3}
//
// and of a model of several groups (models/model.h), where a group is trained whose training data
// had items of two of its classes or more: from less nothing can be told apart, and what the
// network says of it is noise:
//
//     {"file": "a.wav", "technical": {"instrument_family": "brass",
//      "instrument_family_confidence": 0.91, "instrument_family_top": [...], ...,
//      "technique": null, ...}, "emotional": {...}, "not_trained": ["technique", ...],
//      "windows": 1}
#ifndef KMIDI_INFER_HEARD_H
#define KMIDI_INFER_HEARD_H

#include "base/json.h"
#include "infer/listen.h"

// What is to be known of a file that was heard, a bit each: clip.h's marks but CLIP_BRIEF, and in
// its place that the file is shorter than a window of the model.
unsigned heard_marks(const trained *d, const clip *sound, const heard *h);
const char *heard_mark_text(const trained *d, clip_mark m, arena *a); // as clip_mark_text

// json_free it. `file` as it is to be called; NULL: without.
json *heard_json(const trained *d, const char *file, const heard *h, arena *a);
// One line, without the file.
void heard_text(const trained *d, const heard *h, strbuf *out);

// ---- For heard.c
json *heard_groups_json(const trained *d, const char *file, const heard *h, arena *a);
void heard_groups_text(const trained *d, const heard *h, strbuf *out);

#endif
