// SPDX-License-Identifier: GPL-3.0-or-later
// lora.h: which weights of a model a low-rank adapter changes, and how much; as PEFT says it
// (Hugging Face PEFT 0.21, LoraConfig).
//
// LoRA (Hu et al. 2021) leaves a weight W [out, in] as it is and learns B [out, r] and A [r, in]
// beside it: W + scale B A, scale = alpha / r (rslora: alpha / sqrt r). DoRA (Liu et al. 2024)
// learns the lengths of that sum's rows, too (network.h). What is targeted are modules ("fc1",
// "layers.0.self_attn.q_proj": their weight) and the matrices of an LSTM ("lstm.weight_ih_l0"),
// which PEFT keeps in a list of their own, `target_parameters`.
//
//     // names against the model's layers
//     const adapters *l = lora_match(&config, model, true, &arena, e);
//     // the same model, adapted; the rest frozen
//     model_build(model, p, &(model_dims){..., .adapters = l}, &arena, e);
#ifndef KMIDI_LORA_LORA_H
#define KMIDI_LORA_LORA_H

#include "base/json.h"
#include "models/model.h"

enum { LORA_RANK_MOST = 4096 }; // also above the smaller side of a matrix, as in PEFT

typedef key_texts lora_names;

// Exponents by name: the first key that fits a target's path, as the regular expression
// (.*\.)?(key)$, decides.
typedef key_map lora_pattern;

// Names are full paths or ends of paths behind a dot; a regular expression must match the whole
// path (base/regex.h). One of the two.
typedef key_choice lora_choice;

typedef struct lora_config {
    int64_t r;
    double alpha, dropout; // dropout: of a linear layer's input in training
    bool rslora, dora;
    bool all_linear; // every linear layer but the one whose output is the model's
    lora_choice targets, exclude;
    // targets name the matrices of LSTMs too (as a configuration of ours does)
    bool together;
    lora_names parameters; // else these do (PEFT's target_parameters)
    // modules_to_save: modules trained whole; matched by the end of their path
    lora_names save;
    lora_pattern ranks, alphas;
    // layers_to_transform counts modules of a list of one of these names ("layers"); none: PEFT's
    // own guess
    lora_names layers_pattern;
    const double *layers; // layers_to_transform: the indices; of names alone
    size_t n_layers;
    const char *dialect; // a key of ours: which events tokens stand for; NULL: not said
} lora_config;

// The sites in the order of the model's layers. `strict`: every name, number and pattern must
// change something (a configuration that a person wrote); else one target must be found, and
// nothing asked for that PEFT refuses or that is no matrix of `m`. ERR_VALUE lists what there is,
// and the nearest.
const adapters *lora_match(const lora_config *c, const model_def *m, bool strict, arena *a,
                           err *e) MUST_CHECK;

// PEFT's adapter_config.json, keys sorted, indented by 2. What PEFT has other or no words for is
// put into names of `m`: matrices of LSTMs, all-linear, and ranks and alphas that differ (one key a
// target). `base`: what base_model_name_or_path says; may be NULL.
bool lora_config_write(const lora_config *c, const model_def *m, const char *base, strbuf *out,
                       err *e) MUST_CHECK;
// Reads one, from whichever program. Keys that are not known are ignored, as PEFT does; a method
// other than LoRA and DoRA is ERR_MISMATCH and named; combinations that PEFT refuses are ERR_VALUE.
// `path` is for messages.
bool lora_config_read(const char *path, const char *text, size_t n, arena *a, lora_config *c,
                      err *e) MUST_CHECK;

#endif
