// SPDX-License-Identifier: GPL-3.0-or-later
// node_groups.c: what emotion_node_classifier says: one of 6 base emotions, of 36 (6 of each base),
// of 216 (6 of each of those); the weights of the losses are KmiDi's EmotionNodeClassifier's. The
// thesaurus: data/labels/thesaurus_emotions.def.
#include "models/groups.h"

const model_group node_groups[NODE_GROUPS] = {
    {"base", .offset = 0, .size = 6, .weight = 0.5f, .smoothing = 1, .says = "base.name",
     .confidence = "base.confidence", .id = "base.id"},
    {"sub", .offset = 6, .size = 36, .weight = 0.3f, .smoothing = 1, .says = "sub.name",
     .confidence = "sub.confidence", .id = "sub.id"},
    {"node", .offset = 42, .size = 216, .weight = 1, .smoothing = 1, .says = "node.name",
     .confidence = "node.confidence", .id = "node.id"},
};
