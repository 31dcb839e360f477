// SPDX-License-Identifier: GPL-3.0-or-later
// adapter.h: an adapter on disk, as Hugging Face PEFT keeps it, both ways: a folder with
// adapter_config.json (lora.h) and adapter_model.safetensors.
//
//     base_model.model.fc1.lora_A.weight [r, in], base_model.model.fc1.lora_B.weight [out, r]
//         a linear layer
//     base_model.model.fc1.lora_magnitude_vector [out]      DoRA's; of a convolution [1, out, 1, 1]
//                                                       (read with ".weight" behind it, too)
//     base_model.model.lstm.lora_A.weight ...           a matrix of an LSTM: PEFT wraps the
//                                                       module, once for each targeted matrix in
//                                                       the order of nn.LSTM's own parameters, the
//                                                       first innermost
//                                                       ("lstm.base_layer.lora_A.weight"
//                                                       where weight_hh_l0 is targeted too)
//     base_model.model.fc3.weight                       modules_to_save: whole parameters
//
// What PEFT has no place for stands in the metadata of the safetensors file, where it leaves it
// alone: model, sizes (of a model that has some), base_fingerprint (SHA-256 of the base's weights,
// params.h), settings (how the base's input is made; of tokens, their dialect), dropout as trained,
// labels (of what it was trained on; the probe over them stays with the run). An adapter of another
// base is refused; PEFT writes no fingerprint, so that its adapters are taken at the user's word.
// Tokens of a dialect that no model here speaks are refused whatever the base; who trains with PEFT
// may name one as `dialect` in adapter_config.json.
//
//     lora_adapter *l = lora_load("mine", model, &arena, e);
//     // several, each with a weight, added to loaded weights
//     lora_apply(p, model, &base_meta, uses, n, &arena, e);
#ifndef KMIDI_LORA_ADAPTER_H
#define KMIDI_LORA_ADAPTER_H

#include "lora/lora.h"

struct weights_index;

typedef struct lora_adapter {
    const char *folder;
    const model_def *model;
    lora_config config;
    const struct weights_index *file; // what is in the safetensors file
    model_meta meta;                  // of it
    const char *dialect;   // of the tokens that it was trained on, one of ours; NULL: not said
    const adapters *sites; // on `model`
    // A and B of site i of n are its parameters 2 i and 2 i + 1, by DoRA M is 2 n + i; then the
    // whole ones, in the order of sites->whole
    params *p;
} lora_adapter;

// True where `path` is a folder with an adapter_config.json.
bool lora_is_adapter(const char *path);
// Reads and checks everything: the tensors must be those that the configuration asks for on `m`,
// one to one, with their shapes. Owned by `a`, but for the weights: lora_unload. ERR_MISMATCH:
// another model's, a method that is neither LoRA nor DoRA, a tensor too many or too few.
lora_adapter *lora_load(const char *folder, const model_def *m, arena *a, err *e) MUST_CHECK;
// The same for the model that the adapter names, or (PEFT names none) the first that it fits.
lora_adapter *lora_load_any(const char *folder, arena *a, err *e) MUST_CHECK;
void lora_unload(lora_adapter *l); // accepts NULL
// Its parameters that are M of sites->site[i], and sites->whole[i].
int lora_length_at(const lora_adapter *l, int i);
int lora_whole_at(const lora_adapter *l, int i);

// Writes the factors (and whole parameters) of `p`, a model built with `sites`. `config`: the text
// of adapter_config.json, from which the sites were matched.
bool lora_save(const char *folder, const params *p, const adapters *sites, const char *config,
               const model_meta *meta, err *e) MUST_CHECK;

// "mine" or "mine:0.5": a folder and how much of it.
typedef struct lora_use {
    const char *folder;
    double weight;
} lora_use;
lora_use lora_use_of(const char *spec, arena *a);

// Adds adapters to the weights of a model as they were loaded from a checkpoint with `base_meta`,
// all at once: the sum is rounded once. A whole parameter counts with its difference from the
// base's, and so does a layer by DoRA; also where they are of the same layer. ERR_MISMATCH where an
// adapter is of another base, or of one whose input is made otherwise (another dialect); ERR_VALUE
// where DoRA would divide by zero. The weights are of no use then.
bool lora_apply(params *p, const model_def *m, const model_meta *base_meta, const lora_use *uses,
                int n, err *e) MUST_CHECK;
// One of them, all of it, to weights that are known to be its base's.
bool lora_add_whole(params *p, lora_adapter *l, err *e) MUST_CHECK;
// The lengths of the rows of `p`'s weights as the M of those sites that have one, also parameters
// of `p`: what DoRA begins with over the base that is loaded.
bool lora_begin(params *p, const adapters *sites, err *e) MUST_CHECK;
// The network that lora_apply's weights stand for, not merged: adapters for model_build (`*out`,
// owned by `a`), and after params_allocate and loading the base, their factors put into `p`. Whole
// parameters are not among them, but for those whose weight is adapted, too: such a weight stays
// the base's. For comparison.
const adapters *lora_unmerged(const lora_adapter *const *list, const double *weight, int n,
                              arena *a) MUST_CHECK;
void lora_fill(params *p, const adapters *unmerged, const lora_adapter *const *list, int n);

#endif
