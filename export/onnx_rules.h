// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_rules.h: from the shapes of a node's inputs to those of its outputs, where all sizes are
// numbers.
#ifndef KMIDI_EXPORT_ONNX_RULES_H
#define KMIDI_EXPORT_ONNX_RULES_H

#include "export/onnx_file.h"

enum { RULE_DATA = 8, RULE_IN = 16, RULE_OUT = 4 };

typedef struct onnx_known {
    int rank; // -1: not known
    int64_t dim[ONNX_RANK];
    int n; // integers that are known, of a scalar or a vector; -1: none
    int64_t data[RULE_DATA];
} onnx_known;

typedef struct rule_call {
    const onnx_node *node;
    const onnx_known *in[RULE_IN]; // of known rank; an input that is left out is a scalar
    onnx_known *out[RULE_OUT];     // as they are where there is no rule
} rule_call;

void onnx_rule_apply(const rule_call *c);
const onnx_attr *onnx_attr_find(const onnx_node *n, const char *name); // NULL: it has none
int64_t onnx_attr_value(const onnx_node *n, const char *name, int64_t fallback);

#endif
