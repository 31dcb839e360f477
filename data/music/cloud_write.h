// SPDX-License-Identifier: GPL-3.0-or-later
// cloud_write.h: a cloud of points (data/music/cloud.h) as files that others read: JSON, PLY, and a
// picture.
//
//     strbuf text = {0};
//     cloud_svg(points, "joy.mid", "valence +0.90, arousal +0.80", &text);
#ifndef KMIDI_DATA_MUSIC_CLOUD_WRITE_H
#define KMIDI_DATA_MUSIC_CLOUD_WRITE_H

#include "base/str.h"
#include "data/music/anchors.h"

// {"points": 1200, "positions": [[x, y, z], ..], "colors": [[r, g, b, a], ..], "properties":
// [[size, glow, depth], ..]}
void cloud_json(const float *points, strbuf *out);
// Stanford PLY in text: x y z, red green blue alpha as bytes, size glow depth. Blender, MeshLab and
// CloudCompare open it.
void cloud_ply(const float *points, strbuf *out);
// SVG that stands alone: time to the right, pitch upwards, what is near in front. `title` and
// `said` may be any text.
void cloud_svg(const float *points, const char *title, const char *said, strbuf *out);
// A part of it, or how it comes to be.
typedef struct cloud_view {
    int count;             // points at most, evenly taken; 0: all
    double until;          // a share of the time, behind which nothing is drawn; 0: all of it
    double seconds;        // that it takes to appear, from left to right; 0: it is there at once
    double fps;            // steps a second in which it does
    const anchor *anchors; // [n_anchors], behind it
    int n_anchors;
} cloud_view;
void cloud_svg_view(const float *points, const cloud_view *v, const char *title, const char *said,
                    strbuf *out);

#endif
