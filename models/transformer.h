// SPDX-License-Identifier: GPL-3.0-or-later
// transformer.h: the layers of emotion_midi_transformer, for whole sequences and for steps behind a
// cache: one text for both.
//
// Of a sequence that grows at its end, keys and values of what is there stay as they are: each
// layer keeps them, and new tokens are all that is computed. The emotion does not change at all, so
// its keys and values are made once.
#ifndef KMIDI_MODELS_TRANSFORMER_H
#define KMIDI_MODELS_TRANSFORMER_H

#include "models/model.h"

enum { TRANSFORMER_TOKENS = 388, TRANSFORMER_LAYERS = 20 };

// What a layer knows from before. B batch, C capacity, E vectors of the emotion, D dim, T new
// tokens.
typedef struct transformer_past {
    tensor *keys, *values;             // [B, C, D], of which the first `length` rows count
    tensor *length;                    // i32 [1], the same in all layers
    tensor *cross_keys, *cross_values; // [B, E, D]; NULL in layers that do not look at the emotion
    // [B, T, D], set by transformer_logits: what belongs behind `length`
    tensor *new_keys, *new_values;
} transformer_past;

bool transformer_crosses(const network *n, int64_t layer); // looks at the emotion
tensor *transformer_emotion(network *n, tensor *emotion);  // [B, 64] -> its vectors [B, E, D]
// Sets past->cross_keys, cross_values of a layer from the emotion's vectors.
void transformer_cross(network *n, int64_t layer, tensor *emotion, transformer_past *past);
// tokens i32 [B, T] -> logits [B, T, 388]: of whole sequences under an emotion [B, 64] (past NULL),
// or behind past[layers].
tensor *transformer_logits(network *n, tensor *tokens, tensor *emotion, transformer_past *past);

#endif
