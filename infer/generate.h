// SPDX-License-Identifier: GPL-3.0-or-later
// generate.h: one token after the other. A generator says what may come next, a sampler (sampler.h)
// chooses, generate is the loop.
//
//     generator *g = generator_open(model, params, &(generator_setup){.emotion = vector}, &a, e);
//     generate_job job = {.by = s, .prompt = heard, .n_prompt = 12, .tokens = out, .n = 64};
//     generate(g, &job, 1, &env, e)
//     generator_close(g);
//
// A generator keeps what it needs of the past itself (a recurrent state, keys and values): a step
// costs the same, or nearly, however long the piece is. Any model whose definition says that it
// makes notes or events, and has a step (models/model.h), is one.
//
// It has lanes: sequences side by side, each under its own emotion, that read the weights together,
// which is most of a step. A lane's logits have the bits that it has alone (autograd/op.h,
// FEW_ROWS).
#ifndef KMIDI_INFER_GENERATE_H
#define KMIDI_INFER_GENERATE_H

#include "autograd/passes/precision.h"
#include "base/env.h"
#include "infer/sampler.h"
#include "models/model.h"

enum { GENERATOR_LANES = 8 };     // by default: twice as many give a token hardly sooner
enum { GENERATOR_GUIDANCE = 20 }; // the most that makes sense

typedef struct generator {
    int count, lanes; // of tokens; of sequences
    // Takes the token [lanes] that came in each (-1: none yet, only at the beginning and in all);
    // logits [lanes, count] of those that come, until the next call.
    const float *(*next)(struct generator *g, const int *tokens, err *e);
    void (*close)(struct generator *g);
    void *self;
} generator;

// BF16, INT8: weights are rounded once and read so (precision_weights), keys and values are kept as
// bf16; all else is f32.
typedef struct generator_setup {
    const float *emotion; // [lanes, 64]
    int lanes;            // 1 .. FEW_ROWS, guided half as many; 0: 1
    int context;          // of a model with a cache: 2 or more
    // the logits are u + guidance (c - u), c of the emotion and u of none, 64 zeros, where the
    // token is plausible by c; above 1 the emotion counts for more than in training. 1, or 0: c
    // alone, in half the time
    double guidance;
    precision precision; // PRECISION_FP32, BF16 or INT8
    threads *pool;       // NULL: one thread
    const kit *kit;      // of its plan; NULL: kit_choose
} generator_setup;

// Tokens under an emotion, of a model that makes notes or events, configured or not; else
// ERR_MISMATCH. One with a cache hears the last `context` tokens, the length it was trained on, in
// every layer: the oldest keys and values give way to the newest. Positions are rotary, and so only
// matter by their distance, which so stays what it was in training; memory and time of a token stay
// what they are, however long the piece becomes.
// Nothing precedes events in training, so before the first of them all are alike; give it a prompt.
// ERR_VALUE for a token that is none.
generator *generator_open(const model_def *m, params *p, const generator_setup *o, arena *a,
                          err *e) MUST_CHECK;
bool generator_makes(const model_def *m); // there is a generator of it
// Names of all such models, "melody_transformer and emotion_midi_transformer".
const char *generator_models(const char *between, arena *a);
void generator_close(generator *g);                 // accepts NULL
int64_t generator_weight_bytes(const generator *g); // that a token reads
// ---- Of a generator in use
void generator_begin(generator *g); // forgets all tokens
// Another emotion from the next token on; what was heard stays as it was heard. [lanes, 64]
bool generator_feel(generator *g, const float *emotion, err *e) MUST_CHECK;

// What one lane is for.
typedef struct generate_job {
    sampler *by;
    const int *prompt; // [n_prompt], may be none
    int n_prompt;      //
    // [n_prompt + n]: the prompt, then what was drawn
    int *tokens;
    int n; // to draw at most
    // sets logits of what may not follow to -INFINITY; may be NULL
    void (*forbid)(void *user, const int *tokens, int n, float *logits);
    // asked behind each token; may be NULL
    bool (*done)(void *user, const int *tokens, int n);
    void *user;
    int drawn; // set by generate
    bool over; // it is done, or has its n
} generate_job;

// n jobs, at most a lane each, which begin together; a lane whose job is over waits for the others.
// ERR_STOPPED when env says so; what was drawn until then is there.
bool generate(generator *g, generate_job *jobs, int n, const env *v, err *e) MUST_CHECK;

#endif
