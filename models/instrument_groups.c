// SPDX-License-Identifier: GPL-3.0-or-later
// instrument_groups.c: what instrument_recognizer says of a note: 80 numbers of how it is played,
// then 80 of how it feels. Sizes, order and weights of the losses are KmiDi's
// InstrumentRecognizer's: half for either side, inside them 1 for what it is mainly asked, less for
// the rest.
//
// Most data sets label a few of these and no more; the others are learnt where an index has them
// (docs/data.md). The classes' names: data/labels/instrument_groups.def.
#include "models/groups.h"

#define HALF(weight) 0.5f * weight
#define OF(at, n, w) .offset = at, .size = n, .weight = HALF(w), .smoothing = 1
// Ordered classes, whose mean place is said; what is next to right is not quite wrong, and
// smoothing would say that all are alike.
#define LEVEL(at, n, w, least)                                                                     \
    .offset = at, .size = n, .weight = HALF(w), .level = true, .low = least

const model_group instrument_groups[INSTRUMENT_GROUPS] = {
    {"family", OF(0, 16, 1.0f), .says = "technical.instrument_family",
     .confidence = "technical.instrument_family_confidence"},
    {"specific", OF(16, 32, 0.8f), .says = "technical.instrument_specific"},
    {"technique", OF(48, 16, 0.6f), .says = "technical.technique"},
    {"articulation", OF(64, 8, 0.4f), .says = "technical.articulation"},
    {"register", OF(72, 4, 0.4f), .says = "technical.register"},
    {"brightness", OF(76, 4, 0.4f), .says = "technical.brightness"},
    {"style", OF(80, 12, 1.0f), .says = "emotional.expression_style",
     .confidence = "emotional.expression_confidence"},
    {"energy", LEVEL(92, 8, 0.8f, 0), .says = "emotional.energy_level"},
    {"role", OF(100, 8, 0.6f), .says = "emotional.musical_role"},
    {"valence", LEVEL(108, 8, 0.8f, -1), .says = "emotional.sentiment.valence"},
    {"arousal", LEVEL(116, 8, 0.8f, -1), .says = "emotional.sentiment.arousal"},
    {"dynamic_range", OF(124, 4, 0.4f), .says = "emotional.dynamic_range"},
    {"human_feel", LEVEL(128, 8, 0.4f, 0), .says = "emotional.human_feel"},
    {"vibrato", OF(136, 4, 0.4f), .says = "emotional.vibrato"},
    {"attack", OF(140, 8, 0.4f), .says = "emotional.attack"},
    {"sustain", OF(148, 8, 0.4f), .says = "emotional.sustain"},
    {"genre", OF(156, 4, 0.4f), .says = "emotional.genre"},
};
