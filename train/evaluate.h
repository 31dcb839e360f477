// SPDX-License-Identifier: GPL-3.0-or-later
// evaluate.h: a network run over a set of batches, and what metrics say about it.
#ifndef KMIDI_TRAIN_EVALUATE_H
#define KMIDI_TRAIN_EVALUATE_H

#include "base/comm.h"
#include "base/env.h"
#include "checkpoint/checkpoint.h"
#include "export/quantise.h"
#include "infer/session.h"
#include "lora/adapter.h"
#include "train/feed.h"
#include "train/metrics.h"

// A network in place of ours (an exported file's): writes what it says to the inputs of `s` over
// the session's logits.
typedef bool evaluate_say(void *with, session *s, err *e);

typedef struct evaluator {
    session *session;
    evaluate_say *say; // NULL: ours
    void *with;        // say's own
    metrics *metrics;
    // of one who says the same to every row, `said` (baseline.h); NULL: not asked
    metrics *constant;
    const float *said; // [width]
    comm *comm;        // NULL: one process runs all batches
    // evaluate_share.c: a turn of this process, and of each
    char *shared;
    metrics_sums *sums; // [size]
    const char **paths; // of a turn's rows
    // logits of a row of the metrics, where rows go to everyone (TASK_CLASSES, TASK_GROUPS), else 0
    int64_t labels;
    int64_t every; // targets and weights of a row
} evaluator;

// `p` may be without buffers until evaluator_open.
evaluator *evaluator_plan(const model_def *m, params *p, const model_dims *d, const kit *k,
                          int max_threads, arena *a, err *e) MUST_CHECK;
bool evaluator_open(evaluator *v, threads *pool, err *e) MUST_CHECK;
// Beside the network, measure one that says `row` [width] to everything; metrics_close(v->constant)
// after evaluator_run.
void evaluator_compare(evaluator *v, const float *row, arena *a);
int64_t evaluator_width(const evaluator *v); // of a row that the network says
// The processes of `c` run a batch each in turns, and all come to the same figures; the source of
// each has its batches alone (loader.h). Bytes that this takes; and doing so from here on.
uint64_t evaluator_share_bytes(const evaluator *v, const comm *c);
void evaluator_share(evaluator *v, comm *c, arena *a);
void evaluator_close(evaluator *v); // accepts NULL
// One pass over the source; allocates nothing. ERR_STOPPED when env_stop said so meanwhile.
bool evaluator_run(evaluator *v, const source *s, const env *env, metrics_result *r,
                   err *e) MUST_CHECK;

// evaluate_share.c: the rows of one batch of this process (NULL: it had none, or failed, which `ok`
// says) into the metrics, with those of the others. All fail where one has.
bool evaluator_add(evaluator *v, const metrics_rows *rows, bool ok, err *e) MUST_CHECK;
bool evaluator_sum_up(evaluator *v, err *e) MUST_CHECK; // behind the last

// All of it for a checkpoint and shards. `r->confusion` and labels are owned by `a`.
typedef struct evaluation {
    metrics_result result;
    metrics_result baseline;   // items 0: the checkpoint has none (imported weights)
    const char *const *labels; // NULL where the model has none
    int64_t items;
} evaluation;
typedef struct evaluate_request {
    const char *checkpoint;
    const char *const *patterns; // of shards
    size_t n_patterns;
    int64_t rows;         // at once
    const lora_use *uses; // adapters over the checkpoint
    int n_uses;
    // Of an exported model, one of: the network that is in the file; weights in place of the
    // checkpoint's, of the same layout; the form to which the checkpoint's are rounded.
    evaluate_say *say;
    void *with;
    const params *weights;
    quantise_form form;
} evaluate_request;
bool evaluate_checkpoint(const evaluate_request *r, const env *env, arena *a, evaluation *out,
                         err *e) MUST_CHECK;

#endif
