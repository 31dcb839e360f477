// SPDX-License-Identifier: GPL-3.0-or-later
// again.h: a written file read again, and the network in it run on an example beside ours: what a
// format's `check` is made of.
#ifndef KMIDI_EXPORT_FORMATS_AGAIN_H
#define KMIDI_EXPORT_FORMATS_AGAIN_H

#include "export/formats/format.h"

// The largest difference between n outputs of the file's network and ours, and the largest of ours,
// into t.
void export_compare(export_task *t, const float *file, const float *ours, int64_t n);
// t->again with the weights of the checkpoint, for what the file holds to be put over them.
bool export_copy_weights(export_task *t, err *e) MUST_CHECK;
// Runs t->again, the weights that the file holds, beside ours.
bool export_run_again(export_task *t, err *e) MUST_CHECK;
// Of files of weights: reads t->out into weights of its own (t->again) and runs them.
bool export_check_weights(export_task *t, err *e) MUST_CHECK;

// The outputs y [n] of a file's network over the logits of a session: they are its output, on which
// the probe of the checkpoint is put where there is one, or probabilities, whose logarithms differ
// from logits by what a softmax takes away.
bool export_answer(const export_task *t, session *s, const float *y, int64_t n, bool probabilities,
                   err *e) MUST_CHECK;

#endif
