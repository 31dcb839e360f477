// SPDX-License-Identifier: GPL-3.0-or-later
// quantise_internal.h: between quantise.c and quantise_dynamic.c.
#ifndef KMIDI_EXPORT_QUANTISE_INTERNAL_H
#define KMIDI_EXPORT_QUANTISE_INTERNAL_H

#include "base/names.h"
#include "export/onnx_file.h"

// Products of a model in whole numbers.
typedef struct quantise_products {
    onnx_model *model;
    name_set weights; // those that are there as NAME.int8 [in, out] and NAME.scale [out]
    name_set seen;    // activations that are there as NAME.quantised already
} quantise_products;

// True where n is the product with one of the weights, which is then said in whole numbers.
bool quantise_product(quantise_products *q, const onnx_node *n);

#endif
