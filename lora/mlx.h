// SPDX-License-Identifier: GPL-3.0-or-later
// mlx.h: an adapter as MLX keeps it (mlx-lm, load_adapters): a folder with adapter_config.json and
// adapters.safetensors.
//
//     fc1.lora_a [in, r], fc1.lora_b [r, out]        both turned against PEFT's
//     y = x W^T + b + scale (x lora_a) lora_b        one scale and one rank for all of them
//     fc1.m [out]                                    DoRA's: g (x W^T + scale ..) + b, where g is m
//                                                    by the lengths of W + scale ..'s rows
//
// Where ours differ in scale, lora_b has the rest of it; where they differ in rank, smaller ones
// have zeros behind. MLX adapts linear layers: others, and weights that were trained whole, are
// refused by name.
#ifndef KMIDI_LORA_MLX_H
#define KMIDI_LORA_MLX_H

#include "models/model.h"

// As lora_save (adapter.h), without need of `config`.
bool lora_save_mlx(const char *folder, const params *p, const adapters *sites, const char *config,
                   const model_meta *meta, err *e) MUST_CHECK;

// Adds an adapter of MLX to the weights of its base. ERR_FORMAT, ERR_MISMATCH name what is not as
// such a folder has it, or not of this model.
bool lora_add_mlx(const char *folder, params *p, err *e) MUST_CHECK;

#endif
