// SPDX-License-Identifier: GPL-3.0-or-later
// card.h: a model card, as https://arxiv.org/abs/1810.03993 asks for one: what a model is, what it
// was trained on and under which licence, how good it is over which seeds, and how to run it; a
// page of markdown beside the exports, made of the checkpoint and the record of its run.
//
// What is not known is said to be not known: imported weights have no run, a run may be gone.
#ifndef KMIDI_CMD_CARD_H
#define KMIDI_CMD_CARD_H

#include "cmd/cmd.h"
#include "infer/trained.h"

// With it every card begins. A page that begins otherwise is a person's.
#define CARD_MARK "<!-- written by kmidi export --card; without this line it is kept -->"

// `entry`: of the registry (registry.h), with every export so far.
void card_write(const trained *d, const json *entry, arena *a, strbuf *out);
// The figures of its run and of runs that differ from it by their seed alone (card_results.c).
void card_results(const trained *d, arena *a, strbuf *out);

#endif
