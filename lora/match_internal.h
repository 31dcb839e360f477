// SPDX-License-Identifier: GPL-3.0-or-later
// match_internal.h: what match.c (the rules) and match_check.c (what they are told when nothing
// fits) share.
#ifndef KMIDI_LORA_MATCH_INTERNAL_H
#define KMIDI_LORA_MATCH_INTERNAL_H

#include "lora/lora.h"

bool lora_fits_name(const char *path, const char *name);
bool lora_fits_choice(const lora_choice *c, const char *path, bool *fits, err *e) MUST_CHECK;
// of rank_pattern, alpha_pattern
bool lora_fits_pattern(const char *pattern, const char *path, bool *fits, err *e) MUST_CHECK;
// The index of the layer that a path lies in, by `patterns` (layers_pattern); -1: in none.
bool lora_layer_index(const lora_names *patterns, const char *path, long *index, err *e) MUST_CHECK;
// `path`, a module or what is named like one, is a target by its name.
bool lora_is_named(const lora_config *c, const char *path, bool *is, err *e) MUST_CHECK;
// The layer is a target as a module.
bool lora_is_module(const lora_config *c, const network *n, const layer_info *l, bool *is,
                    err *e) MUST_CHECK;
// What patterns see of a layer: the path by which it is a target. A weight by its own name is one
// of target_parameters.
bool lora_by_parameter(const lora_config *c, const char *weight);
const char *lora_target_path(const lora_config *c, const layer_info *l);

// Always false: "WHAT 'NAME' matches no layer of M; did you mean ...; there are ...". `name` may be
// NULL.
bool lora_matches_nothing(const network *n, const char *what, const char *name, err *e);
// Of a configuration that a person wrote: every choice in it changes something.
bool lora_check_written(const lora_config *c, const network *n, const adapters *l,
                        err *e) MUST_CHECK;
// something at all
bool lora_check_found(const lora_config *c, const network *n, const adapters *l, err *e) MUST_CHECK;
// Of any: PEFT would load it, and it asks for nothing but matrices that adapters change here.
bool lora_check_read(const lora_config *c, const network *n, err *e) MUST_CHECK;

#endif
