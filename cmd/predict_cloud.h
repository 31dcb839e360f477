// SPDX-License-Identifier: GPL-3.0-or-later
// predict_cloud.h: what `kmidi predict` does with a model that draws clouds.
#ifndef KMIDI_CMD_PREDICT_CLOUD_H
#define KMIDI_CMD_PREDICT_CLOUD_H

#include "cmd/cmd.h"
#include "infer/trained.h"

#define CLOUD_OPTIONS                                                                              \
    {                                                                                              \
        "out",                                                                                     \
        'o',                                                                                       \
        OPT_TEXT,                                                                                  \
        "DIR",                                                                                     \
        "of clouds: the folder for NAME.json, .ply, .svg (default: here)",                         \
        false},                                                                                    \
        {"emotion",                                                                                \
         'e',                                                                                      \
         OPT_TEXT,                                                                                 \
         "NAME|V,A",                                                                               \
         "of clouds: the emotion (default: what the notes sound like)",                            \
         false},                                                                                   \
    {                                                                                              \
        "midi", 0, OPT_TEXT, "FILE.mid",                                                           \
            "of clouds: the notes of the sound (default: NAME.mid beside it)", false               \
    }

// What is asked for clouds alone is asked of a model that draws them.
bool predict_clouds_fit(const cmd *c, const trained *d, err *e) MUST_CHECK;
bool predict_clouds(cmd *c, const trained *d, err *e) MUST_CHECK;

#endif
