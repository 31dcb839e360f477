// SPDX-License-Identifier: GPL-3.0-or-later
// groups.h: losses of a model whose output is several softmaxes side by side (model_group), for its
// `loss`.
//
// Per item i of weight w_ig (0 where the item has no class of group g), over all groups g:
//
//     sum_g weight_g sum_i w_ig cross_entropy(logits_i[offset_g .. + size_g], t_ig; smoothing_g s)
//
// and, where one group names the parts of another (each class of `coarse` has as many of `fine`,
// side by side), how far the two disagree:
//
//     sum_i w_i / C sum_c (p_ic - sum_{f in c} q_if)^2       p, q: softmax of coarse, of fine
//
// It needs no class of the finer group, so that one learns from labels that stop at the coarser.
#ifndef KMIDI_MODELS_GROUPS_H
#define KMIDI_MODELS_GROUPS_H

#include "models/model.h"

// The first sum; a scalar. Of logits [B, C], n->target i32 [B, G] and n->weight [B, G].
tensor *groups_loss(network *n, tensor *logits);
// The second, with the weights of `coarse`. ERR by graph_fail: a group that is not there, or sizes
// of which one is no multiple of the other.
tensor *groups_agreement(network *n, tensor *logits, const char *coarse, const char *fine);

// ---- The tables, for `groups`, `n_groups` and `target` of a model's definition. Their classes:
// data/labels/.
enum { INSTRUMENT_GROUPS = 17, NODE_GROUPS = 3 };
extern const model_group instrument_groups[INSTRUMENT_GROUPS]; // of 160 numbers
extern const model_group node_groups[NODE_GROUPS];             // of 258
#define GROUPS_OF(table)                                                                           \
    .task = TASK_GROUPS, .groups = table, .n_groups = sizeof table / sizeof *table,                \
    .target = {.name = "classes",                                                                  \
               .type = DT_I32,                                                                     \
               .rank = 2,                                                                          \
               .dim = {0, sizeof table / sizeof *table},                                           \
               .sym = {SYM_BATCH},                                                                 \
               .below = 2}

#endif
